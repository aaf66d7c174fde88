// Reading texts into trees: what is accepted, where nodes say they stand, and what is refused.
#include "sim/config/document.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sim/config/render.hpp"

namespace podwire::config {
namespace {

class DocumentTest : public ::testing::Test {
 protected:
  Node read(std::string text, const Limits& limits = {}) {
    Result<Document> result = parse_text(sources_, "in.yaml", std::move(text), limits);
    if (!result.has_value()) {
      ADD_FAILURE() << render(result.diagnostics(), sources_);
      return {};
    }
    document_ = std::move(result).value();
    return document_.roots().empty() ? Node() : document_.roots()[0];
  }
  /// "code line:column" of each diagnostic, in order.
  std::string problems(std::string text, const Limits& limits = {}) {
    Result<Document> result = parse_text(sources_, "in", std::move(text), limits);
    std::string out;
    for (const Diagnostic& diagnostic : result.diagnostics().all()) {
      out += (out.empty() ? "" : ", ") + diagnostic.code + sources_.place(diagnostic.span).substr(2);
    }
    return out;
  }
  std::string place(Span span) { return sources_.place(span); }
  std::string_view source(Span span) { return sources_.text(span.source).substr(span.begin, span.end - span.begin); }

  SourceMap sources_;
  Document document_;
};

TEST_F(DocumentTest, YamlValuesKeepTheirTextKindAndQuoting) {
  const Node root =
      read("a: 8080\nb: '8080'\nc: \"x\\ty\"\nd: ~\ne:\nf: [1, {g: h}]\ni: |\n  two\n  lines\nj: a\n  b\n");
  EXPECT_EQ(root.size(), 8u);
  EXPECT_EQ(root.find("a").text(), "8080");
  EXPECT_FALSE(root.find("a").is_quoted());
  EXPECT_TRUE(root.find("b").is_quoted());
  EXPECT_EQ(root.find("c").text(), "x\ty");
  EXPECT_TRUE(root.find("d").is_null() && root.find("d").is_present());
  EXPECT_TRUE(root.find("e").is_null() && root.find("e").is_present());
  EXPECT_FALSE(root.find("z").is_present());
  EXPECT_EQ(root.find("f").size(), 2u);
  EXPECT_EQ((*++root.find("f").begin()).find("g").text(), "h");
  EXPECT_EQ(root.find("i").text(), "two\nlines\n");
  EXPECT_TRUE(root.find("i").is_quoted());
  EXPECT_EQ(root.find("j").text(), "a b");
}

TEST_F(DocumentTest, SpansCoverValuesWithTheirQuotesAndKeys) {
  const Node root = read("first: one\nsecond: 'two'\nlist:\n- x\n- {y: \"z\"}\nnone:\nlast: end\n");
  EXPECT_EQ(source(root.find("first").span()), "one");
  EXPECT_EQ(source(root.find("second").span()), "'two'");
  EXPECT_EQ(source(root.find("second").key_span()), "second");
  EXPECT_EQ(place(root.find("second").key_span()), "in.yaml:2:1");
  EXPECT_EQ(place(root.find("list").span()), "in.yaml:4:1");
  EXPECT_EQ(source(root.find("list").span()), "- x\n- {y: \"z\"}");
  const Node inner = *++root.find("list").begin();
  EXPECT_EQ(source(inner.span()), "{y: \"z\"}");
  EXPECT_EQ(source(inner.find("y").span()), "\"z\"");
  EXPECT_EQ(place(root.find("none").span()), "in.yaml:6:6");
  EXPECT_EQ(source(root.span()).substr(0, 5), "first");
}

TEST_F(DocumentTest, JsonHasTheSameSpansAndEscapesResolved) {
  const Node root = read(R"({"a": [1, -2.5e3, true, null], "b": "x\ny\u00e9\ud83d\ude00", "c\u0041": {}})");
  EXPECT_EQ(root.find("a").size(), 4u);
  EXPECT_EQ(source(root.find("a").span()), "[1, -2.5e3, true, null]");
  EXPECT_EQ(root.find("b").text(), "x\ny\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(source(root.find("b").span()), R"("x\ny\u00e9\ud83d\ude00")");
  EXPECT_TRUE(root.find("b").is_quoted());
  EXPECT_FALSE((*root.find("a").begin()).is_quoted());
  EXPECT_TRUE(root.find("cA").is_mapping());
  EXPECT_EQ(source(root.find("cA").key_span()), "\"c\\u0041\"");
}

TEST_F(DocumentTest, PathsNameTheWayFromTheRoot) {
  const Node root = read("spec:\n  ingress:\n  - ports:\n    - port: 80\n  labels: {app.kubernetes.io/name: x}\n");
  const Node item = *root.find("spec").find("ingress").begin();
  EXPECT_EQ((*item.find("ports").begin()).find("port").path(), "spec.ingress[0].ports[0].port");
  EXPECT_EQ(root.find("spec").find("labels").find("app.kubernetes.io/name").path(),
            "spec.labels[\"app.kubernetes.io/name\"]");
  EXPECT_EQ(root.path(), "");
  EXPECT_EQ(Node().path(), "");
}

TEST_F(DocumentTest, EachDocumentOfAStreamIsARootAndEmptyOnesAreSkipped) {
  read("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\nnull\n");
  EXPECT_EQ(document_.roots().size(), 2u);
  read("{\"a\": 1}\n{\"a\": 2}\n[3]");
  EXPECT_EQ(document_.roots().size(), 3u);
  read("");
  EXPECT_TRUE(document_.roots().empty());
  read("# only a comment\n");
  EXPECT_TRUE(document_.roots().empty());
  read(" \n\t\n");
  EXPECT_TRUE(document_.roots().empty());
}

TEST_F(DocumentTest, ByteOrderMarkAndCarriageReturnsAreAccepted) {
  EXPECT_EQ(read("\xef\xbb\xbf{\"a\": 1}").find("a").text(), "1");
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "a: 1\r\nb: x\r\n")
                .find("b")
                .text(),
            "x");
  EXPECT_EQ(place(document_.roots()[0].find("b").span()), "in.yaml:2:4");
}

TEST_F(DocumentTest, FlowTextThatIsNotJsonIsReadAsYaml) {
  EXPECT_EQ(read("{a: 1, 'b': [x, y,],}").find("b").size(), 2u);
  EXPECT_EQ(read("{\"a\": 1, # a comment\n \"b\": 2,\n}").find("b").text(), "2");
  EXPECT_EQ(read("{\"a\": 1}\n---\n{\"b\": 2}\n").find("a").text(), "1");
  EXPECT_EQ(document_.roots().size(), 2u);
}

TEST_F(DocumentTest, BigMappingsFindEveryKey) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "key-" + std::to_string(i) + ": " + std::to_string(i * 7) + "\n";
  }
  const Node root = read(text);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(root.find("key-" + std::to_string(i)).text(), std::to_string(i * 7));
  }
  EXPECT_FALSE(root.find("key-1000").is_present());
  EXPECT_FALSE(root.find("").is_present());
}

