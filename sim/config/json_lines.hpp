// One JSON text a line, and few of its members wanted: simdjson finds the structural characters (which checks UTF-8 and
// that strings are closed), and a cursor walks them once, without recursion and without a tree.
//
// What is skipped is checked for balanced brackets only; what is taken is checked for its type. RFC 8259. Used where a
// line is a record of a log that may be damaged or cut off: a bad line is its reader's to count, nothing is thrown.
// Left out: places within the line; duplicate keys (each is handed out).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace podwire::config {

/// Walks the line that begin() took, forwards only:
///
///   if (json.begin(line) && json.enter_object()) {
///     while (json.next_member(key)) { key == "time" ? json.take_string(time) : json.skip(); }
///   }
///   if (!json.end()) { … json.problem() … }
///
/// Views point into the line or into the cursor and hold until the next begin(). After the first problem every call
/// returns false, so that one look at end() suffices.
class JsonLine {
 public:
  JsonLine();
  ~JsonLine();
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;

  /// Takes a line of at most 2^32 - 1 bytes. False when it is no JSON at first sight; problem() says why.
  bool begin(std::string_view line);
  /// Whether the line was walked to its end and nothing was wrong.
  bool end();
  /// In words that follow "…: "; "" when nothing is wrong.
  const std::string& problem() const { return problem_; }

  bool is_object() const { return current() == '{'; }
  bool is_array() const { return current() == '['; }
  bool is_string() const { return current() == '"'; }

  /// Steps into the object that comes next; then next_member() until it is false, each member's value taken or skipped.
  bool enter_object();
  bool next_member(std::string_view& key);
  /// Steps into the array that comes next; then next_item() until it is false, each item taken or skipped.
  bool enter_array();
  bool next_item();

  // The value that comes next. False, and the value skipped, when it is of another type: that is no problem of the
  // line.
  bool take_string(std::string_view& text);
  /// A whole number, also in quotes, as protobuf's JSON writes 64-bit numbers.
  bool take_integer(std::int64_t& number);
  bool take_bool(bool& value);
  /// A string or a number as it is written.
  bool take_text(std::string_view& text);
  bool skip();

 private:
  char current() const;
  bool fail(const char* problem);
  bool string_token(std::string_view& text);
  std::string_view scalar_token() const;
  bool unescape(std::string_view escaped, std::string_view& text);

  struct Structure;
  std::unique_ptr<Structure> structure_;
  std::string_view line_;
  const std::uint32_t* positions_ = nullptr;
  std::size_t count_ = 0;
  std::size_t at_ = 0;
  bool is_first_ = false;  // nothing of the object or array that was entered last has been seen
  std::string unescaped_;  // reserved for a line, so that views into it stay
  std::string problem_;
};

}  // namespace podwire::config
