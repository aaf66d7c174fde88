// `podwire explain`: the answer, then both directions' reasons with their places, then what could be done.
#pragma once

#include <string>
#include <vector>

#include "app/report/run_report.hpp"
#include "models/analysis/explain.hpp"

namespace podwire::report {

/// One policy set's explanation with texts and places filled in; what the formats print.
struct ExplainView {
  struct NearRule {
    std::string policy;  // "backend/allow-web"
    std::size_t rule = 0;
    std::string criterion;
    std::string place;
  };
  struct Side {
    std::string direction;
    std::string action;  // "allowed", "denied", "unknown"
    std::string cause;   // "default-deny"
    std::string text;
    std::string place;
    std::string overruled_by;  // the admin rule that denies: no NetworkPolicy can allow it
    std::vector<std::pair<std::string, std::string>> isolating;  // policy, place
    std::vector<NearRule> nearest;
  };
  struct Path {
    std::string source;
    std::string destination;
    std::uint32_t source_pods = 1;
    std::uint32_t destination_pods = 1;
    std::uint16_t port = 0;
    bool is_listening = true;
    std::string action;
    Side egress;
    Side ingress;
    std::string next_step;  // "" when it is allowed
  };
  std::string policy_set;
  Basis basis;
  std::string source;
  std::string destination;
  std::string port;  // "TCP 80"
  std::string answer;
  std::vector<Path> paths;
  std::vector<std::string> notes;
};

ExplainView explain_view(const std::string& policy_set, Basis basis, const analysis::ConnectionExplanation& explanation,
                         const policy::PolicyEngine& engine, const SourceMap& sources);

std::string explain_table(const std::vector<ExplainView>& views, const Style& style);
std::string explain_json(const std::vector<ExplainView>& views, const std::string& scenario_name);
/// One line for each path and direction.
std::string explain_csv(const std::vector<ExplainView>& views);

}  // namespace podwire::report
