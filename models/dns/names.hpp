// Domain names as ids: interned once, so that a query that crosses the network is an integer and an answer is looked up
// by index. Names are kept in lower case without the trailing dot; the root is "". Matching is case-insensitive (RFC
// 4343).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "sim/base/id.hpp"

namespace podwire::dns {

using NameId = Id<struct NameTag>;

/// Interned names; ids are dense in order of first use, views live as long as the table.
class NameTable {
 public:
  /// `name` in any case, with or without the trailing dot.
  NameId intern(std::string_view name);
  std::string_view operator[](NameId id) const { return names_[id.index()]; }
  std::size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_;
  boost::unordered_flat_map<std::string_view, NameId> ids_;
};

/// Lower case, without one trailing dot.
std::string normalized(std::string_view name);
/// Whether a message can carry it: at most 253 bytes, labels of 1 to 63.
bool is_sendable(std::string_view name);
/// Whether `name` is `zone` or lies below it. Both normalised.
bool is_within(std::string_view name, std::string_view zone);

/// Bytes of a name in a message, uncompressed: its labels, their lengths and the root (RFC 1035 section 3.1).
std::uint32_t encoded_bytes(std::string_view name);
/// Bytes of a query for it: header 12, the name, type and class. glibc sends no EDNS option by default.
std::uint32_t query_bytes(std::string_view name);

}  // namespace podwire::dns
