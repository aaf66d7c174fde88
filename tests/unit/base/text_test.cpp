// Foreign text on a terminal, and "did you mean".
#include "sim/base/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace podwire {
namespace {

using namespace std::string_view_literals;

TEST(Printable, OrdinaryTextIsUnchanged) {
  EXPECT_EQ(printable("frontend/web-7d4f"), "frontend/web-7d4f");
  EXPECT_EQ(printable("größe 名前 🙂"), "größe 名前 🙂");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, ControlsAreWrittenAsHex) {
  EXPECT_EQ(printable("a\x1b[31mred\x07"), "a\\x1b[31mred\\x07");
  EXPECT_EQ(printable("line\nbreak\ttab\x7f"), "line\\x0abreak\\x09tab\\x7f");
  EXPECT_EQ(printable("a\0b"sv), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // U+009B, the one-byte CSI
}

TEST(Printable, InvisibleAndBidirectionalControlsAreShown) {
  EXPECT_EQ(printable("a\u202eb"), "a\\u{202e}b");  // right-to-left override
  EXPECT_EQ(printable("a\u2066b\u2069"), "a\\u{2066}b\\u{2069}");
  EXPECT_EQ(printable("a\u200bb\ufeff"), "a\\u{200b}b\\u{feff}");
  EXPECT_EQ(printable("a\u00adb\u2060c"), "a\\xadb\\u{2060}c");
  EXPECT_EQ(printable("\U000e0041"), "\\u{e0041}");  // a tag character
}

TEST(Printable, InvalidUtf8IsWrittenByteByByte) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("a\x80"
                      "b"),
            "a\\x80b");                   // a continuation without a lead
  EXPECT_EQ(printable("\xc3"), "\\xc3");  // cut off
  EXPECT_EQ(printable("\xc3"
                      "A"),
            "\\xc3"
            "A");                                                    // lead without continuation
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong /
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // overlong /
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
}

TEST(Printable, LongTextIsCutAtTheLimit) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(printable("abcde\x1b", 6), "abcde…");  // \x1b would be nine bytes
  EXPECT_EQ(printable("abcdeä", 6), "abcde…");     // never half a character
  EXPECT_EQ(printable("a", 0), "…");
  EXPECT_EQ(printable("", 0), "");
}

const std::vector<std::string_view> kKeys = {"podSelector", "namespaceSelector", "ports", "port", "policyTypes"};

TEST(NearestWord, TypingErrorsAreFound) {
  EXPECT_EQ(nearest_word("podSelectr", kKeys), "podSelector");   // a letter missing
  EXPECT_EQ(nearest_word("podSelecotr", kKeys), "podSelector");  // neighbours swapped
  EXPECT_EQ(nearest_word("podselector", kKeys), "podSelector");  // the wrong case
  EXPECT_EQ(nearest_word("ppports", kKeys), "ports");            // two letters too many
}

TEST(NearestWord, AThirdOfTheLengthIsTheLimit) {
  // "portsXX" has seven letters: two edits are allowed. "portsXXX" has eight: two again, and it needs three.
  EXPECT_EQ(nearest_word("portsXX", kKeys), "ports");
  EXPECT_EQ(nearest_word("portsXXX", kKeys), "");
  // A third of 17 letters would be five; never more than three are allowed.
  EXPECT_EQ(nearest_word("namespXXXSelector", kKeys), "namespaceSelector");
  EXPECT_EQ(nearest_word("namesXXXXSelector", kKeys), "");
}

TEST(NearestWord, TiesGoToTheEarlierCandidate) {
  const std::vector<std::string_view> words = {"cat", "bat"};
  EXPECT_EQ(nearest_word("rat", words), "cat");
}

TEST(NearestWord, NothingIsNearNothing) {
  EXPECT_EQ(nearest_word("web", {}), "");
  EXPECT_EQ(nearest_word("", kKeys), "");
  EXPECT_EQ(nearest_word(std::string(1'000'000, 'p'), kKeys), "");  // and it takes no time
}

}  // namespace
}  // namespace podwire
