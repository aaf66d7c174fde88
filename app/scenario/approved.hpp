// Approved changes of `podwire diff`: a file, reviewed like code, that says which connections may open or close, who
// answers for it, why, and until when.
//
//   - source: frontend/web[Deployment]       # as diff writes it; outside: a CIDR, an address or FIRST-LAST
//     destination: backend/api[Deployment]
//     connections: TCP 8080                  # or * for whatever ports
//     change: opened                         # or closed
//     owner: team-shop
//     reason: the checkout moves to the new API
//     expires: 2026-12-31                    # the last day on which it counts
//
// Every key is required and no other is known. What an entry covers is told per pair and per port; ranges of addresses
// are covered when one entry's range holds them whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/analysis/diff.hpp"
#include "models/policy/port_set.hpp"
#include "sim/base/diagnostic.hpp"
#include "sim/config/document.hpp"

namespace podwire::scenario {

/// A day of the calendar.
struct Date {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  auto operator<=>(const Date&) const = default;
  std::string to_string() const;  // "2026-12-31"
};

/// `2026-12-31`, a day that exists.
std::optional<Date> parse_date(std::string_view text);

/// `TCP 80,443,8000-8099,UDP 53` or `All Connections`, as reach writes them.
std::optional<policy::PortSet> parse_connections(std::string_view text);

struct Approval {
  struct End {
    std::string name;  // "frontend/web[Deployment]"; "" for addresses
    std::pair<IpAddress, IpAddress> range = {};
  };
  std::string source;  // as written
  std::string destination;
  End from;
  End to;
  std::string connections;  // as written
  policy::PortSet ports;
  bool is_opening = true;
  std::string owner;
  std::string reason;
  Date expires;
  Span span;
  std::uint64_t matches = 0;  // rows whose change it names, at least in part
};

/// The part of a row that no entry approves.
struct Unapproved {
  policy::PortSet opened;
  policy::PortSet closed;
  bool empty() const { return opened.empty() && closed.empty(); }
};

class Approvals {
 public:
  Approvals() = default;
  Approvals(std::vector<Approval> entries, Date today) : entries_(std::move(entries)), today_(today) {}

  /// Takes what valid entries approve off a row and counts what each entry matches. A row that is unknown is approved
  /// by nothing.
  Unapproved judge(const analysis::DiffRow& row);
  bool is_expired(const Approval& entry) const { return entry.expires < today_; }
  const std::vector<Approval>& entries() const { return entries_; }

 private:
  std::vector<Approval> entries_;
  Date today_;
};

/// Reads the file: one list, or `entries:` holding it. Errors: those of sim/config; missing-key, bad-value, bad-date.
std::vector<Approval> read_approvals(const config::Document& document, Diagnostics& diagnostics);

}  // namespace podwire::scenario