TEST_F(DocumentTest, AliasesAndMergeKeysAreExpanded) {
  const Node root = read(
      "base: &base {a: 1, b: {c: 2}}\nother: &other {a: 9, d: 4}\nuse: *base\n"
      "merged:\n  <<: [*base, *other]\n  b: own\nquoted:\n  '<<': kept\n&k key: 1\nx: {*k : 2}\n");
  EXPECT_EQ(root.find("use").find("b").find("c").text(), "2");
  EXPECT_EQ(root.find("use").find("b").find("c").path(), "use.b.c");
  const Node merged = root.find("merged");
  EXPECT_EQ(merged.size(), 3u);
  EXPECT_EQ(merged.find("a").text(), "1");  // the earlier of the merged mappings wins
  EXPECT_EQ(merged.find("b").text(), "own");
  EXPECT_EQ(merged.find("d").text(), "4");
  EXPECT_EQ(root.find("quoted").find("<<").text(), "kept");
}

TEST_F(DocumentTest, AnchorsEndWithTheirDocument) {
  EXPECT_EQ(problems("a: &x 1\n---\nb: *x\n"), "undefined-alias:3:4");
}

TEST_F(DocumentTest, AliasesThatAreWrongAreRefused) {
  EXPECT_EQ(problems("a: *nowhere\n"), "undefined-alias:1:4");
  EXPECT_EQ(problems("a: &a [*a]\n"), "undefined-alias:1:8");
  EXPECT_EQ(problems("a: &a {<<: *a}\n"), "undefined-alias:1:12");
  EXPECT_EQ(problems("a:\n  <<: 5\n"), "yaml-syntax:2:3");
  EXPECT_EQ(problems("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n"), "duplicate-key:4:3");
}

