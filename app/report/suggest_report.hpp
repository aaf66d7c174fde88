// Suggested policies as a manifest that people can read, change and apply: evidence beside each rule, what was left out
// at the top.
#pragma once

#include <string>
#include <vector>

#include "models/analysis/suggest.hpp"

namespace podwire::report {

struct SuggestView {
  std::vector<std::string> inputs;  // what was looked at, as the user named it
  std::string version;
  analysis::Suggestion suggestion;
};

/// NetworkPolicies, one YAML document each. Texts of the input are quoted, in comments escaped.
std::string suggest_yaml(const SuggestView& view);
/// {"apiVersion":"podwire/v1", "policies": [{"manifest": …, "rules": [{"direction", "peer", "connections", "first",
/// "last"}]}], "notes": […]}
std::string suggest_json(const SuggestView& view);

}  // namespace podwire::report
