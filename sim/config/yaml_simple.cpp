// The fast way through YAML as machines and most people write it: block mappings and sequences, one-line scalars and
// flow collections. One pass over the lines, several times as fast as a whole YAML parser.
//
// It reads one document at a time and gives up on the first thing it does not know (block scalars, escapes, anchors,
// tags, texts over several lines, tabs, every error): then nothing has happened, and libfyaml reads that document. What
// it does accept it reads exactly as libfyaml would, spans included; the tests compare the two on random and broken
// documents. It reports nothing: errors are libfyaml's to word.
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

constexpr std::size_t kLongestKey = 128;  // YAML allows 1,024; longer ones are libfyaml's to judge
constexpr int kDeepestFlow = 16;

enum CharClass : std::uint8_t { other = 0, word = 1, plain = 2 };

// word: may stand anywhere in a plain key or a flow scalar. plain: may stand inside a block scalar's line besides.
// Bytes that mean something in some position of YAML are neither or are checked where they stand (':', '#', '-').
constexpr std::uint8_t class_of(unsigned char c) {
  const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (alphanumeric || c == '_' || c == '.' || c == '/' || c == '-' || c == '+') {
    return word;
  }
  return c >= 0x20 && c < 0x7f ? plain : other;
}

constexpr auto kClasses = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = class_of(static_cast<unsigned char>(c));
  }
  return table;
}();

bool is_word(char c) {
  return kClasses[static_cast<unsigned char>(c)] == word;
}
bool is_alphanumeric(char c) {
  return is_word(c) && c != '_' && c != '.' && c != '/' && c != '-' && c != '+';
}

class SimpleReader {
 public:
  SimpleReader(TreeBuilder& builder, std::string_view text) : builder_(builder), text_(text) {}

  /// Reads [begin, end); false: not simple.
  bool read(std::size_t begin, std::size_t end);

 private:
  struct Open {
    NodeKind kind;
    std::uint32_t indentation;
  };

  bool read_line(std::uint32_t begin, std::uint32_t end);
  bool enter(std::uint32_t indentation, bool is_item);
  bool entry(std::uint32_t at, std::uint32_t end);
  bool value(std::uint32_t at, std::uint32_t end, bool may_be_empty);
  bool quoted(std::uint32_t& at, std::uint32_t end);
  bool plain_value(std::uint32_t at, std::uint32_t end);
  bool flow(std::uint32_t& at, std::uint32_t end, int depth);
  bool flow_member_key(std::uint32_t& at, std::uint32_t end);
  bool flow_scalar(std::uint32_t& at, std::uint32_t end);
  std::uint32_t end_of_key(std::uint32_t at, std::uint32_t end) const;
  void key(std::uint32_t at, std::uint32_t end);
  bool only_comment(std::uint32_t at, std::uint32_t end) const;
  /// No lone carriage return, which would end the line.
  bool is_comment(std::uint32_t at, std::uint32_t end) const {
    return std::memchr(text_.data() + at, '\r', end - at) == nullptr;
  }
  bool open(NodeKind kind, std::uint32_t at, std::uint32_t indentation);
  void close();
  void null_value();

  std::uint32_t skip_spaces(std::uint32_t at, std::uint32_t end) const {
    while (at < end && text_[at] == ' ') {
      ++at;
    }
    return at;
  }
  bool is_item(std::uint32_t at, std::uint32_t end) const {
    return at < end && text_[at] == '-' && (at + 1 == end || text_[at + 1] == ' ');
  }

  TreeBuilder& builder_;
  std::string_view text_;
  std::vector<Open> open_;
  std::uint32_t last_end_ = 0;  // as in the libfyaml reader: end of the last token
  bool is_pending_ = false;     // a key whose value may follow on the next line
  bool has_root_ = false;
};

bool SimpleReader::open(NodeKind kind, std::uint32_t at, std::uint32_t indentation) {
  open_.push_back({kind, indentation});
  return builder_.open(kind, at) != kNoNode;
}