TEST_F(DocumentTest, BillionLaughsIsRefusedQuickly) {
  std::string text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) {
      text += (j == 0 ? "" : ", ") + below;
    }
    text += "]\n";
  }
  // Level 1 adds 110 nodes, level 2 1,110, level 3 11,110: past 10,000 in line 4.
  EXPECT_EQ(problems(text).substr(0, 18), "too-many-aliases:4");
  // Deep rather than wide: each level wraps the one below.
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 120; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_EQ(problems(deep).substr(0, 8), "too-deep");
}

TEST_F(DocumentTest, DuplicateKeysAreAllReported) {
  EXPECT_EQ(problems("a: 1\nb: 2\na: 3\nc: {x: 1, x: 2}\n"), "duplicate-key:4:11, duplicate-key:3:1");
  EXPECT_EQ(problems(R"({"a": 1, "b": {"c": 1, "\u0063": 2}, "a": 2})"), "duplicate-key:1:24, duplicate-key:1:38");
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "k" + std::to_string(i) + ": 1\n";
  }
  EXPECT_EQ(problems(text + "k7: 2\nk7: 3\n"), "duplicate-key:21:1, duplicate-key:22:1");
}

TEST_F(DocumentTest, MalformedYamlIsReportedAtItsPlace) {
  EXPECT_EQ(problems("a: \"b\nc: d\n"), "yaml-syntax:1:4");
  EXPECT_EQ(problems("a:\n\tb: c\n"), "yaml-syntax:2:1");
  EXPECT_EQ(problems("a:\n  b: 1\n c: 2\n"), "yaml-syntax:3:2");
  EXPECT_EQ(problems("a: [1, 2\n"), "yaml-syntax:1:4");
  EXPECT_EQ(problems("a: b: c\n"), "yaml-syntax:1:5");
  EXPECT_EQ(problems("a: @x\n"), "yaml-syntax:1:4");
  EXPECT_EQ(problems("a: !custom x\n"), "yaml-syntax:1:4");
  EXPECT_EQ(problems("? [a, b]\n: c\n"), "yaml-syntax:1:3");
}

TEST_F(DocumentTest, EachBrokenDocumentOfAStreamIsReported) {
  EXPECT_EQ(problems("a: 'x\n---\nb: 1\n---\nc: [\n---\nd: 1\nd: 2\n"),
            "yaml-syntax:1:4, yaml-syntax:5:4, duplicate-key:8:1");
}

