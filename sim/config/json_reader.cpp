// JSON into a Tree: simdjson finds the structural characters (its first stage, which also checks UTF-8 and strings),
// and one loop without recursion builds the nodes from their offsets. So every error has an exact place, several values
// may follow one another (JSON lines), and nesting costs no stack. RFC 8259 grammar; numbers keep their text.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "sim/base/check.hpp"
#include "sim/base/text.hpp"
#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// RFC 8259 section 6: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_json_number(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - begin;
  };
  at += !text.empty() && text[0] == '-' ? 1 : 0;
  const std::size_t integer_begin = at;
  const std::size_t integer_digits = digits();
  if (integer_digits == 0 || (integer_digits > 1 && text[integer_begin] == '0')) {
    return false;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) {
      return false;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    at += at < text.size() && (text[at] == '+' || text[at] == '-') ? 1 : 0;
    if (digits() == 0) {
      return false;
    }
  }
  return at == text.size();
}

class JsonReader {
 public:
  JsonReader(Tree& tree, std::size_t start, const Limits& limits, Diagnostics& diagnostics)
      : builder_(tree, limits, diagnostics),
        limits_(limits),
        diagnostics_(diagnostics),
        text_(tree.source_text().substr(start)),
        start_(static_cast<std::uint32_t>(start)) {}

  JsonOutcome read(bool is_padded);

 private:
  enum class Expect : std::uint8_t { root, value, value_or_end, key, key_or_end, colon, comma_or_end };

  bool find_structure(bool is_padded);
  std::size_t count_values() const;
  void report_stage1(simdjson::error_code error);
  bool take(std::uint32_t at, std::uint32_t next);
  bool take_root(std::uint32_t at, std::uint32_t next);
  bool take_value(std::uint32_t at, std::uint32_t next);
  bool take_key(std::uint32_t at, std::uint32_t next);
  bool take_close(std::uint32_t at, NodeKind kind);
  bool take_comma(std::uint32_t at);
  bool take_literal(std::uint32_t at, std::string_view token);
  bool string_at(std::uint32_t at, std::uint32_t next, TextRef& text, std::uint32_t& end);
  bool unescape(std::uint32_t begin, std::uint32_t end, TextRef& text);
  bool unescape_unicode(std::uint32_t end, std::uint32_t& at);
  bool fail(std::uint32_t at, std::string message, std::string help = {}, bool perhaps_yaml = false);
  std::string_view token(std::uint32_t at, std::uint32_t next) const;
  void after_value() { expect_ = builder_.current() == kNoNode ? Expect::root : Expect::comma_or_end; }
  bool in_mapping() const { return builder_.at(builder_.current()).kind == NodeKind::mapping; }

  TreeBuilder builder_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  std::string_view text_;  // without a byte order mark; positions below count from its start
  std::uint32_t start_;    // where text_ begins in the source
  std::string copy_;       // the text with padding, if the source's has none
  std::unique_ptr<simdjson::internal::dom_parser_implementation> structure_;
  Expect expect_ = Expect::root;
  bool after_comma_ = false;
  bool perhaps_yaml_ = false;
  std::uint32_t documents_ = 0;
};

bool JsonReader::fail(std::uint32_t at, std::string message, std::string help, bool perhaps_yaml) {
  perhaps_yaml_ = perhaps_yaml;
  const std::uint32_t end = at < text_.size() ? at + 1 : at;
  diagnostics_.error("json-syntax", fmt::format("malformed JSON: {}", message),
                     builder_.span(start_ + at, start_ + end), std::move(help));
  return false;
}

/// What stands from `at` up to the next structural character, without trailing white space.
std::string_view JsonReader::token(std::uint32_t at, std::uint32_t next) const {
  while (next > at + 1 && is_space(text_[next - 1])) {
    --next;
  }
  return text_.substr(at, next - at);
}

