// The fast YAML reader against libfyaml's on random documents in the style of manifests, whole and broken: the same
// trees with the same spans, or the same errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>

#include "sim/config/readers.hpp"
#include "sim/config/render.hpp"
#include "sim/config/tree.hpp"

namespace podwire::config {
namespace {

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  std::string document() {
    std::string text = below(3) == 0 ? "" : below(4) == 0 ? "--- # a comment\n" : "---\n";
    text += collection(static_cast<int>(below(8) == 0 ? 2 : 0), 0);
    return text;
  }

  void break_it(std::string& text) {
    static const char* const kInserts[] = {"\n", " ",   "  ",    "- ",    "-",   ": ",   ":",        "{",   "}",
                                           "[",  "]",   ",",     "\"",    "'",   "#",    " #",       "\t",  "\r",
                                           "|",  "> ",  "&a ",   "*a",    "!t ", "%",    "@",        "?",   "? ",
                                           "~",  "---", "---\n", "...\n", "\\",  "<<: ", "\xc3\xa9", "null"};
    for (std::uint64_t i = below(3) + 1; i > 0; --i) {
      const std::size_t at = below(text.size() + 1);
      if (below(2) == 0) {
        text.insert(at, kInserts[below(std::size(kInserts))]);
      } else {
        text.erase(at, below(4) + 1);
      }
    }
  }

 private:
  std::string key() {
    static const char* const kKeys[] = {"name", "app.kubernetes.io/name", "a", "b-c", "\"q k\"", "'s: k'", "_x", "0",
                                        "null"};
    return kKeys[below(std::size(kKeys))] + (below(4) == 0 ? "" : std::to_string(below(1000)));
  }
  std::string fixed_key() {
    std::string made = key();
    if (made.front() == '"' || made.front() == '\'') {  // digits behind a quote are an error: seldom
      made = below(20) == 0 ? made : made.substr(0, made.find(made.front(), 1) + 1);
    }
    return made;
  }
  std::string scalar() {
    static const char* const kScalars[] = {"web",        "8080",
                                           "-5",         "1.5",
                                           "true",       "null",
                                           "~",          "\"quoted # text\"",
                                           "'single'",   "''",
                                           "\"\"",       "a b  c",
                                           "x:y",        "http://h:80/p",
                                           "10.0.0.0/8", "a#b",
                                           "it's",       "a, b]",
                                           "$(VAR)",     "(x)",
                                           "+1",         ".5",
                                           "\"a\\nb\"",  "'it''s'",
                                           "-",          "- x",
                                           "@x",         "a: b",
                                           "*a",         "|",
                                           "x {y}",      "Null",
                                           "100%"};
    return kScalars[below(std::size(kScalars))];
  }
  std::string flow(int depth) {
    static const char* const kScalars[] = {"a",    "\"b\"", "'c'", "80",   "-1", "10.0.0.0/8",
                                           "null", "x y",   "a:b", "\"\"", "~"};
    if (depth > 2 || below(2) == 0) {
      return kScalars[below(std::size(kScalars))];
    }
    const bool is_mapping = below(2) == 0;
    std::string text = is_mapping ? "{" : "[";
    for (std::uint64_t i = 0, count = below(4); i < count; ++i) {
      text += (i == 0 ? (below(4) == 0 ? " " : "") : (below(6) == 0 ? "," : ", ")) +
              (is_mapping ? fixed_key() + ": " : "") + flow(depth + 1);
    }
    return text + (below(12) == 0 ? "," : "") + (below(6) == 0 ? " " : "") + (is_mapping ? "}" : "]");
  }
  std::string line_end() {
    static const char* const kEnds[] = {
        "\n", "\n", "\n", "\n", "\n", "\n", " \n", " # note\n", "\n\n", "\n# comment\n", "\n    # indented\n", "\r\n"};
    return kEnds[below(std::size(kEnds))];
  }
  /// What follows `key:` or `-`, with its line's end.
  std::string value(int indentation, int depth, bool is_item) {
    const std::uint64_t kind = below(depth > 3 ? 6 : 10);
    if (kind < 3) {
      return " " + scalar() + line_end();
    }
    if (kind < 5) {
      return (below(8) == 0 ? "   " : " ") + flow(0) + line_end();
    }
    if (kind == 5 && !is_item) {
      return line_end();  // null
    }
    if (is_item) {  // the collection begins on the dash's line
      const int gap = static_cast<int>(below(5) == 0 ? 3 : 1);
      const std::string inner = collection(indentation + 1 + gap, depth + 1);
      return std::string(static_cast<std::size_t>(gap), ' ') +
             inner.substr(std::min(inner.size(), static_cast<std::size_t>(indentation + 1 + gap)));
    }
    const int deeper = static_cast<int>(below(6) == 0 ? 0 : below(6) == 0 ? 4 : 2);
    return line_end() + collection(indentation + deeper, depth + 1, deeper == 0);
  }
  std::string collection(int indentation, int depth, bool must_be_sequence = false) {
    const bool is_mapping = !must_be_sequence && below(3) != 0;
    const std::string lead(static_cast<std::size_t>(indentation), ' ');
    std::string text;
    for (std::uint64_t i = below(3) + 1; i > 0; --i) {
      text += lead + (is_mapping ? fixed_key() + ":" : "-") + value(indentation, depth, !is_mapping);
    }
    return text;
  }

  std::mt19937_64 random_;
};

std::string dump(Node node, int depth = 0) {
  const Span span = node.span();
  std::string out = std::string(static_cast<std::size_t>(depth), ' ') + std::to_string(static_cast<int>(node.kind())) +
                    (node.is_quoted() ? "q" : "p") + " " + std::string(node.key()) + "@" +
                    std::to_string(node.key_span().begin) + "-" + std::to_string(node.key_span().end) + " = " +
                    std::string(node.text()) + "@" + std::to_string(span.begin) + "-" + std::to_string(span.end) + "\n";
  for (const Node child : node) {
    out += dump(child, depth + 1);
  }
  return out;
}

std::string read(const std::string& text, bool use_fast) {
  SourceMap sources;
  const SourceId source = sources.add("in", text);
  Tree tree(source, sources.text(source));
  Diagnostics diagnostics;
  read_yaml(tree, 0, {.max_depth = 8}, diagnostics, use_fast);
  if (diagnostics.has_errors()) {
    return render(diagnostics, sources);
  }
  std::string out;
  for (const Node root : tree.roots()) {
    out += dump(root) + "---\n";
  }
  return out;
}

bool is_simple(const std::string& text) {
  SourceMap sources;
  const SourceId source = sources.add("in", text);
  Tree tree(source, sources.text(source));
  return read_simple_yaml(tree, 0, text.size(), {});
}

TEST(FastYaml, ReadsWhatLibfyamlReads) {
  int simple = 0;
  for (std::uint64_t seed = 1; seed <= 12'000; ++seed) {
    Maker maker(seed);
    std::string text = maker.document();
    if (maker.below(4) == 0) {
      text += maker.document();
    }
    simple += is_simple(text) ? 1 : 0;
    if (maker.below(2) == 0) {
      maker.break_it(text);
    }
    ASSERT_EQ(read(text, true), read(text, false)) << "seed " << seed << "\n" << text;
  }
  // The comparison must not be empty: enough of the documents go the fast way.
  EXPECT_GT(simple, 1'200);
}

}  // namespace
}  // namespace podwire::config