TEST_F(DocumentTest, MalformedJsonIsReportedAtItsPlace) {
  EXPECT_EQ(problems("{\"a\": 1"), "json-syntax:1:8, json-syntax:1:1");
  EXPECT_EQ(problems("{\"a\" 1}"), "json-syntax:1:6");
  EXPECT_EQ(problems("{\"a\": 1 \"b\": 2}"), "json-syntax:1:9");
  EXPECT_EQ(problems("{\"a\": [1, 2}"), "json-syntax:1:12");
  EXPECT_EQ(problems("{\"a\": \"b}\n"), "json-syntax:1:7");
  EXPECT_EQ(problems("{\"a\": \"b\n\"}"), "json-syntax:1:7");
  EXPECT_EQ(problems("{\"a\": \"\x01\"}"), "json-syntax:1:8");
  EXPECT_EQ(problems("{\"a\": \"\\q\"}"), "json-syntax:1:8");
  EXPECT_EQ(problems("{\"a\": \"\\ud800\"}"), "json-syntax:1:8");
  EXPECT_EQ(problems("{\"a\": ,}"), "json-syntax:1:7");
  EXPECT_EQ(problems("{\"a\": 1}}"), "json-syntax:1:9");
  EXPECT_EQ(problems("{\"a\": 1} // x"), "json-syntax:1:10");
}

TEST_F(DocumentTest, BytesThatAreNotTextAreRefused) {
  EXPECT_EQ(problems("a: \xff\n"), "invalid-utf8:1:4");
  EXPECT_EQ(problems("{\"a\": \"\xc3\"}"), "invalid-utf8:1:8");
  EXPECT_EQ(problems("\xff\xfe"
                     "a"),
            "invalid-utf8:1:1");
  EXPECT_EQ(problems(std::string("a: x\0y\n", 7)), "invalid-utf8:1:5");
  EXPECT_EQ(problems("a: \x1b[31m\n").substr(0, 15), "yaml-syntax:1:4");
}

TEST_F(DocumentTest, NestingIsLimitedWithoutRecursion) {
  const Limits limits{.max_depth = 3};
  EXPECT_EQ(problems("[[[1]]]", limits), "");
  EXPECT_EQ(problems("[[[[1]]]]", limits), "too-deep:1:4");
  EXPECT_EQ(problems("a: {b: {c: 1}}", limits), "");
  EXPECT_EQ(problems("a: {b: {c: {d: 1}}}", limits), "too-deep:1:12");
  EXPECT_EQ(problems(std::string(1'000'000, '[')), "too-deep:1:101");
  std::string json;
  std::string yaml = "a: ";
  for (int i = 0; i < 200'000; ++i) {
    json += "{\"a\":";
    yaml += "[";
  }
  EXPECT_EQ(problems(json), "too-deep:1:501");
  EXPECT_EQ(problems(yaml), "too-deep:1:103");
  std::string block;
  for (int i = 0; i < 100'000; ++i) {
    block += "- ";
  }
  EXPECT_EQ(problems(block), "too-deep:1:201");
}

TEST_F(DocumentTest, SizesAreLimited) {
  EXPECT_EQ(problems("a: 1234567890", {.max_bytes = 10}), "too-large:1:1");
  EXPECT_EQ(problems("a: 1\nb: 1234567890\n", {.max_line_bytes = 10}), "too-long-line:2:1");
  EXPECT_EQ(problems("{\"a\": \"1234567890\"}", {.max_line_bytes = 10}), "");
  EXPECT_EQ(problems("---\n---\n---\n", {.max_documents = 2}).substr(0, 9), "too-large");
  EXPECT_EQ(problems("{}{}{}", {.max_documents = 2}), "too-large:1:5");
}

TEST_F(DocumentTest, TagsOfTheCoreSchemaAreAccepted) {
  const Node root = read("a: !!str 8080\nb: !!int 5\nc: ! x\n");
  EXPECT_TRUE(root.find("a").is_quoted());
  EXPECT_FALSE(root.find("b").is_quoted());
  EXPECT_TRUE(root.find("c").is_quoted());
}

TEST_F(DocumentTest, AnAbsentNodeAnswersLikeAnEmptyNull) {
  const Node none;
  EXPECT_TRUE(none.is_null());
  EXPECT_EQ(none.text(), "");
  EXPECT_EQ(none.size(), 0u);
  EXPECT_FALSE(none.find("x").find("y").is_present());
  EXPECT_FALSE(none.span().is_known());
  EXPECT_FALSE(none.begin() != none.end());
}

}  // namespace
}  // namespace podwire::config
