// `podwire reach --cni A,B`: where network plugins disagree, a column a profile.
#pragma once

#include <string>
#include <vector>

#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "models/analysis/compare_profiles.hpp"

namespace podwire::report {

/// One policy set under several profiles.
struct ProfilesView {
  std::string policy_set;
  Basis basis;
  std::vector<std::string> profiles;
  std::vector<analysis::ComparedRow> rows;  // those that differ
  std::size_t same_rows = 0;
};

/// Takes the rows that differ out of all.
ProfilesView profiles_view(const std::string& policy_set, Basis basis, const std::vector<cni::Profile>& profiles,
                           std::vector<analysis::ComparedRow> rows);

std::string profiles_table(const std::vector<ProfilesView>& views, const Style& style);
/// {"apiVersion", "scenario", "policySets": [{"policySet", "basis", "profiles", "differences": [{"source",
/// "destination", "connections": {profile: text}, "fields": […]}], "sameRows"}]}
std::string profiles_json(const std::vector<ProfilesView>& views, const std::string& scenario_name);
/// `source,destination,PROFILE…,fields`, with a first column `policySet` when there are several.
std::string profiles_csv(const std::vector<ProfilesView>& views);

}  // namespace podwire::report