void SimpleReader::close() {
  const std::uint32_t closed = builder_.close(last_end_);
  open_.pop_back();
  if (open_.empty()) {
    builder_.finish_root(closed);
  }
}

// Nothing after the colon: a null that stands right behind it.
void SimpleReader::null_value() {
  last_end_ += text_[last_end_] == ':' ? 1 : 0;
  builder_.scalar(NodeKind::null, {last_end_, 0, false}, last_end_, last_end_, false);
  is_pending_ = false;
}

bool SimpleReader::read(std::size_t begin, std::size_t end) {
  auto at = static_cast<std::uint32_t>(begin);
  const auto stop = static_cast<std::uint32_t>(end);
  bool is_first = true;
  last_end_ = at;
  while (at < stop) {
    const void* const found = std::memchr(text_.data() + at, '\n', stop - at);
    const std::uint32_t line_break =
        found == nullptr ? stop : static_cast<std::uint32_t>(static_cast<const char*>(found) - text_.data());
    std::uint32_t line_end = line_break;
    if (line_end > at && found != nullptr && text_[line_end - 1] == '\r') {
      --line_end;
    }
    const std::string_view line = text_.substr(at, line_end - at);
    if (is_first && line.starts_with("---")) {
      if (!only_comment(at + 3, line_end)) {
        return false;
      }
    } else if (!read_line(at, line_end)) {
      return false;
    }
    is_first = false;
    at = line_break + 1;
  }
  if (is_pending_) {
    null_value();
  }
  while (!open_.empty()) {
    close();
  }
  return true;
}

/// Blank from `at` to the end of the line, but for a comment with a blank before its '#'.
bool SimpleReader::only_comment(std::uint32_t at, std::uint32_t end) const {
  const std::uint32_t content = skip_spaces(at, end);
  if (content == end) {
    return true;
  }
  if (text_[content] != '#' || content == at) {
    return false;
  }
  return is_comment(content, end);
}

bool SimpleReader::read_line(std::uint32_t begin, std::uint32_t end) {
  std::uint32_t at = skip_spaces(begin, end);
  if (at == end) {
    return true;
  }
  if (text_[at] == '#') {
    return is_comment(at, end);
  }
  if (!enter(at - begin, is_item(at, end))) {
    return false;
  }
  // After enter() the innermost collection is the one this line belongs to, or one is to be opened here.
  while (is_item(at, end)) {
    const std::uint32_t indentation = at - begin;
    const bool is_open = !open_.empty() && !is_pending_ && open_.back().kind == NodeKind::sequence &&
                         open_.back().indentation == indentation;
    is_pending_ = false;
    if (!is_open && !open(NodeKind::sequence, at, indentation)) {
      return false;
    }
    last_end_ = at + 1;
    at = skip_spaces(at + 1, end);
    if (at == end || text_[at] == '#') {
      return false;
    }
  }
  const std::uint32_t indentation = at - begin;
  if (end_of_key(at, end) == 0) {
    // An item of a sequence; a lone value under a key or at the root is not simple.
    return !is_pending_ && !open_.empty() && open_.back().kind == NodeKind::sequence && value(at, end, false);
  }
  const bool is_open = !open_.empty() && !is_pending_ && open_.back().kind == NodeKind::mapping &&
                       open_.back().indentation == indentation;
  is_pending_ = false;
  if (!is_open && !open(NodeKind::mapping, at, indentation)) {
    return false;
  }
  return entry(at, end);
}

