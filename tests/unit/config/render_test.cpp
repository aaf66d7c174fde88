// Messages on a terminal: forms, carets, escapes, and lines that may hold secrets.
#include "sim/config/render.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sim/config/document.hpp"

namespace podwire::config {
namespace {

class RenderTest : public ::testing::Test {
 protected:
  /// Renders one error at the first occurrence of `mark` in `text`.
  std::string at(const std::string& text, const std::string& mark, const std::string& code = "bad-value") {
    SourceMap sources;
    const SourceId id = sources.add("in.yaml", text);
    const auto begin = static_cast<std::uint32_t>(text.find(mark));
    Diagnostics diagnostics;
    diagnostics.error(code, "wrong", {id, begin, begin + static_cast<std::uint32_t>(mark.size())});
    return render(diagnostics, sources);
  }
  bool shows(const std::string& text, const std::string& mark, const std::string& secret, const std::string& code) {
    return at(text, mark, code).find(secret) != std::string::npos;
  }
};

TEST_F(RenderTest, MessageThenPlaceThenLineThenCaretThenHelpThenCount) {
  SourceMap sources;
  const SourceId id = sources.add("scenario.yaml", "spec:\n  podSelectr: {}\n");
  Diagnostics diagnostics;
  diagnostics.error("unknown-key", "unknown key \"podSelectr\" in Workload \"browse\"", {id, 8, 18},
                    "did you mean \"podSelector\"?");
  diagnostics.warning("assumed", "something was assumed");
  EXPECT_EQ(render(diagnostics, sources),
            "warning: something was assumed\n"
            "scenario.yaml:2:3: unknown key \"podSelectr\" in Workload \"browse\"\n"
            "      podSelectr: {}\n"
            "      ^~~~~~~~~~\n"
            "    did you mean \"podSelector\"?\n"
            "1 error, 1 warning\n");
  EXPECT_EQ(render(diagnostics, sources, {.short_form = true}),
            "warning: something was assumed [assumed]\n"
            "scenario.yaml:2:3: error: unknown key \"podSelectr\" in Workload \"browse\" [unknown-key]; did you mean "
            "\"podSelector\"?\n"
            "1 error, 1 warning\n");
  EXPECT_NE(render(diagnostics, sources, {.color = true}).find("\x1b[1;31m"), std::string::npos);
  EXPECT_EQ(render({}, sources), "");
}

TEST_F(RenderTest, FurtherErrorsAreCounted) {
  SourceMap sources;
  Diagnostics diagnostics;
  for (int i = 0; i < 7; ++i) {
    diagnostics.error("x", "problem " + std::to_string(i));
  }
  EXPECT_EQ(render(diagnostics, sources, {.limit = 1}), "problem 0\n7 errors (6 not shown)\n");
}

TEST_F(RenderTest, ForeignTextIsEscaped) {
  SourceMap sources;
  const SourceId id = sources.add("a\x1b[2Jb.yaml", "x: \x1b[31mred\xe2\x80\xae\n");
  Diagnostics diagnostics;
  diagnostics.error("x", "bad\nname \x07", {id, 3, 4});
  const std::string text = render(diagnostics, sources);
  EXPECT_EQ(text,
            "a\\x1b[2Jb.yaml:1:4: bad\\x0aname \\x07\n"
            "    x: \\x1b[31mred\\u{202e}\n"
            "       ^~~~\n"
            "1 error\n");
}

TEST_F(RenderTest, CaretsStandUnderWideAndTabbedText) {
  EXPECT_EQ(at("k\xc3\xa9y:\tvalue\n", "value"),
            "in.yaml:1:7: wrong\n    k\xc3\xa9y: value\n         ^~~~~\n1 error\n");
}

TEST_F(RenderTest, LongLinesAreShownAroundTheCaret) {
  const std::string text = at("x: " + std::string(1000, 'a') + "MARK" + std::string(1000, 'b') + "\n", "MARK");
  EXPECT_LT(text.size(), 500u);
  EXPECT_NE(text.find("aMARKb"), std::string::npos);
  EXPECT_NE(text.find("\n    …aaa"), std::string::npos);
}

TEST_F(RenderTest, ValuesThatMayBeSecretAreMasked) {
  const std::string deployment = R"(kind: Deployment
metadata:
  annotations:
    note: hunter2
  name: web
spec:
  env:
  - name: PASSWORD
    value: hunter2
  ports: 80
)";
  EXPECT_EQ(at(deployment, "value: hunter2"), "in.yaml:9:5: wrong\n        value: •••\n        ^~~~~~\n1 error\n");
  EXPECT_EQ(at(deployment, "note: "), "in.yaml:4:5: wrong\n        note: •••\n        ^~~~~\n1 error\n");
  EXPECT_TRUE(shows(deployment, "name: web", "web", "bad-value"));
  EXPECT_TRUE(shows(deployment, "80", "80", "bad-value"));
  // A broken text has no reliable indentation: mask everything.
  EXPECT_FALSE(shows(deployment, "name: web", "web", "yaml-syntax"));
}

TEST_F(RenderTest, SecretsAndConfigMapsShowOnlyKeys) {
  for (const char* kind :
       {"kind: Secret", "kind: \"ConfigMap\"", "{kind: Secret,", "'kind' : Secret", "- kind: SecretList"}) {
    const std::string text = std::string(kind) + "\nother: hunter2\n";
    EXPECT_FALSE(shows(text, "other", "hunter2", "bad-value")) << kind;
  }
  EXPECT_TRUE(shows("kind: Secret\n---\nother: plain\n", "other", "plain", "bad-value")) << "the next document is free";
}

TEST_F(RenderTest, SecretsInEveryLayoutAreMasked) {
  const std::string layouts[] = {
      "spec: {env: [\n  {name: a, value: hunter2}]}\n",
      "env: [{name: a, value: hunter2}]\n",
      "data:\n  file: |\n    line\n    hunter2\n",
      "data:\n  file: \"one\n   hunter2\"\n",
      "stringData:\n\n# comment\n  k: hunter2\n",
      "env:\n- name: a\n  value: hunter2\n",
      "env:\n- hunter2\n",
      "spec:\n  env:\n  -\n    value:\n      hunter2\n",
      "{\"env\": [{\"name\": \"a\", \"value\": \"hunter2\"}]}",
      "{\n\"env\": [\n{\n\"value\": \"hunter2\"\n}\n]\n}\n",
      "a: {\n  env:\n  [\n  {value: hunter2}]}\n",
      "{\"metadata\":{\n\"annotations\"\n:\n{\"a\":\"hunter2\"}}}",
  };
  for (const std::string& text : layouts) {
    EXPECT_FALSE(shows(text, "hunter2", "hunter2", "bad-value")) << text;
    EXPECT_FALSE(shows(text, "hunter2", "hunter2", "yaml-syntax")) << text;
  }
  // Wrongly indented: the secret has slipped out of its block.
  EXPECT_FALSE(shows("env:\n  - name: a\nvalue: hunter2\n  b: c\n", "hunter2", "hunter2", "yaml-syntax"));
  EXPECT_FALSE(shows("data:\n  k: \"x\nhunter2\n", "hunter2", "hunter2", "yaml-syntax"));
}

}  // namespace
}  // namespace podwire::config
