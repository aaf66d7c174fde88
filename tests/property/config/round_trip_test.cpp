// Random trees, written naively as YAML (block and flow) and as JSON, must read back as they were; and inputs broken by
// random edits must give a tree or errors, never a crash, a hang or an error without a place.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sim/config/document.hpp"
#include "sim/config/render.hpp"

namespace podwire::config {
namespace {

struct Value {
  enum class Kind { null, plain, quoted, sequence, mapping } kind = Kind::null;
  std::string text;
  struct Child;
  std::vector<Child> children;
};

struct Value::Child {
  std::string key;  // empty in a sequence
  Value value;
};

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  /// Text with everything that quoting must survive.
  std::string text() {
    static const char* const kPieces[] = {"a",  "Z9", " ",    "  ", ":",        ": ",   " #",  "#",
                                          "'",  "\"", "\\",   "\n", "\t",       "-",    "- ",  "{",
                                          "}",  "[",  "]",    ",",  "\xc3\xa9", "*",    "&",   "!",
                                          "%",  "@",  "`",    "|",  ">",        "?",    "~",   "\xf0\x9f\x98\x80",
                                          "/",  "\r", "\x1b", "0",  "true",     "null", "---", "\xe2\x80\xa8",
                                          "\b", "<<"};
    std::string out;
    for (std::uint64_t i = below(10) == 0 ? below(60) : below(6); i > 0; --i) {
      out += kPieces[below(std::size(kPieces))];
    }
    return out;
  }

  Value value(int depth) {
    Value made;
    const std::uint64_t kind = below(depth > 4 ? 3 : 5);
    made.kind = static_cast<Value::Kind>(kind);
    if (made.kind == Value::Kind::plain) {
      static const char* const kPlain[] = {"0", "-1", "8080", "1.5", "1e9", "true", "false", "10", "-0.25E+3"};
      made.text = kPlain[below(std::size(kPlain))];
    } else if (made.kind == Value::Kind::quoted) {
      made.text = text();
    } else if (made.kind != Value::Kind::null) {
      for (std::uint64_t i = below(depth == 0 ? 30 : 5); i > 0; --i) {
        std::string key;
        if (made.kind == Value::Kind::mapping) {
          key = text() + std::to_string(i);  // distinct
        }
        made.children.push_back({std::move(key), value(depth + 1)});
      }
    }
    return made;
  }

 private:
  std::mt19937_64 random_;
};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (byte < 0x20) {
      static const char* const kHex = "0123456789abcdef";
      out += std::string("\\u00") + kHex[byte >> 4] + kHex[byte & 15];  // the same escape in both languages
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string flow(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::plain:
      return value.text;
    case Value::Kind::quoted:
      return quoted(value.text);
    default:
      break;
  }
  const bool is_mapping = value.kind == Value::Kind::mapping;
  std::string out = is_mapping ? "{" : "[";
  for (const auto& [key, child] : value.children) {
    out += (out.size() == 1 ? "" : ", ") + (is_mapping ? quoted(key) + ": " : std::string()) + flow(child);
  }
  return out + (is_mapping ? "}" : "]");
}

/// Lines that a literal block scalar can hold as they are.
bool fits_literal(const std::string& text) {
  return !text.empty() && text[0] != ' ' && text[0] != '\t' && text[0] != '\n' &&
         text.find_first_of("\r\x1b\b") == std::string::npos;
}

/// `|` with the number of line breaks at the end that the text has.
std::string literal(const std::string& text, int indent) {
  const std::size_t breaks = text.size() - 1 - text.find_last_not_of('\n');
  std::string out = breaks == 0 ? " |-\n" : breaks == 1 ? " |\n" : " |+\n";
  std::string line;
  for (const char c : breaks == 0 ? text + "\n" : text) {
    if (c != '\n') {
      line += c;
      continue;
    }
    out += (line.empty() ? "" : std::string(static_cast<std::size_t>(indent), ' ')) + line + "\n";
    line.clear();
  }
  return out;
}

/// Block style at `indent`; empty collections and some others in flow style.
std::string block(const Value& value, int indent, Maker& maker) {
  const bool is_mapping = value.kind == Value::Kind::mapping;
  if (value.kind == Value::Kind::quoted && fits_literal(value.text) && maker.below(2) == 0) {
    return literal(value.text, indent);
  }
  if ((!is_mapping && value.kind != Value::Kind::sequence) || value.children.empty() || maker.below(6) == 0) {
    return " " + flow(value) + "\n";
  }
  std::string out = "\n";
  for (const auto& [key, child] : value.children) {
    out += std::string(static_cast<std::size_t>(indent), ' ') + (is_mapping ? quoted(key) + ":" : std::string("-")) +
           block(child, indent + 2, maker) + (maker.below(8) == 0 ? "# comment: {\n\n" : "");
  }
  return out;
}

/// The first difference between what was written and what was read, or "".
std::string difference(const Value& wanted, Node read) {
  const auto at = [&](const std::string& what) { return read.path() + ": " + what; };
  switch (wanted.kind) {
    case Value::Kind::null:
      return read.is_null() && read.is_present() ? "" : at("not null");
    case Value::Kind::plain:
    case Value::Kind::quoted:
      if (!read.is_scalar() || read.text() != wanted.text) {
        return at("text");
      }
      return read.is_quoted() == (wanted.kind == Value::Kind::quoted) ? "" : at("quoting");
    default:
      break;
  }
  const bool is_mapping = wanted.kind == Value::Kind::mapping;
  if ((is_mapping ? !read.is_mapping() : !read.is_sequence()) || read.size() != wanted.children.size()) {
    return at("kind or size");
  }
  auto child = read.begin();
  for (const auto& [key, value] : wanted.children) {
    const Node node = *child;
    ++child;
    if (node.key() != key || !(node.parent() == read) || (is_mapping && !(read.find(key) == node))) {
      return at("key");
    }
    if (std::string found = difference(value, node); !found.empty()) {
      return found;
    }
  }
  return "";
}

/// Every span lies in the text and in its parent's (aliases aside), and a scalar's covers its text.
void check_spans(Node node, std::string_view text) {
  const Span span = node.span();
  ASSERT_LE(span.begin, span.end);
  ASSERT_LE(span.end, text.size());
  if (node.parent().is_present()) {
    ASSERT_LE(node.parent().span().begin, span.begin) << node.path();
    ASSERT_LE(span.end, node.parent().span().end) << node.path();
  }
  if (node.is_scalar() && !node.is_quoted()) {
    ASSERT_EQ(text.substr(span.begin, span.end - span.begin), node.text());
  }
  if (node.is_quoted() && text[span.begin] == '"') {
    ASSERT_EQ(text[span.end - 1], '"') << node.path();
  }
  for (const Node child : node) {
    check_spans(child, text);
  }
}

TEST(RoundTrip, TreesReadBackAsTheyWereWritten) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Maker maker(seed);
    Value root = maker.value(0);
    while (root.kind != Value::Kind::mapping && root.kind != Value::Kind::sequence) {
      root = maker.value(0);
    }
    const std::string forms[] = {flow(root), "---" + block(root, 0, maker), "# yaml\n" + flow(root)};
    for (const std::string& text : forms) {
      SourceMap sources;
      const Result<Document> document = parse_text(sources, "in", text);
      ASSERT_TRUE(document.has_value()) << render(document.diagnostics(), sources) << text;
      ASSERT_EQ(document->roots().size(), 1u);
      ASSERT_EQ(difference(root, document->roots()[0]), "") << text;
      check_spans(document->roots()[0], text);
      if (::testing::Test::HasFatalFailure()) {
        FAIL() << text;
      }
    }
  }
}