/// Closes what a line of this indentation ends. False: the line fits nothing that is open.
bool SimpleReader::enter(std::uint32_t indentation, bool is_item) {
  if (open_.empty()) {
    const bool is_first = !has_root_;
    has_root_ = true;
    return is_first;
  }
  if (is_pending_) {
    const std::uint32_t above = open_.back().indentation;
    if (indentation > above || (indentation == above && is_item)) {
      return true;  // the value of the key
    }
    null_value();
  }
  while (open_.size() > 1 && open_.back().indentation > indentation) {
    close();
  }
  if (open_.back().indentation != indentation) {
    return false;
  }
  if (open_.back().kind == NodeKind::sequence && !is_item) {
    // The items may stand as deep as the key they belong to.
    const bool is_compact = open_.size() > 1 && open_[open_.size() - 2].kind == NodeKind::mapping &&
                            open_[open_.size() - 2].indentation == indentation;
    if (is_compact) {
      close();
    }
    return is_compact;
  }
  return (open_.back().kind == NodeKind::sequence) == is_item;
}

/// Where the key that begins at `at` ends (its colon), if there is a simple one with a blank or the line's end behind
/// it.
std::uint32_t SimpleReader::end_of_key(std::uint32_t at, std::uint32_t end) const {
  std::uint32_t stop = at;
  if (text_[at] == '"' || text_[at] == '\'') {
    ++stop;
    while (stop < end && text_[stop] != text_[at] && text_[stop] != '\\' &&
           kClasses[static_cast<unsigned char>(text_[stop])] != other) {
      ++stop;
    }
    if (stop == end || text_[stop] != text_[at]) {
      return 0;
    }
    ++stop;
  } else {
    if (!is_alphanumeric(text_[at]) && text_[at] != '_') {
      return 0;
    }
    while (stop < end && is_word(text_[stop])) {
      ++stop;
    }
  }
  const bool has_colon = stop < end && text_[stop] == ':' && (stop + 1 == end || text_[stop + 1] == ' ');
  return has_colon && stop - at <= kLongestKey ? stop : 0;
}

void SimpleReader::key(std::uint32_t at, std::uint32_t end) {
  const std::uint32_t quote = text_[at] == '"' || text_[at] == '\'' ? 1 : 0;
  builder_.key({at + quote, end - at - 2 * quote, false}, at, end, quote == 0);
  last_end_ = end;
}

bool SimpleReader::entry(std::uint32_t at, std::uint32_t end) {
  const std::uint32_t colon = end_of_key(at, end);
  key(at, colon);
  return value(colon + 1, end, true);
}

/// What stands behind a colon or a dash, up to the end of the line.
bool SimpleReader::value(std::uint32_t at, std::uint32_t end, bool may_be_empty) {
  if (may_be_empty && only_comment(at, end)) {
    is_pending_ = true;
    return true;
  }
  at = skip_spaces(at, end);
  const char first = text_[at];
  if (first == '"' || first == '\'') {
    return quoted(at, end) && only_comment(at, end);
  }
  if (first == '[' || first == '{') {
    return flow(at, end, 0) && only_comment(at, end);
  }
  return plain_value(at, end);
}

bool SimpleReader::quoted(std::uint32_t& at, std::uint32_t end) {
  const char quote = text_[at];
  std::uint32_t stop = at + 1;
  while (stop < end && text_[stop] != quote) {
    if (text_[stop] == '\\' || kClasses[static_cast<unsigned char>(text_[stop])] == other) {
      return false;
    }
    ++stop;
  }
  if (stop == end || (stop + 1 < end && text_[stop + 1] == quote)) {  // '' is an escaped quote
    return false;
  }
  builder_.scalar(NodeKind::scalar, {at + 1, stop - at - 1, false}, at, stop + 1, true);
  at = last_end_ = stop + 1;
  return true;
}

