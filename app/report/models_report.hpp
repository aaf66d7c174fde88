// `podwire models` and `podwire version`: what the models assume, with units, certainty and sources.
#pragma once

#include <string>
#include <vector>

#include "app/report/text_table.hpp"
#include "models/cni/profile.hpp"

namespace podwire::report {

/// One model's parameters: a CNI profile, the underlay …
struct ModelGroup {
  std::string name;             // "calico-vxlan", "underlay"
  std::string title;            // one line for people
  std::string timing;           // of a profile: the worst certainty of its numbers
  std::string versions;         // of a profile: "calico 3.29 and later"
  std::string versions_source;  // why these
  std::vector<cni::Parameter> parameters;
};

/// The profiles and, with `with_others`, the models that are the same under every profile.
std::vector<ModelGroup> model_groups(const std::vector<cni::Profile>& profiles, bool with_others);

/// What there is: the profiles, a line each, and what each of their values means; then the groups that are no profiles.
std::string models_overview(const std::vector<ModelGroup>& groups, const Style& style);
/// Every parameter of the groups.
std::string models_table(const std::vector<ModelGroup>& groups, const Style& style);
std::string models_json(const std::vector<ModelGroup>& groups);
std::string models_csv(const std::vector<ModelGroup>& groups);

struct Version {
  std::string version;
  std::string build;
  std::string compiler;
};
std::string version_json(const Version& version);
std::string version_csv(const Version& version);

}  // namespace podwire::report
