// nearest_word against a search over the edits themselves, printable() against its promise on random bytes, and places
// against counting line breaks from the start.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/base/text.hpp"

namespace podwire {
namespace {

std::string random_word(std::mt19937_64& random, std::size_t longest) {
  std::string word;
  for (std::size_t length = random() % (longest + 1); length > 0; --length) {
    word += static_cast<char>('a' + random() % 3);  // few letters: near words and ties are common
  }
  return word;
}

// Optimal string alignment straight from its recursive definition (L. Boytsov, 2011): exponential, and plainly right.
std::size_t naive_distance(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) {
    return a.size() + b.size();
  }
  const std::string_view a1 = a.substr(1);
  const std::string_view b1 = b.substr(1);
  std::size_t least = naive_distance(a1, b1) + (a[0] == b[0] ? 0 : 1);
  least = std::min({least, naive_distance(a1, b) + 1, naive_distance(a, b1) + 1});
  if (a.size() > 1 && b.size() > 1 && a[0] == b[1] && a[1] == b[0]) {
    least = std::min(least, naive_distance(a.substr(2), b.substr(2)) + 1);
  }
  return least;
}

TEST(NearestWordProperty, AgreesWithTheRecursiveDefinition) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 1'500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const std::string word = random_word(random, 6);
    std::vector<std::string> words;
    for (int i = 0; i < 5; ++i) {
      words.push_back(random_word(random, 6));
    }
    const std::size_t allowed = std::min<std::size_t>(3, std::max<std::size_t>(1, word.size() / 3));
    std::string expected;
    std::size_t best = allowed + 1;
    for (const std::string& candidate : words) {
      const std::size_t distance = naive_distance(word, candidate);
      if (distance < best) {
        best = distance;
        expected = candidate;
      }
    }
    const std::vector<std::string_view> candidates(words.begin(), words.end());
    ASSERT_EQ(nearest_word(word, candidates), expected) << word;
    found += best <= allowed ? 1 : 0;
  }
  EXPECT_GT(found, 300);
}

TEST(PrintableProperty, RandomBytesNeverReachTheTerminal) {
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string text;
    for (std::size_t length = random() % 40; length > 0; --length) {
      text += static_cast<char>(random() % 3 == 0 ? random() % 128 : random() % 256);
    }
    const std::size_t limit = random() % 60;
    const std::string shown = printable(text, limit);
    ASSERT_LE(shown.size(), limit + std::string_view("…").size());
    for (const char c : shown) {
      ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << "a control byte";
    }
    ASSERT_EQ(printable(shown, 1'000), shown);  // what was made safe is safe, hence valid UTF-8
    ASSERT_EQ(printable(text, 1'000).starts_with(shown.substr(0, shown.size() - (shown.ends_with("…") ? 3 : 0))), true);
  }
}

TEST(PlaceProperty, AgreesWithCountingFromTheStart) {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string text;
    for (std::size_t length = random() % 60; length > 0; --length) {
      text += "ab\n\r"[random() % 4];
    }
    SourceMap sources;
    const SourceId id = sources.add("x", text);
    std::uint32_t line = 1;
    std::uint32_t column = 1;
    for (std::uint32_t offset = 0; offset <= text.size(); ++offset) {
      const LineColumn at = sources.locate(id, offset);
      ASSERT_EQ(at.line, line);
      ASSERT_EQ(at.column, column);
      if (offset < text.size() && text[offset] == '\n') {
        ++line;
        column = 1;
      } else {
        ++column;
      }
    }
  }
}

}  // namespace
}  // namespace podwire
