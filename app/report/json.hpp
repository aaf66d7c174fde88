// JSON parts that several reports share. Keys stand in the order of writing, so that results can be compared as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/report/run_report.hpp"

namespace podwire::report {

using nlohmann::ordered_json;

ordered_json basis_json(const Basis& basis);
ordered_json reach_json(const std::vector<ReachRecord>& lines);
/// With its line break; invalid UTF-8 in names becomes U+FFFD.
std::string write_json(const ordered_json& object, bool is_indented);

}  // namespace podwire::report