bool SimpleReader::plain_value(std::uint32_t at, std::uint32_t end) {
  const char first = text_[at];
  const bool may_begin = is_alphanumeric(first) || first == '_' || first == '/' || first == '.' || first == '+' ||
                         first == '~' || first == '(' || first == '$' ||
                         (first == '-' && at + 1 < end && is_alphanumeric(text_[at + 1]));
  if (!may_begin) {
    return false;
  }
  std::uint32_t stop = at;  // end of the text without trailing blanks
  for (std::uint32_t i = at; i < end; ++i) {
    const char c = text_[i];
    if (is_word(c)) {
      stop = i + 1;
      continue;
    }
    if (c == ' ') {
      continue;
    }
    if (c == '#' && text_[i - 1] == ' ') {
      if (!only_comment(i - 1, end)) {
        return false;
      }
      break;
    }
    if (kClasses[static_cast<unsigned char>(c)] == other || (c == ':' && (i + 1 == end || text_[i + 1] == ' '))) {
      return false;
    }
    stop = i + 1;
  }
  const std::string_view text = text_.substr(at, stop - at);
  const bool is_null = text == "~" || text == "null" || text == "Null" || text == "NULL";
  builder_.scalar(is_null ? NodeKind::null : NodeKind::scalar, {at, stop - at, false}, at, stop, false);
  last_end_ = stop;
  return true;
}

bool SimpleReader::flow_scalar(std::uint32_t& at, std::uint32_t end) {
  const char first = text_[at];
  if (first == '"' || first == '\'') {
    return quoted(at, end);
  }
  const bool may_begin = is_alphanumeric(first) || first == '_' || first == '/' ||
                         (first == '-' && at + 1 < end && is_alphanumeric(text_[at + 1]));
  std::uint32_t stop = at;
  while (may_begin && stop < end && is_word(text_[stop])) {
    ++stop;
  }
  // Only a clear end: what follows a blank could belong to the text or be a comment.
  const std::uint32_t next = skip_spaces(stop, end);
  if (stop == at || next == end || (text_[next] != ',' && text_[next] != ']' && text_[next] != '}')) {
    return false;
  }
  const std::string_view text = text_.substr(at, stop - at);
  const bool is_null = text == "null" || text == "Null" || text == "NULL";
  builder_.scalar(is_null ? NodeKind::null : NodeKind::scalar, {at, stop - at, false}, at, stop, false);
  at = last_end_ = stop;
  return true;
}

bool SimpleReader::flow_member_key(std::uint32_t& at, std::uint32_t end) {
  const std::uint32_t colon = end_of_key(at, end);
  if (colon == 0) {
    return false;
  }
  key(at, colon);
  at = skip_spaces(colon + 1, end);
  return at < end;
}

/// A flow collection within the line. Recursion is bounded by kDeepestFlow.
bool SimpleReader::flow(std::uint32_t& at, std::uint32_t end, int depth) {
  const bool is_mapping = text_[at] == '{';
  const char closing = is_mapping ? '}' : ']';
  if (depth == kDeepestFlow || builder_.open(is_mapping ? NodeKind::mapping : NodeKind::sequence, at) == kNoNode) {
    return false;
  }
  at = skip_spaces(at + 1, end);
  bool is_empty = true;
  while (at < end && (text_[at] != closing || !is_empty)) {
    if (is_mapping && !flow_member_key(at, end)) {
      return false;
    }
    const bool nests = text_[at] == '[' || text_[at] == '{';
    if (nests ? !flow(at, end, depth + 1) : !flow_scalar(at, end)) {
      return false;
    }
    is_empty = false;
    at = skip_spaces(at, end);
    if (at < end && text_[at] == closing) {
      break;
    }
    if (at == end || text_[at] != ',') {
      return false;
    }
    at = skip_spaces(at + 1, end);
  }
  if (at == end) {
    return false;
  }
  last_end_ = ++at;
  builder_.close(last_end_);
  return true;
}

}  // namespace

bool read_simple_yaml(Tree& tree, std::size_t begin, std::size_t end, const Limits& limits) {
  Diagnostics problems;  // whatever they are, libfyaml's reader finds and words them
  TreeBuilder builder(tree, limits, problems);
  const TreeBuilder::Mark mark = builder.mark();
  if (SimpleReader(builder, tree.source_text()).read(begin, end) && !problems.has_errors()) {
    return true;
  }
  builder.rewind(mark);
  return false;
}

}  // namespace podwire::config
