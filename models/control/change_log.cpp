// The change log: see the header for its law.
#include "models/control/change_log.hpp"

#include <algorithm>

namespace podwire::control {

ChangeLog::ChangeLog(std::uint32_t observers) : made_{Time::start()}, cursors_(observers, 0) {}

Version ChangeLog::append(Time made, std::span<const Duration> delays) {
  PODWIRE_CHECK(delays.size() == cursors_.size(), "control", "a change has a delay for each observer");
  PODWIRE_CHECK(made >= made_.back(), "control", "changes are appended in order of time");
  const Version previous = last();
  made_.push_back(made);
  for (std::uint32_t n = 0; n < observer_count(); ++n) {
    PODWIRE_CHECK(delays[n] >= Duration::zero(), "control", "no change arrives before it is made");
    applied_.push_back(std::max(applied(n, previous), made + delays[n]));
  }
  return last();
}

Time ChangeLog::applied(std::uint32_t observer, Version version) const {
  if (version == 0) {
    return Time::start();
  }
  return applied_[std::size_t{version - 1} * observer_count() + observer];
}

Version ChangeLog::slowest(Time now) const {
  Version version = last();
  for (std::uint32_t n = 0; n < observer_count(); ++n) {
    while (version > 0 && applied(n, version) > now) {
      --version;
    }
  }
  return version;
}

}  // namespace podwire::control