bool JsonReader::find_structure(bool is_padded) {
  const char* bytes = text_.data();
  if (!is_padded) {
    copy_.reserve(text_.size() + kJsonPadding);
    copy_.assign(text_);
    bytes = copy_.data();
  }
  simdjson::error_code error =
      simdjson::get_active_implementation()->create_dom_parser_implementation(text_.size(), 1, structure_);
  if (error == simdjson::SUCCESS) {
    error =
        structure_->stage1(reinterpret_cast<const std::uint8_t*>(bytes), text_.size(), simdjson::stage1_mode::regular);
  }
  copy_ = {};
  if (error != simdjson::SUCCESS && error != simdjson::EMPTY) {
    report_stage1(error);
    return false;
  }
  return true;
}

// Stage 1 says what is wrong but not where: find the string by a slow scan.
void JsonReader::report_stage1(simdjson::error_code error) {
  std::uint32_t quote = 0;
  bool in_string = false;
  for (std::uint32_t at = 0; at < text_.size(); ++at) {
    const char c = text_[at];
    if (!in_string) {
      in_string = c == '"';
      quote = at;
    } else if (c == '\\') {
      ++at;
    } else if (c == '"') {
      in_string = false;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      const bool line_break = c == '\n' || c == '\r';
      fail(line_break ? quote : at,
           line_break ? "this string is not closed on its line" : "a control character in a string",
           line_break ? "add the closing \"; a line break within a string is written \\n" : "write it as \\u00XX");
      return;
    }
  }
  fail(in_string ? quote : 0, in_string ? "this string is never closed" : simdjson::error_message(error),
       in_string ? "add the closing \"" : "", !in_string);
}

/// What begins a value: every structural position but punctuation, and keys, of which each has its colon.
std::size_t JsonReader::count_values() const {
  std::size_t values = 0;
  std::size_t colons = 0;
  for (std::uint32_t i = 0; i < structure_->n_structural_indexes; ++i) {
    const char c = text_[structure_->structural_indexes[i]];
    colons += c == ':' ? 1 : 0;
    values += c == ':' || c == ',' || c == '}' || c == ']' ? 0 : 1;
  }
  return values > colons ? values - colons : 0;
}

JsonOutcome JsonReader::read(bool is_padded) {
  if (!find_structure(is_padded)) {
    return perhaps_yaml_ ? JsonOutcome::perhaps_yaml : JsonOutcome::done;
  }
  const std::uint32_t count = structure_->n_structural_indexes;
  const std::uint32_t* const positions = structure_->structural_indexes.get();
  // One more node than there is room for would copy them all, and a dump has millions. Text that is all brackets gets
  // no more room than text that says something needs (a member of a dump takes about 20 bytes).
  builder_.reserve(std::min(count_values(), text_.size() / 8) + 16);
  const auto size = static_cast<std::uint32_t>(text_.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!take(positions[i], i + 1 < count ? positions[i + 1] : size)) {
      return perhaps_yaml_ ? JsonOutcome::perhaps_yaml : JsonOutcome::done;
    }
  }
  if (expect_ != Expect::root) {
    const RawNode& open = builder_.at(builder_.current());
    fail(size, fmt::format("the text ends inside {}", open.kind == NodeKind::mapping ? "an object" : "an array"),
         "is the file cut off?");
    diagnostics_.add({.severity = Severity::note,
                      .code = "json-syntax",
                      .message = "it was opened here",
                      .span = builder_.span(open.begin, open.begin + 1)});
  }
  return JsonOutcome::done;
}

bool JsonReader::take(std::uint32_t at, std::uint32_t next) {
  const char c = text_[at];
  switch (expect_) {
    case Expect::root:
      return take_root(at, next);
    case Expect::value_or_end:
      return c == ']' ? take_close(at, NodeKind::sequence) : take_value(at, next);
    case Expect::value:
      return take_value(at, next);
    case Expect::key_or_end:
      return c == '}' ? take_close(at, NodeKind::mapping) : take_key(at, next);
    case Expect::key:
      return take_key(at, next);
    case Expect::colon:
      if (c != ':') {
        return fail(at, "expected ':' after the key", "", c == ',' || c == '}');
      }
      expect_ = Expect::value;
      return true;
    case Expect::comma_or_end:
      if (c == ',') {
        return take_comma(at);
      }
      if (c == '}' || c == ']') {
        return take_close(at, c == '}' ? NodeKind::mapping : NodeKind::sequence);
      }
      return fail(at, in_mapping() ? "expected ',' or '}' after a member" : "expected ',' or ']' after an item", "",
                  c == '#');
  }
  return false;
}

