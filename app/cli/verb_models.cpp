// podwire models: every parameter with its unit, default, certainty and source.
#include <fmt/format.h>

#include "app/cli/cli.hpp"
#include "app/report/models_report.hpp"
#include "models/cni/profile.hpp"

namespace podwire::cli {

Exit verb_models(const CommandLine& line) {
  std::vector<std::string> names = line.words;
  const bool lists_all = names.empty();
  if (lists_all) {
    names = cni::builtin_profiles();
  }
  Diagnostics problems;
  std::vector<cni::Profile> profiles;
  for (const std::string& name : names) {
    auto profile = cni::load_builtin(name);
    problems.append(profile.diagnostics());
    if (profile) {
      profiles.push_back(std::move(profile).value());
    }
  }
  if (problems.has_errors()) {
    show(problems, SourceMap(), line);
    return Exit::bad_input;
  }
  const std::vector<report::ModelGroup> groups = report::model_groups(profiles, lists_all);
  return write_outputs(line, [&](Format format, const report::Style& style) {
    switch (format) {
      case Format::json:
        return report::models_json(groups);
      case Format::csv:
        return report::models_csv(groups);
      default:  // table
        break;
    }
    return lists_all ? report::models_overview(groups, style) : report::models_table(groups, style);
  });
}

}  // namespace podwire::cli
