// Lines of streams, and a line's JSON walked by hand.
#include "sim/config/byte_stream.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sim/config/decompress.hpp"
#include "sim/config/json_lines.hpp"

namespace podwire::config {
namespace {

std::unique_ptr<ByteStream> text_stream(std::string text, std::size_t step) {
  return stream_of([text = std::move(text), at = std::size_t{0}, step](char* out, std::size_t room) mutable {
    const std::size_t count = std::min({room, step, text.size() - at});
    text.copy(out, count, at);
    at += count;
    return count;
  });
}

std::vector<std::string> lines(const std::string& text, std::size_t step, LineLimits limits = {}) {
  LineReader reader(text_stream(text, step), limits);
  std::vector<std::string> result;
  std::string_view line;
  for (;;) {
    switch (reader.next(line)) {
      case LineReader::Got::end:
        return result;
      case LineReader::Got::too_long:
        result.push_back("(" + std::to_string(reader.line_number()) + " is too long)");
        break;
      case LineReader::Got::line:
        result.emplace_back(line);
        break;
    }
  }
}

TEST(LineReader, SplitsAtLineBreaksHoweverTheBytesCome) {
  for (const std::size_t step : {1u, 2u, 3u, 100u}) {
    EXPECT_EQ(lines("a\nbb\r\n\nccc", step), (std::vector<std::string>{"a", "bb", "", "ccc"}));
    EXPECT_EQ(lines("a\n", step), std::vector<std::string>{"a"});
    EXPECT_EQ(lines("", step), std::vector<std::string>{});
  }
}

TEST(LineReader, LinesAtTheLimitAreReadAndLongerOnesSkipped) {
  const LineLimits limits{.max_line = 4};
  for (const std::size_t step : {1u, 3u, 5u, 6u, 100u}) {
    EXPECT_EQ(
        lines("abcd\nabcde\nabcdefghijklmnop\nab\nabcd\r\nabcdefgh", step, limits),
        (std::vector<std::string>{"abcd", "(2 is too long)", "(3 is too long)", "ab", "abcd", "(6 is too long)"}));
  }
}

TEST(LineReader, StopsAtTheLimitOfBytes) {
  LineReader reader(text_stream("abc\ndef\nghi\n", 4), {.max_line = 100, .max_bytes = 6});
  std::string_view line;
  ASSERT_EQ(reader.next(line), LineReader::Got::line);
  ASSERT_EQ(reader.next(line), LineReader::Got::line);
  EXPECT_EQ(line, "de");  // of six bytes
  EXPECT_EQ(reader.next(line), LineReader::Got::end);
  EXPECT_EQ(reader.problem(), "it holds more than 6 bytes; at most that many are read");
}

TEST(OpenStream, RefusesWhatIsNoRegularFile) {
  Diagnostics diagnostics;
  EXPECT_EQ(open_stream("/dev/null", {}, {}, diagnostics), nullptr);
  EXPECT_EQ(open_stream("/no/such/file", {}, {}, diagnostics), nullptr);
  ASSERT_EQ(diagnostics.error_count(), 2u);
  EXPECT_EQ(diagnostics.all()[0].code, "not-a-regular-file");
  EXPECT_EQ(diagnostics.all()[1].code, "no-such-file");
}

TEST(ReadWhole, StopsAtItsLimitAndSaysSo) {
  const std::string path = testing::TempDir() + "podwire-read-whole-" + std::to_string(::getpid());
  std::ofstream(path, std::ios::binary) << "hello\nworld\n";
  Diagnostics diagnostics;
  FileAccess access;
  access.limits.max_bytes = 12;
  EXPECT_EQ(read_whole(path, access, {}, diagnostics), "hello\nworld\n");
  EXPECT_FALSE(diagnostics.has_errors());
  access.limits.max_bytes = 11;
  EXPECT_FALSE(read_whole(path, access, {}, diagnostics).has_value());
  ASSERT_EQ(diagnostics.error_count(), 1u);
  EXPECT_EQ(diagnostics.all()[0].code, "too-large");
  EXPECT_NE(diagnostics.all()[0].message.find("holds more than 11 bytes"), std::string::npos);
  // A file that is larger than what is allowed is not read at all: this one has 2 GiB, all of it a hole.
  std::filesystem::resize_file(path, std::uintmax_t{1} << 31);
  access.limits = {};
  EXPECT_FALSE(read_whole(path, access, {}, diagnostics).has_value());
  EXPECT_EQ(diagnostics.all().back().code, "too-large");
  EXPECT_FALSE(read_whole("/no/such/file", {}, {}, diagnostics).has_value());
  EXPECT_EQ(diagnostics.all().back().code, "no-such-file");
  std::filesystem::remove(path);
}

/// The members of an object as "key=value;", nested ones in brackets.
std::string walk(JsonLine& json) {
  std::string text;
  std::string_view key;
  if (json.is_object()) {
    json.enter_object();
    while (json.next_member(key)) {
      text += std::string(key) + "=";
      text += walk(json) + ";";
    }
    return "{" + text + "}";
  }
  if (json.is_array()) {
    json.enter_array();
    while (json.next_item()) {
      text += walk(json) + ",";
    }
    return "[" + text + "]";
  }
  if (json.take_text(key)) {
    return std::string(key);
  }
  return "?";
}

std::string walked(std::string_view line) {
  JsonLine json;
  std::string text = json.begin(line) ? walk(json) : "";
  return json.end() ? text : "problem: " + json.problem();
}

TEST(JsonLine, WalksObjectsAndArrays) {
  EXPECT_EQ(walked(R"({"a": 1, "b" : {"c":"x","d":[1,2,{"e":-5}]} ,"f":[], "g":{}, "h":true})"),
            "{a=1;b={c=x;d=[1,2,{e=-5;},];};f=[];g={};h=?;}");
  EXPECT_EQ(walked(R"("only")"), "only");
  EXPECT_EQ(walked(R"({"\u0061\n\"":"\u00e4\ud83d\ude00"})"), "{a\n\"=\xc3\xa4\xf0\x9f\x98\x80;}");
}

TEST(JsonLine, SaysWhatIsWrong) {
  EXPECT_EQ(walked(""), "problem: it is empty");
  EXPECT_EQ(walked("{\"a\":1"), "problem: it ends inside an object (cut off?)");
  EXPECT_EQ(walked("{\"a\":[1"), "problem: it ends inside an array (cut off?)");
  EXPECT_EQ(walked("{\"a\":\"x"), "problem: a string is not closed (cut off?)");
  EXPECT_EQ(walked("{\"a\":}"), "problem: a value is missing");
  EXPECT_EQ(walked("{\"a\" 1}"), "problem: a key has no value");
  EXPECT_EQ(walked("{\"a\":1}{"), "problem: something follows the end of its JSON text");
  EXPECT_EQ(walked("{a:1}"), "problem: a key is no string");
  EXPECT_EQ(walked("{\"a\":1 \"b\":2}"), "problem: a comma or } is missing");
  EXPECT_EQ(walked("[1 2]"), "problem: a comma or ] is missing");
  EXPECT_EQ(walked("{\"a\":\"\\x\"}"), "problem: an escape in a string is none that JSON knows");
  EXPECT_EQ(walked("{\"a\":\"\xff\"}"), "problem: it is not UTF-8");
}

TEST(JsonLine, EveryPrefixOfALineIsRefusedWithoutHarm) {
  const std::string line =
      R"({"flow":{"IP":{"source":"10.0.0.1"},"l":[1,[2],{"x":"\u00e4"}],"n":null,"b":false},"t":"z"})";
  EXPECT_EQ(walked(line).substr(0, 6), "{flow=");
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_EQ(walked(line.substr(0, size)).substr(0, 8), "problem:") << size;
  }
}

TEST(JsonLine, AnotherTypeThanAskedForIsSkipped) {
  JsonLine json;
  ASSERT_TRUE(json.begin(R"({"a":{"x":[1,{"y":2}]},"b":"12","c":1.5,"d":"e"})"));
  std::string_view key;
  std::string_view text;
  std::int64_t number = 0;
  bool value = false;
  json.enter_object();
  ASSERT_TRUE(json.next_member(key));
  EXPECT_FALSE(json.take_string(text));
  ASSERT_TRUE(json.next_member(key));
  EXPECT_TRUE(json.take_integer(number));
  EXPECT_EQ(number, 12);
  ASSERT_TRUE(json.next_member(key));
  EXPECT_FALSE(json.take_integer(number));
  ASSERT_TRUE(json.next_member(key));
  EXPECT_FALSE(json.take_bool(value));
  EXPECT_FALSE(json.next_member(key));
  EXPECT_TRUE(json.end());
}

}  // namespace
}  // namespace podwire::config
