// The names that a resolver tries for one name typed, and when it stops: glibc's search list as a pure state machine.
// No clock, no network: the caller asks each candidate and says how it went.
//
// Order: the name as it is first when it has `ndots` dots or ends with one; then name.domain for each search domain;
// then the name as it is unless that was tried. What each outcome does to the list:
//   found            ends it: this is the answer
//   not found        the next candidate (NXDOMAIN)
//   no data          the next candidate, remembered (unlike musl)
//   server failure   the next candidate, remembered (SERVFAIL of all servers)
//   timed out        leaves the search list; the name as it is is still tried
//   failed           the same (REFUSED and other codes; a name too long to send)
//   refused          within the search list ends everything (ICMP port unreachable from all servers: ECONNREFUSED)
// The final word when nothing was found: the as-is candidate's if that came first; else no data if any candidate had
// none; else server failure if there was one; else the last candidate's. Source: glibc resolv/res_query.c,
// __res_context_search. musl's and Go's lists differ and will be further rules.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "models/dns/names.hpp"
#include "models/dns/resolv_conf.hpp"

namespace podwire::dns {

/// How one candidate went.
enum class QueryOutcome : std::uint8_t { found, not_found, no_data, server_failure, timed_out, failed, refused };

/// How the whole lookup ended, as getaddrinfo's caller can tell (and a little more).
enum class LookupStatus : std::uint8_t {
  found,
  nxdomain,
  nodata,
  servfail,
  timeout,
  refused,  // ICMP port unreachable, or rcode REFUSED
};
/// "found", "nxdomain" …
std::string_view to_string(LookupStatus status);

/// The candidates of one (name, resolv.conf), shared by all lookups of it.
struct SearchPlan {
  struct Candidate {
    NameId name;
    bool is_sendable = true;
  };
  std::vector<Candidate> candidates;  // in the order in which they are tried
  std::uint16_t search_begin = 0;     // candidates [search_begin, search_end) are the search list
  std::uint16_t search_end = 0;
  std::uint16_t root = 0xffff;  // the first candidate that a root search domain makes; then the last one is superfluous
  bool is_as_is_first = false;
};

SearchPlan plan_search(std::string_view host, const ResolvConf& conf, NameTable& names);

/// Where one lookup is in its plan.
class SearchState {
 public:
  /// The candidate to ask now.
  std::uint16_t candidate() const { return candidate_; }
  /// Takes note of how the present candidate went. True: ask candidate() next; false: it is over, status() says how.
  bool advance(const SearchPlan& plan, QueryOutcome outcome);
  LookupStatus status() const { return status_; }

 private:
  bool finish(const SearchPlan& plan, QueryOutcome last);

  std::uint16_t candidate_ = 0;
  LookupStatus status_ = LookupStatus::timeout;
  LookupStatus first_status_ = LookupStatus::timeout;  // of the as-is candidate when it came first
  bool has_no_data_ = false;
  bool has_server_failure_ = false;
};

}  // namespace podwire::dns