bool JsonReader::take_root(std::uint32_t at, std::uint32_t next) {
  if (text_[at] != '{' && text_[at] != '[') {
    return fail(at, "text after the end of the value", "", text_[at] == '-' || text_[at] == '.' || text_[at] == '#');
  }
  if (++documents_ > limits_.max_documents) {
    diagnostics_.error("too-large", fmt::format("more than {} documents in one file", limits_.max_documents),
                       builder_.span(start_ + at, start_ + at));
    return false;
  }
  return take_value(at, next);
}

bool JsonReader::take_comma(std::uint32_t) {
  after_comma_ = true;
  expect_ = in_mapping() ? Expect::key : Expect::value;
  return true;
}

bool JsonReader::take_close(std::uint32_t at, NodeKind kind) {
  const std::uint32_t current = builder_.current();
  if (builder_.at(current).kind != kind) {
    return fail(at, kind == NodeKind::mapping ? "'}' closes an array" : "']' closes an object");
  }
  builder_.close(start_ + at + 1);
  if (builder_.current() == kNoNode) {
    builder_.finish_root(current);
  }
  after_value();
  return true;
}

bool JsonReader::take_key(std::uint32_t at, std::uint32_t next) {
  const char c = text_[at];
  if (c != '"') {
    const bool trailing = c == '}' && after_comma_;
    return fail(at, trailing ? "a comma before '}'" : "expected a key in double quotes",
                trailing ? "remove the comma" : "", trailing || (c != ',' && c != ':' && c != '/'));
  }
  TextRef text;
  std::uint32_t end = 0;
  if (!string_at(at, next, text, end)) {
    return false;
  }
  builder_.key(text, start_ + at, start_ + end, false);
  after_comma_ = false;
  expect_ = Expect::colon;
  return true;
}

bool JsonReader::take_value(std::uint32_t at, std::uint32_t next) {
  const char c = text_[at];
  if (c == '"') {
    TextRef text;
    std::uint32_t end = 0;
    if (!string_at(at, next, text, end)) {
      return false;
    }
    builder_.scalar(NodeKind::scalar, text, start_ + at, start_ + end, true);
    after_comma_ = false;
    after_value();
    return true;
  }
  if (c == '{' || c == '[') {
    if (builder_.open(c == '{' ? NodeKind::mapping : NodeKind::sequence, start_ + at) == kNoNode) {
      return false;
    }
    after_comma_ = false;
    expect_ = c == '{' ? Expect::key_or_end : Expect::value_or_end;
    return true;
  }
  if (c == '}' || c == ']' || c == ',' || c == ':') {
    const bool trailing = c == ']' && after_comma_;
    return fail(at, trailing ? "a comma before ']'" : fmt::format("expected a value, found '{}'", c),
                trailing ? "remove the comma" : "", trailing || c == '}');
  }
  return take_literal(at, token(at, next));
}

bool JsonReader::take_literal(std::uint32_t at, std::string_view text) {
  const bool is_null = text == "null";
  if (!is_null && text != "true" && text != "false" && !is_json_number(text)) {
    const bool perhaps_yaml = text[0] != '/';
    return fail(at, "expected a value: a string in double quotes, a number, true, false, null, an object or an array",
                "", perhaps_yaml);
  }
  const auto length = static_cast<std::uint32_t>(text.size());
  builder_.scalar(is_null ? NodeKind::null : NodeKind::scalar, {start_ + at, length, false}, start_ + at,
                  start_ + at + length, false);
  after_comma_ = false;
  after_value();
  return true;
}

