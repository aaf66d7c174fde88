// scenarios/schema.json against the reader: the same keys, both ways, and every scenario of the repository is valid.
// The validator below knows the words that the schema uses and fails on any other.
#include "app/scenario/schema.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "app/scenario/file.hpp"
#include "sim/config/render.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::scenario {
namespace {

namespace fs = std::filesystem;
using config::Node;

struct SchemaTest : testing::Test {
  void SetUp() override {
    auto parsed = config::parse_text(sources, "schema.json", std::string(scenario_schema()));
    ASSERT_TRUE(parsed.has_value()) << config::render(parsed.diagnostics(), sources, {.short_form = true});
    documents.push_back(std::move(parsed).value());
    schema = documents.back().roots().front();
  }
  Node parse(const std::string& name, const std::string& text) {
    auto parsed = config::parse_text(sources, name, text);
    EXPECT_TRUE(parsed.has_value()) << config::render(parsed.diagnostics(), sources, {.short_form = true});
    documents.push_back(std::move(parsed).value());
    return documents.back().roots().front();
  }
  Node resolved(Node at) {
    while (at.find("$ref").is_present()) {
      const std::string_view name = at.find("$ref").text();
      EXPECT_TRUE(name.starts_with("#/definitions/")) << name;
      at = schema.find("definitions").find(name.substr(14));
      EXPECT_TRUE(at.is_mapping()) << name;
    }
    return at;
  }

  /// Every path to a key below `at`: "spec.workloads[].server.time".
  void collect(Node at, const std::string& path, std::set<std::string>& keys) {
    at = resolved(at);
    for (const Node member : at.find("properties")) {
      const std::string below = path.empty() ? std::string(member.key()) : fmt::format("{}.{}", path, member.key());
      keys.insert(below);
      collect(member, below, keys);
    }
    if (at.find("items").is_mapping()) {
      collect(at.find("items"), path + "[]", keys);
    }
    if (at.find("additionalProperties").is_mapping()) {
      collect(at.find("additionalProperties"), path + ".*", keys);
    }
    for (const Node choice : at.find("anyOf")) {
      collect(choice, path, keys);
    }
  }

  static bool is_number(Node value, bool is_whole) {
    const std::string text(value.text());
    return value.is_scalar() && !value.is_quoted() &&
           std::regex_match(text, std::regex(is_whole ? "[0-9]+" : "[0-9]+(\\.[0-9]+)?"));
  }
  static bool has_type(Node value, std::string_view type) {
    if (type == "object") {
      return value.is_mapping();
    }
    if (type == "array") {
      return value.is_sequence();
    }
    if (type == "null") {
      return value.is_null();
    }
    if (type == "string") {
      return value.is_scalar() && (value.is_quoted() || !is_number(value, false));
    }
    EXPECT_TRUE(type == "integer" || type == "number") << type;
    return is_number(value, type == "integer");
  }

  /// "" if `value` is what `at` allows, else what is wrong.
  std::string problem(Node value, Node at) {
    at = resolved(at);
    if (const Node choices = at.find("anyOf"); choices.is_sequence()) {
      std::string reasons;
      for (const Node choice : choices) {
        const std::string why = problem(value, choice);
        if (why.empty()) {
          return "";
        }
        reasons += fmt::format("({})", why);
      }
      return fmt::format("no choice fits {}", reasons);
    }
    if (const Node only = at.find("const"); only.is_present()) {
      return value.is_scalar() && value.text() == only.text() ? "" : fmt::format("not {}", only.text());
    }
    if (const Node names = at.find("enum"); names.is_sequence()) {
      for (const Node name : names) {
        if (value.is_scalar() && value.text() == name.text()) {
          return "";
        }
      }
      return fmt::format("\"{}\" is none of the names", value.text());
    }
    if (const Node type = at.find("type"); type.is_present() && !has_type(value, type.text())) {
      return fmt::format("{} is no {}", value.path(), type.text());
    }
    if (const Node pattern = at.find("pattern"); pattern.is_present()) {
      const std::string text(value.text());
      if (!std::regex_search(text, std::regex(std::string(pattern.text())))) {
        return fmt::format("\"{}\" does not match {}", text, pattern.text());
      }
    }
    for (const auto& [word, sign] : {std::pair("minimum", 1.0), std::pair("maximum", -1.0)}) {
      if (const Node bound = at.find(word);
          bound.is_present() && value.is_scalar() &&
          sign * (std::stod(std::string(value.text())) - std::stod(std::string(bound.text()))) < 0.0) {
        return fmt::format("{} is beyond the {}", value.text(), word);
      }
    }
    for (const Node key : at.find("required")) {
      if (!value.find(key.text()).is_present()) {
        return fmt::format("{} is missing", key.text());
      }
    }
    return problem_inside(value, at);
  }
  std::string problem_inside(Node value, Node at) {
    for (const Node child : value) {
      Node child_schema;
      if (value.is_sequence()) {
        child_schema = at.find("items");
      } else if (child_schema = at.find("properties").find(child.key()); !child_schema.is_present()) {
        child_schema = at.find("additionalProperties");
        if (child_schema.is_scalar()) {
          return fmt::format("unknown key {}", child.key());
        }
      }
      if (child_schema.is_mapping()) {
        if (const std::string why = problem(child, child_schema); !why.empty()) {
          return fmt::format("{}: {}", value.is_sequence() ? "item" : child.key(), why);
        }
      }
    }
    return "";
  }

