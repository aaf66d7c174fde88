// podwire explain: why one connection is allowed or denied.
#include <fmt/format.h>

#include "app/cli/cli.hpp"
#include "app/report/explain_report.hpp"
#include "models/analysis/explain.hpp"

namespace podwire::cli {
namespace {

// `external` stands for an address that no cluster has (RFC 5737), as in scenarios.
std::string external_address(const std::string& text) {
  constexpr std::string_view kWord = "external";
  constexpr std::string_view kAddress = "203.0.113.1";
  const bool is_external = text == kWord || text.starts_with("external:");
  return is_external ? fmt::format("{}{}", kAddress, text.substr(kWord.size())) : text;
}

}  // namespace

Exit verb_explain(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line, 2);
  if (line.words.size() < 2 || paths.empty()) {
    say("explain: give SOURCE, DESTINATION:PORT, and the manifests or the scenario");
    say("see `podwire explain --help`");
    return Exit::bad_input;
  }
  scenario::LoadOptions options = line.load;
  if (!read_standard_input(paths, options)) {
    return Exit::bad_input;
  }
  SourceMap sources;
  const auto scenario = scenario::load(sources, paths, options);
  show(scenario.diagnostics(), sources, line);
  if (!scenario) {
    return Exit::bad_input;
  }
  // The names are shown as a source of their own, so that carets have something to point at.
  const SourceId words = sources.add("command line", fmt::format("{} {}", line.words[0], line.words[1]));
  const Span span{words, 0, static_cast<std::uint32_t>(sources.text(words).size())};
  Exit exit = Exit::ok;
  std::vector<report::ExplainView> views;
  for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
    policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile());
    Diagnostics problems;
    const auto explanation = analysis::explain(engine, external_address(line.words[0]), external_address(line.words[1]),
                                               span, problems, scenario->file->cluster.externals);
    show(problems, sources, line);
    if (!explanation || problems.has_errors()) {
      return Exit::bad_input;
    }
    const bool is_unknown = explanation->answer == analysis::Answer::unknown;
    exit = worse(exit, is_unknown ? Exit::inconclusive : Exit::ok);
    views.push_back(report::explain_view(plan.name, report::basis_of(*scenario, plan, sources, false), *explanation,
                                         engine, sources));
  }
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::explain_json(views, scenario->name());
                   case Format::csv:
                     return report::explain_csv(views);
                   default:  // table
                     break;
                 }
                 return report::explain_table(views, style);
               }));
}

}  // namespace podwire::cli
