// Typed access to a mapping, strict by default: each problem becomes a diagnostic with object, field and place, and
// reading goes on, so that all problems of an input are reported at once. finish() reports the keys nobody asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/quantity.hpp"
#include "sim/base/time.hpp"
#include "sim/config/document.hpp"

namespace podwire::config {

// Scalars by type. Each reports (wrong-type, bad-number, out-of-range, bad-unit …) and returns nothing when the node is
// not what the type allows; `object` names the thing the field belongs to ("Workload \"browse\"",
// "backend/deployment/api").
std::optional<std::string> as_string(Node node, std::string_view object, Diagnostics& diagnostics);
std::optional<bool> as_bool(Node node, std::string_view object, Diagnostics& diagnostics);
std::optional<std::int64_t> as_integer(Node node, std::int64_t least, std::int64_t most, std::string_view object,
                                       Diagnostics& diagnostics);
/// A finite decimal number within [least, most].
std::optional<double> as_number(Node node, double least, double most, std::string_view object,
                                Diagnostics& diagnostics);
/// `5s`, `1.5ms`, `200us`, `2m30s`, `0`: units ps ns us ms s m h d; not negative, below 106 days.
std::optional<Duration> as_duration(Node node, std::string_view object, Diagnostics& diagnostics);
/// `300B`, `4KiB`, `1.5MB`, `10Gi`, plain number = bytes; decimal k M G and binary Ki Mi Gi, optional B.
std::optional<Bytes> as_bytes(Node node, std::string_view object, Diagnostics& diagnostics);
/// `10Gbps`, `25Gbit/s`, `100Mbps`.
std::optional<BitRate> as_bit_rate(Node node, std::string_view object, Diagnostics& diagnostics);
/// `200/s`, `12/m`, `1.5/ms`: events per second, > 0.
std::optional<double> as_rate(Node node, std::string_view object, Diagnostics& diagnostics);
/// `99.9%` or `0.999`: a fraction in [0, 1].
std::optional<double> as_fraction(Node node, std::string_view object, Diagnostics& diagnostics);
std::optional<IpAddress> as_ip(Node node, std::string_view object, Diagnostics& diagnostics);
std::optional<Cidr> as_cidr(Node node, std::string_view object, Diagnostics& diagnostics);

/// Texts of the same forms, for command lines.
std::optional<Duration> parse_duration(std::string_view text);
std::optional<Bytes> parse_bytes(std::string_view text);
std::optional<BitRate> parse_bit_rate(std::string_view text);

/// One mapping being read. A node that is null or absent reads as an empty mapping; another kind is reported
/// (wrong-type).
class ObjectReader {
 public:
  ObjectReader(Node node, std::string object, Diagnostics& diagnostics);

  /// The member, marked as known; absent or null members give an absent/null Node.
  Node get(std::string_view key);
  /// The member, or a diagnostic (missing-key) that points at the mapping.
  Node require(std::string_view key);
  bool has(std::string_view key) const { return node_.find(key).is_present(); }

  std::optional<std::string> string(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<Duration> duration(std::string_view key);
  std::optional<Bytes> bytes(std::string_view key);
  std::optional<BitRate> bit_rate(std::string_view key);
  std::optional<double> rate(std::string_view key);
  /// One of `names`; returns its index, else reports (bad-value) with the nearest name.
  std::optional<std::size_t> choice(std::string_view key, std::initializer_list<std::string_view> names);
  /// The items of a sequence member (none if absent or null); another kind is reported.
  std::vector<Node> list(std::string_view key);
  /// The members of a mapping member (none if absent or null); another kind is reported.
  std::vector<Node> members(std::string_view key);
  /// A list of strings.
  std::vector<std::string> strings(std::string_view key);

  /// Keys that are accepted and not read.
  void ignore(std::initializer_list<std::string_view> keys);
  /// Reports each key that was neither asked for nor ignored (unknown-key, with "did you mean").
  void finish();

  Node node() const { return node_; }
  const std::string& object() const { return object_; }
  Diagnostics& diagnostics() { return diagnostics_; }
  /// Reports at `where` (or at the mapping) with this reader's object and the field's path filled in.
  void error(std::string code, std::string message, Node where = {}, std::string help = {});

 private:
  Node node_;
  std::string object_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
};

}  // namespace podwire::config