/// The string that opens at `at`; its closing quote is the last character before the next structural one.
bool JsonReader::string_at(std::uint32_t at, std::uint32_t next, TextRef& text, std::uint32_t& end) {
  const std::string_view whole = token(at, next);
  end = at + static_cast<std::uint32_t>(whole.size());
  if (whole.size() < 2 || whole.back() != '"') {
    return fail(at, "this string is never closed", "add the closing \"");
  }
  const std::string_view inner = whole.substr(1, whole.size() - 2);
  if (inner.empty() || std::memchr(inner.data(), '\\', inner.size()) == nullptr) {
    text = {start_ + at + 1, static_cast<std::uint32_t>(inner.size()), false};
    return true;
  }
  return unescape(at + 1, end - 1, text);
}

bool JsonReader::unescape(std::uint32_t begin, std::uint32_t end, TextRef& text) {
  std::string& arena = builder_.arena();
  const std::size_t arena_begin = arena.size();
  for (std::uint32_t at = begin; at < end;) {
    const std::uint32_t slash = static_cast<std::uint32_t>(std::min<std::size_t>(text_.find('\\', at), end));
    arena += text_.substr(at, slash - at);
    if (slash == end) {
      break;
    }
    const char c = text_[slash + 1];  // stage 1 ends no string in a lone backslash
    constexpr std::string_view kWritten = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    at = slash + 2;
    if (const std::size_t which = kWritten.find(c); which != std::string_view::npos) {
      arena += kMeant[which];
    } else if (c != 'u') {
      return fail(slash, fmt::format("'\\{}' is not an escape", printable({&c, 1})),
                  "a backslash itself is written \\\\");
    } else if (!unescape_unicode(end, at)) {
      return fail(slash, "\\u needs four hexadecimal digits, and surrogates come in pairs");
    }
  }
  PODWIRE_CHECK(arena.size() < 0xffff'ffffu, "config", "the arena fits 32-bit offsets");
  text = {static_cast<std::uint32_t>(arena_begin), static_cast<std::uint32_t>(arena.size() - arena_begin), true};
  return true;
}

/// Four hexadecimal digits at `at` (and a low surrogate's escape after a high one), appended as UTF-8.
bool JsonReader::unescape_unicode(std::uint32_t end, std::uint32_t& at) {
  const auto hex4 = [&](std::uint32_t& value) {
    value = 0;
    for (int i = 0; i < 4; ++i, ++at) {
      const char c = at < end ? text_[at] : ' ';
      const std::uint32_t digit = is_digit(c)              ? static_cast<std::uint32_t>(c - '0')
                                  : (c >= 'a' && c <= 'f') ? static_cast<std::uint32_t>(c - 'a' + 10)
                                  : (c >= 'A' && c <= 'F') ? static_cast<std::uint32_t>(c - 'A' + 10)
                                                           : 16u;
      if (digit == 16) {
        return false;
      }
      value = value << 4 | digit;
    }
    return true;
  };
  std::uint32_t point = 0;
  if (!hex4(point) || (point >= 0xdc00 && point <= 0xdfff)) {
    return false;
  }
  if (point >= 0xd800 && point <= 0xdbff) {
    std::uint32_t low = 0;
    if (at + 1 >= end || text_[at] != '\\' || text_[at + 1] != 'u') {
      return false;
    }
    at += 2;
    if (!hex4(low) || low < 0xdc00 || low > 0xdfff) {
      return false;
    }
    point = 0x10000 + ((point - 0xd800) << 10 | (low - 0xdc00));
  }
  std::string& arena = builder_.arena();
  const auto put = [&](std::uint32_t byte) { arena += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
  return true;
}

}  // namespace

JsonOutcome read_json(Tree& tree, std::size_t start, bool is_padded, const Limits& limits, Diagnostics& diagnostics) {
  return JsonReader(tree, start, limits, diagnostics).read(is_padded);
}

bool is_valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace podwire::config
