#include "sim/config/json_lines.hpp"

#include <simdjson.h>

#include <charconv>

#include "sim/base/check.hpp"

namespace podwire::config {

struct JsonLine::Structure {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
  std::size_t capacity = 0;
};

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Four hexadecimal digits at `at`, or nothing.
std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  if (at + 4 > text.size()) {
    return std::nullopt;
  }
  const auto [stop, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  return error == std::errc() && stop == text.data() + at + 4 ? std::optional(value) : std::nullopt;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x1'0000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

}  // namespace

JsonLine::JsonLine() : structure_(std::make_unique<Structure>()) {}
JsonLine::~JsonLine() = default;

bool JsonLine::fail(const char* problem) {
  if (problem_.empty()) {
    problem_ = problem;
  }
  at_ = count_;
  return false;
}

bool JsonLine::begin(std::string_view line) {
  line_ = line;
  problem_.clear();
  unescaped_.clear();
  count_ = 0;
  at_ = 0;
  if (line.size() >= 0xffff'ffffu) {
    return fail("it is too long");
  }
  if (line.size() > structure_->capacity || structure_->parser == nullptr) {
    structure_->capacity = std::max<std::size_t>(line.size() + line.size() / 2, 4096);
    const simdjson::error_code error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        structure_->capacity, 1, structure_->parser);
    PODWIRE_CHECK(error == simdjson::SUCCESS, "config", "simdjson gets its memory");
  }
  const simdjson::error_code error = structure_->parser->stage1(reinterpret_cast<const std::uint8_t*>(line.data()),
                                                                line.size(), simdjson::stage1_mode::regular);
  switch (error) {
    case simdjson::SUCCESS:
      break;
    case simdjson::EMPTY:
      return fail("it is empty");
    case simdjson::UNCLOSED_STRING:
      return fail("a string is not closed (cut off?)");
    case simdjson::UTF8_ERROR:
      return fail("it is not UTF-8");
    case simdjson::UNESCAPED_CHARS:
      return fail("a string holds a control character");
    default:
      return fail("it is not JSON");
  }
  positions_ = structure_->parser->structural_indexes.get();
  count_ = structure_->parser->n_structural_indexes;
  return true;
}

bool JsonLine::end() {
  if (problem_.empty() && at_ < count_) {
    fail("something follows the end of its JSON text");
  }
  return problem_.empty();
}

char JsonLine::current() const {
  return at_ < count_ ? line_[positions_[at_]] : '\0';
}

bool JsonLine::enter_object() {
  if (current() != '{') {
    return fail(at_ < count_ ? "an object was expected" : "it ends too early (cut off?)");
  }
  ++at_;
  is_first_ = true;
  return true;
}

bool JsonLine::enter_array() {
  if (current() != '[') {
    return fail(at_ < count_ ? "an array was expected" : "it ends too early (cut off?)");
  }
  ++at_;
  is_first_ = true;
  return true;
}

bool JsonLine::next_member(std::string_view& key) {
  const bool was_first = is_first_;
  is_first_ = false;
  if (current() == '}') {
    ++at_;
    return false;
  }
  if (!was_first) {
    if (current() != ',') {
      return fail(at_ < count_ ? "a comma or } is missing" : "it ends inside an object (cut off?)");
    }
    ++at_;
  }
  if (current() != '"') {
    return fail(at_ < count_ ? "a key is no string" : "it ends inside an object (cut off?)");
  }
  if (!string_token(key)) {
    return false;
  }
  if (current() != ':') {
    return fail("a key has no value");
  }
  ++at_;
  return true;
}

bool JsonLine::next_item() {
  const bool was_first = is_first_;
  is_first_ = false;
  if (current() == ']') {
    ++at_;
    return false;
  }
  if (!was_first) {
    if (current() != ',') {
      return fail(at_ < count_ ? "a comma or ] is missing" : "it ends inside an array (cut off?)");
    }
    ++at_;
  }
  return at_ < count_ || fail("it ends inside an array (cut off?)");
}

/// What stands from here up to the next structural character, without white space at its end.
std::string_view JsonLine::scalar_token() const {
  const std::size_t begin = positions_[at_];
  std::size_t end = at_ + 1 < count_ ? positions_[at_ + 1] : line_.size();
  while (end > begin && is_space(line_[end - 1])) {
    --end;
  }
  return line_.substr(begin, end - begin);
}

bool JsonLine::string_token(std::string_view& text) {
  const std::string_view token = scalar_token();
  ++at_;
  if (token.size() < 2 || token.back() != '"') {
    return fail("something stands behind a string");
  }
  text = token.substr(1, token.size() - 2);
  return text.find('\\') == std::string_view::npos || unescape(text, text);
}

bool JsonLine::unescape(std::string_view escaped, std::string_view& text) {
  unescaped_.reserve(line_.size());  // never longer than it was, so earlier views stay
  const std::size_t begin = unescaped_.size();
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      unescaped_ += escaped[i];
      continue;
    }
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const char letter = ++i < escaped.size() ? escaped[i] : '\0';
    if (const std::size_t known = kLetters.find(letter); letter != '\0' && known != std::string_view::npos) {
      unescaped_ += kMeanings[known];
      continue;
    }
    std::optional<std::uint32_t> code = letter == 'u' ? hex4(escaped, i + 1) : std::nullopt;
    if (!code) {
      return fail("an escape in a string is none that JSON knows");
    }
    i += 4;
    if (*code >= 0xd800 && *code < 0xdc00 && escaped.substr(i + 1, 2) == "\\u") {
      const auto low = hex4(escaped, i + 3);
      if (low && *low >= 0xdc00 && *low < 0xe000) {
        code = 0x1'0000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
        i += 6;
      }
    }
    append_utf8(unescaped_, *code >= 0xd800 && *code < 0xe000 ? 0xfffd : *code);
  }
  text = std::string_view(unescaped_).substr(begin);
  return true;
}

bool JsonLine::take_string(std::string_view& text) {
  if (current() != '"') {
    skip();
    return false;
  }
  return string_token(text);
}

bool JsonLine::take_text(std::string_view& text) {
  const char c = current();
  if (c == '"') {
    return string_token(text);
  }
  const bool is_number = c == '-' || (c >= '0' && c <= '9');
  if (is_number) {
    text = scalar_token();
  }
  return skip() && is_number;
}

bool JsonLine::take_integer(std::int64_t& number) {
  std::string_view text;
  if (!take_text(text)) {
    return false;
  }
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

bool JsonLine::take_bool(bool& value) {
  const char c = current();
  const std::string_view token = c == 't' || c == 'f' ? scalar_token() : std::string_view();
  const bool is_bool = token == "true" || token == "false";
  if (is_bool) {
    value = token == "true";
  }
  return skip() && is_bool;
}

bool JsonLine::skip() {
  std::size_t depth = 0;
  do {
    const char c = current();
    if (c == '\0' && at_ >= count_) {
      return fail("it ends too early (cut off?)");
    }
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) {
        return fail("a value is missing");
      }
      --depth;
    } else if (depth == 0 && (c == ',' || c == ':')) {
      return fail("a value is missing");
    }
    ++at_;
  } while (depth > 0);
  is_first_ = false;
  return true;
}

}  // namespace podwire::config
