// Names: interning, limits, sizes on the wire.
#include "models/dns/names.hpp"

namespace podwire::dns {

std::string normalized(std::string_view name) {
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return result;
}

NameId NameTable::intern(std::string_view name) {
  std::string key = normalized(name);
  const auto found = ids_.find(key);
  if (found != ids_.end()) {
    return found->second;
  }
  const NameId id(names_.size());
  names_.push_back(std::move(key));
  ids_.emplace(names_.back(), id);
  return id;
}

bool is_sendable(std::string_view name) {
  if (name.size() > 253) {
    return false;
  }
  std::size_t begin = 0;
  while (begin <= name.size() && !name.empty()) {
    const std::size_t dot = name.find('.', begin);
    const std::size_t end = dot == std::string_view::npos ? name.size() : dot;
    if (end == begin || end - begin > 63) {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

bool is_within(std::string_view name, std::string_view zone) {
  if (zone.empty() || name == zone) {
    return true;
  }
  return name.size() > zone.size() && name.ends_with(zone) && name[name.size() - zone.size() - 1] == '.';
}

std::uint32_t encoded_bytes(std::string_view name) {
  return name.empty() ? 1 : static_cast<std::uint32_t>(name.size()) + 2;
}

std::uint32_t query_bytes(std::string_view name) {
  return 12 + encoded_bytes(name) + 4;
}

}  // namespace podwire::dns
