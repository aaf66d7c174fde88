// Scalars by type. Kubernetes objects follow kubectl's reader: a plain scalar is a string only if YAML 1.1 gives it no
// other type, because the API refuses a number where a string is asked. Quantities with units are our own, and read
// from quoted and plain scalars alike; they are computed in integers, so that `1.1us` is exactly 1,100,000 ps.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"
#include "sim/config/scalar_types.hpp"

namespace podwire::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 8> kDurationUnits = {{{"ps", 1},
                                                 {"ns", 1'000},
                                                 {"us", 1'000'000},
                                                 {"ms", 1'000'000'000},
                                                 {"s", 1'000'000'000'000},
                                                 {"m", 60'000'000'000'000},
                                                 {"h", 3'600'000'000'000'000},
                                                 {"d", 86'400'000'000'000'000}}};
constexpr std::array<Unit, 10> kByteUnits = {{{"", 1},
                                              {"k", 1'000},
                                              {"K", 1'000},
                                              {"M", 1'000'000},
                                              {"G", 1'000'000'000},
                                              {"T", 1'000'000'000'000},
                                              {"Ki", std::int64_t{1} << 10},
                                              {"Mi", std::int64_t{1} << 20},
                                              {"Gi", std::int64_t{1} << 30},
                                              {"Ti", std::int64_t{1} << 40}}};
constexpr std::array<Unit, 6> kBitUnits = {
    {{"", 1}, {"k", 1'000}, {"K", 1'000}, {"M", 1'000'000}, {"G", 1'000'000'000}, {"T", 1'000'000'000'000}}};
constexpr std::string_view kBitSuffixes[] = {"bps", "bit/s"};

template <std::size_t N>
const Unit* unit_named(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) {
      return &unit;
    }
  }
  return nullptr;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes `12` or `1.5` from the front of `text`: mantissa and the number of decimals; false if none or too long.
struct Decimal {
  std::int64_t mantissa = 0;
  int decimals = 0;
};
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal number;
  std::size_t at = 0;
  std::size_t digits = 0;
  bool has_point = false;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !has_point)); ++at) {
    if (text[at] == '.') {
      has_point = true;
      continue;
    }
    if (++digits > 18) {
      return std::nullopt;
    }
    number.mantissa = number.mantissa * 10 + (text[at] - '0');
    number.decimals += has_point ? 1 : 0;
  }
  if (digits == 0 || (has_point && number.decimals == 0)) {
    return std::nullopt;
  }
  text.remove_prefix(at);
  return number;
}

/// number × factor if that is a whole number of at most 63 bits.
std::optional<std::int64_t> scaled(Decimal number, std::int64_t factor) {
  __int128 value = static_cast<__int128>(number.mantissa) * factor;
  for (int i = 0; i < number.decimals; ++i) {
    if (value % 10 != 0) {
      return std::nullopt;
    }
    value /= 10;
  }
  if (value > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

/// Reports that `node` is not `wanted`, and why.
void wrong(Node node, std::string_view object, std::string code, std::string_view wanted, std::string help,
           Diagnostics& diagnostics) {
  const std::string path = node.path();
  const std::string what = node.key().empty() ? (path.empty() ? "the value" : printable(path, 120))
                                              : fmt::format("\"{}\"", printable(node.key(), 80));
  const std::string owner = object.empty() ? "" : fmt::format(" in {}", printable(object, 120));
  diagnostics.add({.severity = Severity::error,
                   .code = std::move(code),
                   .message = fmt::format("{}{} must be {}, found {}", what, owner, wanted, describe(node)),
                   .span = node.span(),
                   .object = std::string(object),
                   .field = path,
                   .help = std::move(help),
                   .hides_source_line = is_confidential(node)});
}

/// The text of a scalar that our own syntax describes, quoted or not; reports other kinds.
std::optional<std::string_view> own_text(Node node, std::string_view object, std::string_view wanted,
                                         Diagnostics& diagnostics) {
  if (!node.is_scalar()) {
    wrong(node, object, "wrong-type", wanted, "", diagnostics);
    return std::nullopt;
  }
  return node.text();
}

/// y and n, which YAML 1.1 and kubectl's reader take for booleans and most other tools for letters.
bool is_bare_letter(std::string_view text) {
  return text == "y" || text == "Y" || text == "n" || text == "N";
}

/// Says so once for an input: who names a namespace y does it on every object.
void warn_of_bare_letter(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto& all = diagnostics.all();
  if (std::none_of(all.begin(), all.end(), [](const Diagnostic& d) { return d.code == "bare-letter"; })) {
    diagnostics.warning("bare-letter",
                        fmt::format("a bare {} in {} is a boolean to kubectl, which may refuse it; read as a string "
                                    "here and wherever a string is wanted",
                                    node.text(), object),
                        node.span(), "quote it");
  }
}

std::string quote_help(Node node) {
  return is_confidential(node) ? "put it in quotes" : fmt::format("quote it: \"{}\"", printable(node.text(), 60));
}

}  // namespace

std::optional<std::string> as_string(Node node, std::string_view object, Diagnostics& diagnostics) {
  if (!node.is_scalar()) {
    wrong(node, object, "wrong-type", "a string", "", diagnostics);
    return std::nullopt;
  }
  if (!node.is_quoted() && is_bare_letter(node.text())) {
    warn_of_bare_letter(node, object, diagnostics);
  } else if (!node.is_quoted() && plain_type(node.text()) != PlainType::string) {
    wrong(node, object, "wrong-type", "a string", quote_help(node), diagnostics);
    return std::nullopt;
  }
  return std::string(node.text());
}

std::optional<bool> as_bool(Node node, std::string_view object, Diagnostics& diagnostics) {
  const std::optional<bool> value = node.is_scalar() && !node.is_quoted() ? plain_bool(node.text()) : std::nullopt;
  if (!value.has_value()) {
    const bool unquoted = node.is_scalar() && node.is_quoted() && plain_bool(node.text()).has_value();
    wrong(node, object, "wrong-type", "true or false", unquoted ? "remove the quotes" : "", diagnostics);
  }
  return value;
}

std::optional<std::int64_t> as_integer(Node node, std::int64_t least, std::int64_t most, std::string_view object,
                                       Diagnostics& diagnostics) {
  if (!node.is_scalar() || node.is_quoted()) {
    const bool unquote = node.is_scalar() && plain_integer(node.text()).has_value();
    wrong(node, object, "wrong-type", "a whole number", unquote ? "remove the quotes" : "", diagnostics);
    return std::nullopt;
  }
  const std::optional<std::int64_t> value = plain_integer(node.text());
  if (!value.has_value()) {
    const bool is_number = plain_type(node.text()) == PlainType::number;
    wrong(node, object, is_number ? "bad-number" : "wrong-type", "a whole number", "", diagnostics);
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    wrong(node, object, "out-of-range", fmt::format("between {} and {}", least, most), "", diagnostics);
    return std::nullopt;
  }
  return value;
}

std::optional<double> as_number(Node node, double least, double most, std::string_view object,
                                Diagnostics& diagnostics) {
  if (!node.is_scalar() || node.is_quoted()) {
    const bool unquote = node.is_scalar() && decimal(node.text()).has_value();
    wrong(node, object, "wrong-type", "a number", unquote ? "remove the quotes" : "", diagnostics);
    return std::nullopt;
  }
  const std::optional<double> value = decimal(node.text());
  if (!value.has_value()) {
    const bool is_number = plain_type(node.text()) == PlainType::number;
    wrong(node, object, is_number ? "bad-number" : "wrong-type", "a finite decimal number", "", diagnostics);
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    wrong(node, object, "out-of-range", fmt::format("between {} and {}", least, most), "", diagnostics);
    return std::nullopt;
  }
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") {
    return Duration::zero();
  }
  std::int64_t sum = 0;
  constexpr std::int64_t kMost = Duration::max().ps();
  std::int64_t last_factor = kMost;
  while (!text.empty()) {
    const std::optional<Decimal> number = take_decimal(text);
    std::size_t length = 0;
    while (length < text.size() && !is_digit(text[length]) && text[length] != '.') {
      ++length;
    }
    const Unit* const unit = unit_named(kDurationUnits, text.substr(0, length));
    if (!number.has_value() || unit == nullptr || unit->factor >= last_factor) {
      return std::nullopt;  // parts go from large to small, each unit once
    }
    const std::optional<std::int64_t> part = scaled(*number, unit->factor);
    if (!part.has_value() || *part > kMost - sum) {
      return std::nullopt;
    }
    sum += *part;
    last_factor = unit->factor;
    text.remove_prefix(length);
  }
  return last_factor == kMost ? std::nullopt : std::optional(Duration::from_ps(sum));
}

std::optional<Bytes> parse_bytes(std::string_view text) {
  const std::optional<Decimal> number = take_decimal(text);
  if (text.ends_with('B')) {
    text.remove_suffix(1);
  }
  const Unit* const unit = unit_named(kByteUnits, text);
  if (!number.has_value() || unit == nullptr) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> count = scaled(*number, unit->factor);
  return count.has_value() ? std::optional(Bytes(*count)) : std::nullopt;
}

std::optional<BitRate> parse_bit_rate(std::string_view text) {
  const std::optional<Decimal> number = take_decimal(text);
  for (const std::string_view suffix : kBitSuffixes) {
    if (number.has_value() && text.ends_with(suffix)) {
      const Unit* const unit = unit_named(kBitUnits, text.substr(0, text.size() - suffix.size()));
      const std::optional<std::int64_t> bps = unit == nullptr ? std::nullopt : scaled(*number, unit->factor);
      return bps.has_value() && *bps > 0 ? std::optional(BitRate::from_bps(*bps)) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Duration> as_duration(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a duration such as 5s or 1.5ms", diagnostics);
  const std::optional<Duration> value = text.has_value() ? parse_duration(*text) : std::nullopt;
  if (text.has_value() && !value.has_value()) {
    const bool is_bare = decimal(*text).has_value();
    wrong(node, object, "bad-unit", "a duration such as 5s or 1.5ms",
          is_bare && !is_confidential(node)
              ? fmt::format("add a unit: {}s, {}ms", printable(*text, 30), printable(*text, 30))
              : "not negative, below 106 days; units: ps ns us ms s m h d",
          diagnostics);
  }
  return value;
}

std::optional<Bytes> as_bytes(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a size such as 300B or 4KiB", diagnostics);
  const std::optional<Bytes> value = text.has_value() ? parse_bytes(*text) : std::nullopt;
  if (text.has_value() && !value.has_value()) {
    wrong(node, object, "bad-unit", "a whole number of bytes such as 300B or 4KiB",
          "units: B, decimal k M G T and binary Ki Mi Gi Ti, each with or without B", diagnostics);
  }
  return value;
}

std::optional<BitRate> as_bit_rate(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a bit rate such as 10Gbps", diagnostics);
  const std::optional<BitRate> value = text.has_value() ? parse_bit_rate(*text) : std::nullopt;
  if (text.has_value() && !value.has_value()) {
    wrong(node, object, "bad-unit", "a bit rate such as 10Gbps or 25Gbit/s",
          "above zero; units: bps kbps Mbps Gbps Tbps, or bit/s with the same prefixes", diagnostics);
  }
  return value;
}

std::optional<double> as_rate(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a rate such as 200/s", diagnostics);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const std::size_t slash = text->find('/');
  const std::optional<double> count = decimal(text->substr(0, slash));
  const Unit* const unit =
      slash == std::string_view::npos ? nullptr : unit_named(kDurationUnits, text->substr(slash + 1));
  if (!count.has_value() || unit == nullptr || *count <= 0) {
    wrong(node, object, "bad-unit", "a rate such as 200/s",
          slash == std::string_view::npos && count.has_value() && !is_confidential(node)
              ? fmt::format("add a unit: {}/s", printable(*text, 30))
              : "a number above zero, '/', and a unit of time: ps ns us ms s m h d",
          diagnostics);
    return std::nullopt;
  }
  return *count / (static_cast<double>(unit->factor) / 1e12);
}

std::optional<double> as_fraction(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a share such as 99.9% or 0.999", diagnostics);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const bool is_percent = text->ends_with('%');
  // "99.9%" is read as 99.9e-2, so that it is the double nearest to 0.999.
  const std::string plain(text->substr(0, text->size() - (is_percent ? 1 : 0)));
  std::optional<double> value = decimal(plain);
  if (is_percent && value.has_value()) {
    value = decimal(plain + "e-2");
  }
  if (!value.has_value() || *value < 0 || *value > 1) {
    wrong(node, object, value.has_value() ? "out-of-range" : "bad-number", "a share from 0 to 1, or from 0% to 100%",
          "", diagnostics);
    return std::nullopt;
  }
  return value;
}

std::optional<IpAddress> as_ip(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "an IP address", diagnostics);
  const std::optional<IpAddress> value = text.has_value() ? IpAddress::parse(*text) : std::nullopt;
  if (text.has_value() && !value.has_value()) {
    wrong(node, object, "bad-value", "an IP address such as 10.0.0.1 or fd00::1", "", diagnostics);
  }
  return value;
}

std::optional<Cidr> as_cidr(Node node, std::string_view object, Diagnostics& diagnostics) {
  const auto text = own_text(node, object, "a CIDR", diagnostics);
  const std::optional<Cidr> value = text.has_value() ? Cidr::parse(*text) : std::nullopt;
  if (text.has_value() && !value.has_value()) {
    const std::optional<IpAddress> bare = IpAddress::parse(*text);
    wrong(node, object, "bad-value", "a CIDR such as 10.0.0.0/8",
          bare.has_value() ? fmt::format("for this one address: {}/{}", *text, bare->is_v4() ? 32 : 128) : "",
          diagnostics);
  }
  return value;
}

}  // namespace podwire::config
