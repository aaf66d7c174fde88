// `podwire explain`: the answer, then both directions' reasons with their places, then what could be done.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/report/run_report.hpp"
#include "app/report/trace_report.hpp"
#include "app/scenario/lookup.hpp"
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
  struct Step {
    std::string tier;     // "admin", "NetworkPolicy", "baseline"
    std::string outcome;  // "pass", "deny" …
    std::string text;
    std::string place;
    std::vector<std::pair<std::string, std::string>> selecting;  // policies of the tier that select the pod, place
    std::vector<NearRule> nearest;
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
    std::vector<Step> chain;  // the tiers in the order of evaluation
  };
  struct Path {
    std::string source;
    std::string destination;
    std::uint32_t source_pods = 1;
    std::uint32_t destination_pods = 1;
    std::uint16_t port = 0;
    std::string family;  // "IPv4" or "IPv6" where the other fares otherwise; "" otherwise
    bool is_listening = true;
    std::string action;
    Side egress;
    Side ingress;
    std::string next_step;  // "" when it is allowed
  };
  /// A destination that was given as a host name.
  struct Lookup {
    struct Query {
      std::string name;
      std::string outcome;
      std::vector<std::string> cnames;
      std::vector<std::string> addresses;
      bool is_assumed = false;
    };
    std::string host;
    std::string pod;
    std::string server;
    std::string status;
    std::string udp;  // what becomes of questions: "allowed", "denied" …; "" when there is nobody to ask
    std::string tcp;
    bool is_cut_off = false;
    std::vector<Query> queries;
    std::vector<Path> blocked;  // the questions' paths that are not allowed
    std::string next_step;
  };
  std::string policy_set;
  Basis basis;
  std::string source;
  std::string destination;
  std::string port;  // "TCP 80"
  std::string answer;
  std::vector<Path> paths;
  std::vector<std::string> notes;
  std::optional<Lookup> lookup;
  std::optional<TraceView> trace;  // with --trace
};

/// `lookup`: how the destination's name was resolved, where it was one.
ExplainView explain_view(const std::string& policy_set, Basis basis, const analysis::ConnectionExplanation& explanation,
                         const policy::PolicyEngine& engine, const SourceMap& sources,
                         const scenario::Lookup* lookup = nullptr);

std::string explain_table(const std::vector<ExplainView>& views, const Style& style);
std::string explain_json(const std::vector<ExplainView>& views, const std::string& scenario_name);
/// One line for each path and direction.
std::string explain_csv(const std::vector<ExplainView>& views);

}  // namespace podwire::report
