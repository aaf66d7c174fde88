#include "sim/config/scalar_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/config/confidential.hpp"

namespace podwire::config {
namespace {

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// go-yaml's yamlStyleFloat: [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_decimal(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - begin;
  };
  at += !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) {
      return false;
    }
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    at += at < text.size() && (text[at] == '-' || text[at] == '+') ? 1 : 0;
    if (digits() == 0) {
      return false;
    }
  }
  return at == text.size();
}

std::string without_underscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

}  // namespace

std::optional<bool> plain_bool(std::string_view text) {
  if (is_one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})) {
    return true;
  }
  if (is_one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"})) {
    return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> plain_integer(std::string_view written) {
  if (written.empty() || (!is_digit(written[0]) && written[0] != '-' && written[0] != '+')) {
    return std::nullopt;
  }
  const std::string text = without_underscores(written);
  std::string_view digits = text;
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) {
    digits.remove_prefix(1);
  }
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || problem != std::errc() || stop != digits.data() + digits.size()) {
    return std::nullopt;
  }
  constexpr std::uint64_t kMost = 0x7fff'ffff'ffff'ffffu;
  if (magnitude > kMost + (is_negative ? 1 : 0)) {
    return std::nullopt;
  }
  return is_negative ? static_cast<std::int64_t>(~magnitude + 1) : static_cast<std::int64_t>(magnitude);
}

std::optional<double> decimal(std::string_view text) {
  if (!is_decimal(text)) {
    return std::nullopt;
  }
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  double value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

PlainType plain_type(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) {
    return PlainType::null;
  }
  if (plain_bool(text).has_value()) {
    return PlainType::boolean;
  }
  if (is_one_of(text, {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
                       "-.INF"})) {
    return PlainType::number;
  }
  if (plain_integer(text).has_value()) {
    return PlainType::integer;
  }
  const char first = text[0];
  if (first == '.' || first == '-' || first == '+' || is_digit(first)) {
    const std::string bare = without_underscores(text);
    if (is_decimal(first == '.' ? text : std::string_view(bare))) {
      return PlainType::number;
    }
  }
  return PlainType::string;
}

bool is_confidential(Node node) {
  for (Node at = node; at.is_present(); at = at.parent()) {
    if (is_confidential_key(at.key())) {
      return true;
    }
    if (at.is_mapping() && at != node && is_confidential_kind(at.find("kind").text())) {
      return true;
    }
  }
  return false;
}

std::string quoted_value(Node node) {
  return is_confidential(node) ? std::string("the value") : fmt::format("\"{}\"", printable(node.text(), 60));
}

std::string describe(Node node) {
  switch (node.kind()) {
    case NodeKind::null:
      return "nothing";
    case NodeKind::sequence:
      return "a sequence";
    case NodeKind::mapping:
      return "a mapping";
    case NodeKind::scalar:
      break;
  }
  const PlainType type = node.is_quoted() ? PlainType::string : plain_type(node.text());
  const bool hides = is_confidential(node);
  const std::string value = hides ? std::string() : printable(node.text(), 60);
  switch (type) {
    case PlainType::boolean:
      return hides ? "a boolean" : fmt::format("the boolean {}", value);
    case PlainType::integer:
    case PlainType::number:
      return hides ? "a number" : fmt::format("the number {}", value);
    default:
      return hides ? "a string" : fmt::format("the string \"{}\"", value);
  }
}

}  // namespace podwire::config
