#include "sim/config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/config/scalar_types.hpp"

namespace podwire::config {
namespace {

constexpr std::size_t kMostListed = 16;  // known keys named in a message
constexpr std::size_t kRoomForKeys = 12;

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    text += text.empty() ? "" : ", ";
    text += word;
  }
  return text;
}

/// In the order in which they were first asked for.
std::vector<std::string_view> distinct(const std::vector<std::string>& asked) {
  std::vector<std::string_view> keys;
  for (const std::string& key : asked) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      keys.push_back(key);
    }
  }
  return keys;
}

std::vector<Node> children(Node node) {
  std::vector<Node> all;
  all.reserve(node.size());
  for (const Node child : node) {
    all.push_back(child);
  }
  return all;
}

}  // namespace

ObjectReader::ObjectReader(Node node, std::string object, Diagnostics& diagnostics)
    : node_(node), object_(std::move(object)), diagnostics_(diagnostics) {
  if (!node_.is_null() && !node_.is_mapping()) {
    const std::string name =
        node_.key().empty() ? object_ : fmt::format("\"{}\" in {}", printable(node_.key(), 80), object_);
    error("wrong-type", fmt::format("{} must be a mapping, found {}", name, describe(node_)), node_);
  }
}

void ObjectReader::error(std::string code, std::string message, Node where, std::string help) {
  const Node at = where.is_present() ? where : node_;
  diagnostics_.add({.severity = Severity::error,
                    .code = std::move(code),
                    .message = std::move(message),
                    .span = at.span(),
                    .object = object_,
                    .field = at.path(),
                    .help = std::move(help),
                    .hides_source_line = is_confidential(at)});
}

Node ObjectReader::get(std::string_view key) {
  if (known_.empty()) {
    known_.reserve(kRoomForKeys);
  }
  known_.emplace_back(key);  // repeated or not: pods are read by the million, messages are rare
  return node_.find(key);
}

Node ObjectReader::require(std::string_view key) {
  const Node member = get(key);
  const bool is_readable = node_.is_null() || node_.is_mapping();  // else that was reported, once
  if (member.is_null() && is_readable) {
    const std::string problem = member.is_present() ? "has no value" : "is missing";
    error("missing-key", fmt::format("\"{}\" {} in {}", key, problem, object_), member);
  }
  return member;
}

std::optional<std::string> ObjectReader::string(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_string(member, object_, diagnostics_);
}

std::optional<bool> ObjectReader::boolean(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_bool(member, object_, diagnostics_);
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_integer(member, least, most, object_, diagnostics_);
}

std::optional<double> ObjectReader::number(std::string_view key, double least, double most) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_number(member, least, most, object_, diagnostics_);
}

std::optional<Duration> ObjectReader::duration(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_duration(member, object_, diagnostics_);
}

std::optional<Bytes> ObjectReader::bytes(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_bytes(member, object_, diagnostics_);
}

std::optional<BitRate> ObjectReader::bit_rate(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_bit_rate(member, object_, diagnostics_);
}

std::optional<double> ObjectReader::rate(std::string_view key) {
  const Node member = get(key);
  return member.is_null() ? std::nullopt : as_rate(member, object_, diagnostics_);
}

std::optional<std::size_t> ObjectReader::choice(std::string_view key, std::initializer_list<std::string_view> names) {
  const Node member = get(key);
  if (member.is_null()) {
    return std::nullopt;
  }
  const std::optional<std::string> text = as_string(member, object_, diagnostics_);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) {
    return static_cast<std::size_t>(found - names.begin());
  }
  const std::string near = nearest_word(*text, std::span(names.begin(), names.size()));
  error("bad-value", fmt::format("\"{}\" in {} cannot be {}", key, object_, quoted_value(member)), member,
        near.empty() ? fmt::format("one of: {}", joined(std::span(names.begin(), names.size())))
                     : fmt::format("did you mean \"{}\"?", near));
  return std::nullopt;
}

std::vector<Node> ObjectReader::list(std::string_view key) {
  const Node member = get(key);
  if (!member.is_null() && !member.is_sequence()) {
    error("wrong-type", fmt::format("\"{}\" in {} must be a list, found {}", key, object_, describe(member)), member);
  }
  return member.is_sequence() ? children(member) : std::vector<Node>();
}

std::vector<Node> ObjectReader::members(std::string_view key) {
  const Node member = get(key);
  if (!member.is_null() && !member.is_mapping()) {
    error("wrong-type", fmt::format("\"{}\" in {} must be a mapping, found {}", key, object_, describe(member)),
          member);
  }
  return member.is_mapping() ? children(member) : std::vector<Node>();
}

std::vector<std::string> ObjectReader::strings(std::string_view key) {
  std::vector<std::string> texts;
  for (const Node item : list(key)) {
    if (std::optional<std::string> text = as_string(item, object_, diagnostics_)) {
      texts.push_back(std::move(*text));
    }
  }
  return texts;
}

void ObjectReader::ignore(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    get(key);
  }
}

void ObjectReader::finish() {
  if (!node_.is_mapping()) {
    return;
  }
  const std::vector<std::string_view> known = distinct(known_);
  for (const Node member : node_) {
    if (std::find(known.begin(), known.end(), member.key()) != known.end()) {
      continue;
    }
    const std::string near = nearest_word(member.key(), known);
    std::string help;
    if (!near.empty()) {
      help = fmt::format("did you mean \"{}\"?", near);
    } else if (known.empty()) {
      help = "it takes no keys";
    } else if (known.size() <= kMostListed) {
      help = fmt::format("known keys: {}", joined(known));
    }
    diagnostics_.add({.severity = Severity::error,
                      .code = "unknown-key",
                      .message = fmt::format("unknown key \"{}\" in {}", printable(member.key(), 80), object_),
                      .span = member.key_span(),
                      .object = object_,
                      .field = member.path(),
                      .help = std::move(help),
                      .hides_source_line = is_confidential(member)});
  }
}

}  // namespace podwire::config