TEST(RoundTrip, BrokenInputsGiveErrorsWithPlacesAndNeverCrash) {
  static const char* const kSeeds[] = {
      ("a: &x {b: [1, 'two', \"th\\u0072ee\"]}\nc:\n  <<: *x\n  d: |\n    text\n  e: >-\n    more\n? f\n: g\n---\n- "
       "1\n-\n  - !!str 2\n"),
      "{\"a\": [1, -2.5e3, true, null, \"x\\n\\u00e9\\ud83d\\ude00\"], \"b\": {\"c\": {}}}\n{\"d\": 1}",
      "kind: Secret\ndata:\n  a: b\nenv:\n- name: x\n  value: 'it''s'\n",
  };
  static const char* const kInserts[] = {"\n",  "\t", " ",  "- ",           ": ",   "{",      "}",     "[",
                                         "]",   "\"", "'",  "*x",           "&x ",  "<<: *x", "|",     ">",
                                         "#",   ",",  "\\", "\xff",         "\x1b", "---\n",  "...\n", "%YAML 1.2\n",
                                         "!t ", "\r", "? ", "\xef\xbb\xbf", "\\u",  "*"};
  for (std::uint64_t seed = 1; seed <= 8000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Maker maker(seed);
    std::string text = kSeeds[maker.below(std::size(kSeeds))];
    for (std::uint64_t i = maker.below(5) + 1; i > 0; --i) {
      const std::size_t at = maker.below(text.size() + 1);
      switch (maker.below(4)) {
        case 0:
          text.insert(at, kInserts[maker.below(std::size(kInserts))]);
          break;
        case 1:
          text.erase(at, maker.below(4) + 1);
          break;
        case 2:
          text.resize(at);
          break;
        default:
          text.insert(at, text.substr(0, maker.below(text.size() + 1)));
      }
    }
    SourceMap sources;
    const Result<Document> document = parse_text(sources, "in", text, {.max_depth = 20});
    for (const Diagnostic& problem : document.diagnostics().all()) {
      ASSERT_TRUE(problem.span.is_known());
      ASSERT_LE(problem.span.begin, problem.span.end);
      ASSERT_LE(problem.span.end, text.size());
    }
    ASSERT_EQ(document.has_value(), !document.diagnostics().has_errors());
    render(document.diagnostics(), sources);
  }
}

}  // namespace
}  // namespace podwire::config
