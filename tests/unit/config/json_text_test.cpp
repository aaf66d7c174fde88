// Scalars as JSON: what kubectl would make of plain YAML, and that what is written reads back as the same.
#include "sim/config/json_text.hpp"

#include <gtest/gtest.h>

#include "sim/config/document.hpp"

namespace podwire::config {
namespace {

std::string json_of(const std::string& yaml) {
  SourceMap sources;
  const auto document = parse_text(sources, "t.yaml", "a: " + yaml + "\n");
  EXPECT_TRUE(document) << yaml;
  std::string out;
  append_json_scalar(out, document->roots().at(0).find("a"));
  return out;
}

TEST(JsonText, PlainScalarsHaveTheirYamlType) {
  const std::pair<const char*, const char*> cases[] = {
      {"80", "80"},         {"0x50", "80"},   {"010", "8"},         {"-1", "-1"},         {"1.5", "1.5"},
      {".5", "0.5"},        {"yes", "true"},  {"off", "false"},     {"y", "\"y\""},       {"N", "\"N\""},
      {"~", "null"},        {"null", "null"}, {"\"80\"", "\"80\""}, {"'yes'", "\"yes\""}, {"web", "\"web\""},
      {"1e3x", "\"1e3x\""}, {".inf", "null"}, {"[1]", "null"},
  };
  for (const auto& [yaml, expected] : cases) {
    EXPECT_EQ(json_of(yaml), expected) << yaml;
  }
}

// The examples of RFC 7386, appendix A, that a mapping can hold.
TEST(JsonText, MergePatchesFollowTheirRfc) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"{a: b}", "{a: c}", R"({"a":"c"})"},
      {"{a: b}", "{b: c}", R"({"a":"b","b":"c"})"},
      {"{a: b}", "{a: null}", "{}"},
      {"{a: b, b: c}", "{a: null}", R"({"b":"c"})"},
      {"{a: [b]}", "{a: c}", R"({"a":"c"})"},
      {"{a: c}", "{a: [b]}", R"({"a":["b"]})"},
      {"{a: {b: c}}", "{a: {b: d, c: null}}", R"({"a":{"b":"d"}})"},
      {"{a: [{b: c}]}", "{a: [1]}", R"({"a":[1]})"},
      {"{e: null}", "{a: 1}", R"({"e":null,"a":1})"},
      {"{}", "{a: {bb: {ccc: null}}}", R"({"a":{"bb":{}}})"},
      {"{a: 1}", "{a: {b: c}}", R"({"a":{"b":"c"}})"},
  };
  for (const auto& [target, patch, expected] : cases) {
    SourceMap sources;
    const auto a = parse_text(sources, "a.yaml", target);
    const auto b = parse_text(sources, "b.yaml", patch);
    ASSERT_TRUE(a && b);
    std::string out;
    append_json_merged(out, a->roots().at(0), b->roots().at(0));
    EXPECT_EQ(out, expected) << target << " with " << patch;
  }
}

TEST(JsonText, TextsAreEscapedAndReadBackTheSame) {
  const std::string text =
      "a\"b\\c\nd\te\x01"
      "f/é";
  std::string out;
  append_json_string(out, text);
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\nd\\te\\u0001f/é\"");
  SourceMap sources;
  const auto document = parse_text(sources, "t.json", "{\"a\":" + out + "}");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->roots().at(0).find("a").text(), text);
}

}  // namespace
}  // namespace podwire::config
