// glibc's search list.
#include "models/dns/search.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace podwire::dns {

namespace {

LookupStatus status_of(QueryOutcome outcome) {
  switch (outcome) {
    case QueryOutcome::found:
      return LookupStatus::found;
    case QueryOutcome::not_found:
      return LookupStatus::nxdomain;
    case QueryOutcome::no_data:
      return LookupStatus::nodata;
    case QueryOutcome::server_failure:
      return LookupStatus::servfail;
    case QueryOutcome::timed_out:
      return LookupStatus::timeout;
    case QueryOutcome::failed:
    case QueryOutcome::refused:
      return LookupStatus::refused;
  }
  return LookupStatus::timeout;
}

}  // namespace

std::string_view to_string(LookupStatus status) {
  constexpr std::string_view kNames[] = {"found", "nxdomain", "nodata", "servfail", "timeout", "refused"};
  return kNames[static_cast<std::size_t>(status)];
}

SearchPlan plan_search(std::string_view host, const ResolvConf& conf, NameTable& names) {
  const auto dots = static_cast<std::uint32_t>(std::count(host.begin(), host.end(), '.'));
  const bool is_qualified = host.ends_with('.');
  const std::string bare = normalized(host);
  SearchPlan plan;
  const auto add = [&](const std::string& name) { plan.candidates.push_back({names.intern(name), is_sendable(name)}); };
  if (dots >= conf.ndots || is_qualified) {
    add(bare);
    plan.is_as_is_first = true;
  }
  plan.search_begin = static_cast<std::uint16_t>(plan.candidates.size());
  if (!is_qualified) {
    for (const std::string& domain : conf.searches) {
      if (domain.empty()) {
        plan.root = std::min(plan.root, static_cast<std::uint16_t>(plan.candidates.size()));
      }
      add(domain.empty() ? bare : bare + "." + domain);
    }
  }
  plan.search_end = static_cast<std::uint16_t>(plan.candidates.size());
  if (!plan.is_as_is_first) {
    add(bare);
  }
  return plan;
}

bool SearchState::advance(const SearchPlan& plan, QueryOutcome outcome) {
  PODWIRE_CHECK(candidate_ < plan.candidates.size(), "dns", "a search that is over is not advanced");
  const bool is_in_list = candidate_ >= plan.search_begin && candidate_ < plan.search_end;
  if (outcome == QueryOutcome::found || (outcome == QueryOutcome::refused && is_in_list)) {
    status_ = status_of(outcome);
    return false;
  }
  if (plan.is_as_is_first && candidate_ == 0) {
    first_status_ = status_of(outcome);
  }
  bool leaves_list = false;
  if (is_in_list) {
    has_no_data_ = has_no_data_ || outcome == QueryOutcome::no_data;
    has_server_failure_ = has_server_failure_ || outcome == QueryOutcome::server_failure;
    leaves_list = outcome == QueryOutcome::timed_out || outcome == QueryOutcome::failed;
  }
  const bool was_bare = candidate_ >= plan.root;  // the root domain's turn has come: the name was asked as it is
  candidate_ = leaves_list ? plan.search_end : static_cast<std::uint16_t>(candidate_ + 1);
  if (candidate_ >= plan.search_end && was_bare) {
    return finish(plan, outcome);
  }
  return candidate_ < plan.candidates.size() || finish(plan, outcome);
}

bool SearchState::finish(const SearchPlan& plan, QueryOutcome last) {
  if (plan.is_as_is_first) {
    status_ = first_status_;
  } else if (has_no_data_) {
    status_ = LookupStatus::nodata;
  } else if (has_server_failure_) {
    status_ = LookupStatus::servfail;
  } else {
    status_ = status_of(last);
  }
  return false;
}

}  // namespace podwire::dns
