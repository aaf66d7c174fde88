#include "app/report/suggest_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/report/json.hpp"
#include "models/flows/reader.hpp"
#include "sim/base/text.hpp"
#include "sim/config/json_text.hpp"

namespace podwire::report {
namespace {

using analysis::SuggestedPeer;
using analysis::SuggestedPolicy;
using analysis::SuggestedRule;
using cluster::SelectorOperator;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

ordered_json selector_json(const analysis::StableSelector& selector) {
  ordered_json it = ordered_json::object();
  for (const cluster::Requirement& requirement : selector) {
    if (requirement.op == SelectorOperator::in) {
      it["matchLabels"][requirement.key] = requirement.values.front();
    } else {
      it["matchExpressions"].push_back({{"key", requirement.key}, {"operator", "DoesNotExist"}});
    }
  }
  return it;
}

ordered_json peers_json(const SuggestedPeer& peer) {
  ordered_json peers = ordered_json::array();
  if (peer.is_every_pod) {
    peers.push_back({{"namespaceSelector", ordered_json::object()}});
  } else if (!peer.name_space.empty()) {
    peers.push_back({{"namespaceSelector", {{"matchLabels", {{kNameLabel, peer.name_space}}}}},
                     {"podSelector", selector_json(peer.pods)}});
  }
  for (std::size_t i = 0; i < peer.blocks.size(); ++i) {
    ordered_json block = {{"cidr", peer.blocks[i].to_string()}};
    for (const Cidr& except : peer.except) {
      if (peer.blocks[i].contains(except)) {
        block["except"].push_back(except.to_string());
      }
    }
    peers.push_back({{"ipBlock", std::move(block)}});
  }
  return peers;
}

ordered_json rule_json(const SuggestedRule& rule, const char* side) {
  ordered_json ports = ordered_json::array();
  for (const auto& [protocol, port] : rule.ports) {
    ports.push_back({{"protocol", to_string(protocol)}, {"port", port.number()}});
  }
  return {{side, peers_json(rule.peer)}, {"ports", std::move(ports)}};
}

ordered_json manifest_json(const SuggestedPolicy& policy) {
  ordered_json types = ordered_json::array();
  ordered_json spec = {{"podSelector", selector_json(policy.pods)}};
  if (policy.isolates_ingress) {
    types.push_back("Ingress");
  }
  if (policy.isolates_egress) {
    types.push_back("Egress");
  }
  spec["policyTypes"] = std::move(types);
  for (const SuggestedRule& rule : policy.ingress) {
    spec["ingress"].push_back(rule_json(rule, "from"));
  }
  for (const SuggestedRule& rule : policy.egress) {
    spec["egress"].push_back(rule_json(rule, "to"));
  }
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "NetworkPolicy"},
          {"metadata", {{"name", policy.name}, {"namespace", policy.name_space}}},
          {"spec", std::move(spec)}};
}

std::string evidence_text(const analysis::Evidence& evidence) {
  if (evidence.count == 0) {
    return "not seen; needed for names to resolve";
  }
  const std::string times =
      evidence.first == flows::kNoTime
          ? ""
          : fmt::format(", {} to {}", flows::format_time(evidence.first), flows::format_time(evidence.last));
  return fmt::format("{} connection{}{}", evidence.count, evidence.count == 1 ? "" : "s", times);
}

// A value on one line: JSON is YAML.
std::string flow(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void append_rules(std::string& out, const char* direction, const char* side, const std::vector<SuggestedRule>& rules) {
  if (rules.empty()) {
    return;
  }
  out += fmt::format("  {}:\n", direction);
  for (const SuggestedRule& rule : rules) {
    out += fmt::format("    # {}: {}\n", printable(rule.peer.name, 300), evidence_text(rule.evidence));
    const ordered_json it = rule_json(rule, side);
    out += fmt::format("    - {}:\n", side);
    for (const ordered_json& peer : it[side]) {
      bool is_first = true;
      for (const auto& [key, value] : peer.items()) {
        out += fmt::format("        {} {}: {}\n", is_first ? "-" : " ", key, flow(value));
        is_first = false;
      }
    }
    out += "      ports:\n";
    for (const ordered_json& port : it["ports"]) {
      out += fmt::format("        - {}\n", flow(port));
    }
  }
}

}  // namespace

std::string suggest_yaml(const SuggestView& view) {
  const analysis::Suggestion& it = view.suggestion;
  std::string out =
      fmt::format("# Suggested by podwire {} from {} connections of {}; {} of them are let pass by these rules.\n",
                  printable(view.version, 60), it.connections,
                  printable(fmt::format("{}", fmt::join(view.inputs, ", ")), 300), it.covered);
  for (const std::string& note : it.notes) {
    out += fmt::format("# - {}\n", printable(note, 500));
  }
  for (const SuggestedPolicy& policy : it.policies) {
    const ordered_json manifest = manifest_json(policy);
    out += fmt::format("---\n# {}\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {}\nspec:\n",
                       printable(policy.subject, 500), flow(manifest["metadata"]));
    out += fmt::format("  podSelector: {}\n  policyTypes: {}\n", flow(manifest["spec"]["podSelector"]),
                       flow(manifest["spec"]["policyTypes"]));
    append_rules(out, "ingress", "from", policy.ingress);
    append_rules(out, "egress", "to", policy.egress);
  }
  return out;
}

std::string suggest_json(const SuggestView& view) {
  ordered_json policies = ordered_json::array();
  for (const SuggestedPolicy& policy : view.suggestion.policies) {
    ordered_json rules = ordered_json::array();
    const auto add = [&](const char* direction, const std::vector<SuggestedRule>& all) {
      for (const SuggestedRule& rule : all) {
        ordered_json row = {{"direction", direction}, {"peer", rule.peer.name}, {"connections", rule.evidence.count}};
        if (rule.evidence.first != flows::kNoTime) {
          row["first"] = flows::format_time(rule.evidence.first);
          row["last"] = flows::format_time(rule.evidence.last);
        }
        rules.push_back(std::move(row));
      }
    };
    add("ingress", policy.ingress);
    add("egress", policy.egress);
    policies.push_back({{"subject", policy.subject}, {"manifest", manifest_json(policy)}, {"rules", std::move(rules)}});
  }
  const ordered_json out = {{"apiVersion", "podwire/v1"},
                            {"inputs", view.inputs},
                            {"connections", view.suggestion.connections},
                            {"covered", view.suggestion.covered},
                            {"policies", std::move(policies)},
                            {"notes", view.suggestion.notes}};
  return write_json(out, true);
}

}  // namespace podwire::report
