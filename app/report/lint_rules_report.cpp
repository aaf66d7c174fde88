// The table of lint rules for people: a list, JSON, and the document docs/lint.md.
#include <fmt/format.h>

#include "app/report/json.hpp"
#include "app/report/lint_report.hpp"
#include "app/report/text_table.hpp"

namespace podwire::report {
namespace {

constexpr std::string_view kHead = R"(# The rules of `podwire lint`

This page is what `podwire lint --rules -o md` prints. `podwire lint PATH…` reads a scenario, manifests or a dump and
reports each mistake with its place and what to do about it. Verdicts are those of the compiled policies, under the
network plugin that the input shows or `--cni` names.

- **Severity**: an error cannot be meant; a warning very likely is not; info is worth knowing. `--fail-on` says from which
  severity on the exit status is 1; the default is warning, so that notes never fail a build. `--rule ID` runs
  some rules only, `--skip ID` leaves some out.
- **Suppressing**: the annotation `podwire/ignore: RULE[, RULE]` on an object suppresses these rules for it; on a Namespace
  for everything in it too. Suppressed findings are counted; `--no-ignore` shows them.
- **Exit status**: 0 nothing to fail on, 1 findings, 2 bad input, 4 when an object that podwire does not model (a
  CiliumNetworkPolicy, say) leaves a rule undecided that could have failed, and nothing else does.
- **Partial input**: what the input lacks is not held against it. Rules that compare selectors with pods are silent for
  namespaces without pods in the input, those about namespace labels where it defines no Namespace, those about
  DNS where a rule names port 53 and the input has no DNS pods, and those about names of Services and accounts where it
  has nothing of their namespace. Policies alone are judged too: one-sided-allow, egress-without-dns, dns-udp-only and
  dns-isolates-all then take the pods that selectors describe for pods, and report what holds for all of them.
- **Policy sets** of a scenario are judged one by one; a finding that only some of them have names these.
- **Formats** (`-o`): text, json, sarif (2.1.0), github (annotations), md (a table).

| rule | severity | |
|---|---|---|
)";

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '|' ? std::string("\\|") : std::string(1, c);
  }
  return out;
}

}  // namespace

std::string lint_rules_text(const Style& style) {
  TextTable table;
  table.column("rule");
  table.column("severity");
  table.column("finds");
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    table.row({std::string(rule.id), std::string(to_string(rule.severity)), std::string(rule.summary)});
  }
  return table.to_string(0, style);
}

std::string lint_rules_json() {
  ordered_json rules = ordered_json::array();
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    rules.push_back({{"id", rule.id},
                     {"severity", to_string(rule.severity)},
                     {"summary", rule.summary},
                     {"description", rule.description},
                     {"remedy", rule.remedy},
                     {"bad", rule.bad},
                     {"good", rule.good}});
  }
  return write_json({{"apiVersion", "podwire/v1"}, {"rules", std::move(rules)}}, true);
}

std::string lint_rules_markdown() {
  std::string text(kHead);
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    text += fmt::format("| [{}](#{}) | {} | {} |\n", rule.id, rule.id, to_string(rule.severity), cell(rule.summary));
  }
  for (const analysis::LintRule& rule : analysis::lint_rules()) {
    text += fmt::format(
        "\n## {}\n\n**{}**: {}\n\n{}\n\nWhat to do: {}\n\nBad:\n\n```yaml\n{}```\n\nGood:\n\n```yaml\n{}```\n", rule.id,
        to_string(rule.severity), rule.summary, wrapped(rule.description, 0, 120), wrapped(rule.remedy, 0, 108),
        rule.bad, rule.good);
  }
  return text;
}

}  // namespace podwire::report