  SourceMap sources;
  std::deque<config::Document> documents;
  Node schema;
};

/// Everything that the reader can be asked for, at least once.
constexpr const char* kEverySection = R"(apiVersion: podwire/v1
kind: Scenario
metadata: {name: x}
spec:
  cluster:
    from: [m]
    cni: {profile: spec}
    dns: {externals: {out: {addresses: [192.0.2.1], ttl: 5s}}}
    listens: [{workload: w, ports: [80]}]
  policySets: {one: {}}
  workloads:
    - {name: w, from: a/b, to: "http://c", rate: 1/s, server: {time: {lognormal: {median: 1ms, sigma: 1}}}}
  events:
    - {at: 1s, apply: late.yaml, label: [{object: a/pod/b, remove: tier}], patch: [{object: a/pod/b, merge: {}}]}
  expect:
    - {from: a, to: b, verdict: allowed}
    - {workload: w, success: 100%}
)";

/// "workloads.w.rate" and "workloads[0].rate" as the schema's paths: "spec.workloads[].rate".
std::string as_schema_path(std::string path) {
  constexpr std::string_view kTop = "(top).";
  if (path.starts_with(kTop)) {
    return path.substr(kTop.size());
  }
  path = std::regex_replace(path, std::regex("^workloads\\.w(\\.|$)"), "workloads[]$1");
  path = std::regex_replace(path, std::regex("^cluster\\.dns\\.externals\\.out(\\.|$)"), "cluster.dns.externals.*$1");
  path = std::regex_replace(path, std::regex("^policySets\\.one(\\.|$)"), "policySets.*$1");
  path = std::regex_replace(path, std::regex("\\[[0-9]+\\]"), "[]");
  return "spec." + path;
}

TEST_F(SchemaTest, HasTheKeysThatTheReaderAsksForAndNoOthers) {
  Settings settings;
  Diagnostics diagnostics;
  settings.add(sources, "zzz=1", diagnostics);  // the reader notes paths only where there is some setting
  read_scenario_file(parse("scenario.yaml", kEverySection), settings, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources, {.short_form = true});
  std::set<std::string> asked;
  for (const std::string& path : settings.known_paths()) {
    asked.insert(as_schema_path(path));
  }
  EXPECT_EQ(asked.erase("spec.sweep"), 1u);  // known, and refused
  std::erase_if(asked, [](const std::string& path) { return path.ends_with("[]") || path.ends_with(".*"); });
  std::set<std::string> written;
  collect(schema, "", written);
  for (const std::string& path : asked) {
    EXPECT_TRUE(written.contains(path)) << path << " is read and not in scenarios/schema.json";
  }
  for (const std::string& path : written) {
    EXPECT_TRUE(asked.contains(path)) << path << " is in scenarios/schema.json and never read";
  }
}

TEST_F(SchemaTest, EveryScenarioIsValid) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWIRE_SOURCE_DIR) / "scenarios")) {
    const fs::path path = entry.path() / "scenario.yaml";
    if (!fs::exists(path)) {
      continue;
    }
    std::ifstream in(path);
    const Node root = parse(path.string(), {std::istreambuf_iterator<char>(in), {}});
    EXPECT_EQ(problem(root, schema), "") << path;
    ++count;
  }
  EXPECT_GE(count, 6u);
  EXPECT_EQ(problem(parse("every.yaml", kEverySection), schema), "");
}

TEST_F(SchemaTest, WrongKeysTypesAndBoundsAreInvalid) {
  const std::pair<const char*, const char*> changes[] = {
      {"kind: Scenario", "kind: Deployment"},
      {"from: [m]", "form: [m]"},
      {"rate: 1/s", "rate: 1"},
      {"verdict: allowed", "verdict: yes-please"},
      {"ports: [80]", "ports: [0]"},
      {"success: 100%", "succes: 100%"},
      {"median: 1ms", "median: fast"},
      {"name: w, from", "name: 'not a name', from"},
      {"metadata: {name: x}", "metadata: x"},
      {"{one: {}}", "{one: {bsae: none}}"},
  };
  for (const auto& [from, to] : changes) {
    std::string text = kEverySection;
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), std::string_view(from).size(), to);
    EXPECT_NE(problem(parse("changed.yaml", text), schema), "") << to;
  }
}

}  // namespace
}  // namespace podwire::scenario
