#include "models/workload/arrivals.hpp"

#include <algorithm>
#include <cmath>

namespace podwire::workload {
namespace {

// A slower loop is played at one request in 28 hours: sums of a few gaps, each up to 45 means, stay within Time.
constexpr double kLongestGapPs = 1e17;

Duration gap_of(double per_second) {
  PODWIRE_CHECK(per_second > 0.0, "workload", "an open loop has a rate");
  return Duration::from_ps(std::llround(std::min(1e12 / per_second, kLongestGapPs)));
}

}  // namespace

ArrivalProcess::ArrivalProcess(std::uint64_t seed, std::uint32_t workload, const Arrivals& arrivals)
    : gaps_(seed, random::Purpose("workload/arrival")),
      workload_(workload),
      is_poisson_(arrivals.kind == Arrivals::Kind::poisson),
      mean_gap_(gap_of(arrivals.per_second)) {
  if (!is_poisson_) {
    const double part = random::draw(seed, random::Purpose("workload/phase"), workload).uniform();
    phase_ = Duration::from_ps(static_cast<std::int64_t>(part * static_cast<double>(mean_gap_.ps())));
  }
}

Time ArrivalProcess::next() {
  if (is_poisson_) {
    last_ += gaps_.draw(workload_, count_).exponential(mean_gap_);
  } else {
    last_ = Time::start() + phase_ + mean_gap_ * count_;
  }
  ++count_;
  return last_;
}

}  // namespace podwire::workload
