#include "app/report/explain_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "models/cluster/snapshot.hpp"
#include "models/policy/view.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using policy::Action;

std::string action_text(Action action) {
  return action == Action::allow ? "allowed" : action == Action::deny ? "denied" : "unknown";
}

std::vector<ExplainView::NearRule> near_rules(const std::vector<policy::NearMiss>& misses,
                                              const policy::PolicyEngine& engine, const SourceMap& sources) {
  std::vector<ExplainView::NearRule> rules;
  for (const policy::NearMiss& miss : misses) {
    rules.push_back({engine.policy_name(miss.policy), miss.rule, miss.criterion, sources.place(miss.span)});
  }
  return rules;
}

ExplainView::Side side_of(const policy::Explanation& explanation, const policy::PolicyEngine& engine,
                          const SourceMap& sources) {
  ExplainView::Side side;
  side.direction = to_string(explanation.direction);
  side.action = action_text(explanation.verdict.action);
  side.cause = to_string(explanation.verdict.cause);
  side.text = explanation.text;
  side.place = sources.place(explanation.span);
  if (explanation.verdict.action == Action::deny && explanation.verdict.tier == policy::Tier::admin) {
    side.overruled_by = engine.deciding_rule(explanation.direction, explanation.verdict);
  }
  for (const policy::PolicyIndex index : explanation.isolating) {
    const policy::NetworkPolicy& policy = engine.policy(index);
    side.isolating.emplace_back(policy.full_name(), sources.place(policy.span));
  }
  side.nearest = near_rules(explanation.nearest, engine, sources);
  for (const policy::TierStep& step : explanation.chain) {
    ExplainView::Step& shown = side.chain.emplace_back();
    shown.tier = to_string(step.tier);
    shown.outcome = to_string(step.outcome);
    shown.text = step.text;
    shown.place = sources.place(step.span);
    for (const policy::PolicyIndex index : step.selecting) {
      shown.selecting.emplace_back(engine.policy_name(index), sources.place(engine.policy_span(index)));
    }
    shown.nearest = near_rules(step.nearest, engine, sources);
  }
  return side;
}

std::string namespace_of(const std::string& pod_name) {
  return pod_name.substr(0, pod_name.find('/'));
}

// How a rule can name an end: a pod by its labels; what is on a node's network, or has finished where the profile takes
// that for an address, by its address alone.
std::string ruled_end(const policy::PolicyEngine& engine, const policy::Peer& peer, const std::string& name,
                      std::uint32_t count) {
  const bool is_pod = peer.pod.is_valid();
  const bool is_node =
      is_pod ? engine.view().pods[peer.pod.index()].is_node_traffic : peer.node.is_valid() && !peer.ip.is_unspecified();
  const IpAddress ip = policy::address_of(engine.cluster(), peer);
  const bool has_finished = is_pod && !is_node && engine.profile().policy.finished_pods_are_ignored &&
                            !cluster::is_there(engine.cluster(), peer.pod);
  if (has_finished && !ip.is_unspecified()) {
    return fmt::format("ipBlock {}/{} ({}, which has finished)", ip.to_string(), ip.is_v4() ? 32 : 128, name);
  }
  if (!is_node || ip.is_unspecified()) {
    return name;
  }
  if (!engine.profile().policy.ip_block_matches_nodes) {
    return fmt::format("{} (on a node's network, which no NetworkPolicy can name under the profile {})", name,
                       engine.profile().name);
  }
  const std::string block = fmt::format("{}ipBlock {}/{}", count > 1 ? "the nodes' addresses, such as " : "",
                                        ip.to_string(), ip.is_v4() ? 32 : 128);
  return is_pod ? fmt::format("{} ({} is on its node's network, where no selector matches)", block, name)
                : block + " (a node's address)";
}

// What one side would take; the nearest rule is often the one to mend.
std::string side_step(const ExplainView::Side& side, const std::string& rule) {
  if (!side.overruled_by.empty()) {
    return fmt::format("a change of {}, which no NetworkPolicy can overrule", side.overruled_by);
  }
  return side.nearest.empty() ? rule
                              : fmt::format("a change of {} rule {}, or {}", side.nearest.front().policy,
                                            side.nearest.front().rule, rule);
}

// What would have to be written; on both sides where both deny.
std::string next_step(const ExplainView::Path& path, const analysis::ExplainedPath& explained,
                      const analysis::ConnectionExplanation& explanation, const policy::PolicyEngine& engine) {
  const bool by_egress = path.egress.action == "denied";
  if (!by_egress && path.ingress.action != "denied") {
    const auto is_because_of = [&](std::string_view cause) {
      return path.egress.cause == cause || path.ingress.cause == cause;
    };
    return is_because_of("conflict")     ? "give the policies of one tier different priorities"
           : is_because_of("unresolved") ? ""
           : path.action == "unknown"    ? "accept a kind that is not modelled with --ignore-kind KIND"
                                         : "";
  }
  // Pods' names change; what stands behind a Service has none but theirs.
  const std::string& destination = explanation.service.is_valid() ? path.destination : explanation.destination_name;
  const auto step = [&](bool is_egress) {
    const ExplainView::Side& side = is_egress ? path.egress : path.ingress;
    const std::string& subject = is_egress ? explanation.source_name : destination;
    const std::string other = is_egress
                                  ? ruled_end(engine, explained.destination, destination, path.destination_pods)
                                  : ruled_end(engine, explained.source, explanation.source_name, path.source_pods);
    return side_step(side, fmt::format("an {} rule {} {} with port {}/{} in a policy of namespace {} that selects {}",
                                       side.direction, is_egress ? "to" : "from", other, path.port,
                                       to_string(explanation.protocol), namespace_of(subject), subject));
  };
  const bool by_both = by_egress && path.ingress.action == "denied";
  return fmt::format("it would take {}{}{}", step(by_egress), by_both ? "; and also " : "", by_both ? step(false) : "");
}

std::string pods(const std::string& name, std::uint32_t count) {
  return count > 1 ? fmt::format("{} (and {} alike)", printable(name), count - 1) : printable(name);
}

std::string colored(const std::string& action, const Style& style) {
  return action == "allowed" ? style.good(action) : action == "denied" ? style.bad(action) : style.doubtful(action);
}

std::string at(const std::string& place) {
  return place.empty() ? "" : " at " + printable(place);
}

std::string near_text(const std::vector<ExplainView::NearRule>& rules, std::string_view label) {
  std::string out;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out += fmt::format("             {:<11} {}\n", i == 0 ? label : "",
                       wrapped(fmt::format("{} rule {}: {}{}", printable(rules[i].policy), rules[i].rule,
                                           printable(rules[i].criterion, 1000), at(rules[i].place)),
                               25));
  }
  return out;
}

// The tiers one by one, where others than NetworkPolicy have a say.
std::string chain_text(const ExplainView::Side& side) {
  const bool is_plain = std::all_of(side.chain.begin(), side.chain.end(),
                                    [](const ExplainView::Step& step) { return step.tier == "NetworkPolicy"; });
  if (is_plain) {
    return "";
  }
  std::string out;
  for (const ExplainView::Step& step : side.chain) {
    std::string text = printable(step.text, 2000);
    if (step.outcome == "skipped") {
      std::vector<std::string> names;
      for (const auto& [policy, place] : step.selecting) {
        names.push_back(printable(policy) + at(place));
      }
      text += fmt::format(" ({})", fmt::join(names, ", "));
    }
    if (side.chain.size() > 1 || step.text != side.text) {
      out += fmt::format("             {:<13} {}\n", step.tier, wrapped(text + at(step.place), 27));
    }
    if (step.tier != "NetworkPolicy") {
      out += near_text(step.nearest, "nearest");
    }
  }
  return out;
}

std::string side_text(const ExplainView::Side& side, const Style& style) {
  // The text begins with its own verdict, mostly.
  std::string text = printable(side.text, 2000);
  const bool says_action = text.starts_with(side.action);
  text.erase(0, says_action ? side.action.size() : 0);
  std::string out =
      fmt::format("    {:<8} {}\n", side.direction,
                  wrapped(colored(side.action, style) + (says_action ? "" : ": ") + text + at(side.place), 13));
  out += chain_text(side);
  if (side.action != "denied" || !side.overruled_by.empty()) {
    return out;
  }
  for (std::size_t i = 0; i < side.isolating.size(); ++i) {
    out += fmt::format("             {:<11} {}{}\n", i == 0 ? "isolated by" : "", printable(side.isolating[i].first),
                       at(side.isolating[i].second));
  }
  return out + near_text(side.nearest, "nearest");
}

std::string path_text(const ExplainView::Path& path, const Style& style) {
  std::string out = fmt::format("  {} → {} port {}{}: {}\n", pods(path.source, path.source_pods),
                                pods(path.destination, path.destination_pods), path.port,
                                path.family.empty() ? "" : " over " + path.family, colored(path.action, style));
  out += side_text(path.egress, style) + side_text(path.ingress, style);
  if (!path.is_listening) {
    out += "    " + style.doubtful("nothing listens on that port: what policies allow is refused there") + "\n";
  }
  if (!path.next_step.empty()) {
    out += fmt::format("    next     {}\n", wrapped(printable(path.next_step, 1000), 13));
  }
  return out;
}

std::string lookup_text(const ExplainView::Lookup& lookup, const Style& style) {
  std::string out;
  const std::string host = printable(lookup.host);
  if (lookup.is_cut_off) {
    out += fmt::format("  {}\n", wrapped(fmt::format("{} is not resolved: {}'s questions to {} get no answer", host,
                                                     printable(lookup.pod), lookup.server),
                                         2));
  } else {
    out += fmt::format("  {}\n", wrapped(fmt::format("{} as {} asks {} for it: {}", host, printable(lookup.pod),
                                                     lookup.server, lookup.status),
                                         2));
  }
  if (!lookup.udp.empty()) {
    out += fmt::format("    policies UDP 53 {}, TCP 53 {}\n", colored(lookup.udp, style), colored(lookup.tcp, style));
  }
  for (std::size_t i = 0; i < lookup.queries.size(); ++i) {
    const ExplainView::Lookup::Query& query = lookup.queries[i];
    std::string text = lookup.is_cut_off ? "" : ": " + query.outcome;
    if (!lookup.is_cut_off && !query.cnames.empty()) {
      text += fmt::format(", alias of {}", printable(fmt::format("{}", fmt::join(query.cnames, ", "))));
    }
    if (!lookup.is_cut_off && !query.addresses.empty()) {
      text += fmt::format(", {}", fmt::join(query.addresses, ", "));
    }
    text += query.is_assumed && !lookup.is_cut_off ? " (outside, not declared: taken not to exist)" : "";
    out += fmt::format("    {:<8} {}\n",
                       i > 0               ? ""
                       : lookup.is_cut_off ? "names"
                                           : "asks for",
                       wrapped(printable(query.name) + text, 13));
  }
  for (const ExplainView::Path& path : lookup.blocked) {
    out += path_text(path, style);
  }
  if (!lookup.next_step.empty()) {
    out += fmt::format("    next     {}\n", wrapped(printable(lookup.next_step, 1000), 13));
  }
  return out;
}

ordered_json near_json(const std::vector<ExplainView::NearRule>& rules) {
  ordered_json nearest = ordered_json::array();
  for (const ExplainView::NearRule& rule : rules) {
    nearest.push_back(
        {{"policy", rule.policy}, {"rule", rule.rule}, {"criterion", rule.criterion}, {"place", rule.place}});
  }
  return nearest;
}

ordered_json policies_json(const std::vector<std::pair<std::string, std::string>>& policies) {
  ordered_json all = ordered_json::array();
  for (const auto& [policy, place] : policies) {
    all.push_back({{"policy", policy}, {"place", place}});
  }
  return all;
}

ordered_json side_json(const ExplainView::Side& side) {
  ordered_json chain = ordered_json::array();
  for (const ExplainView::Step& step : side.chain) {
    chain.push_back({{"tier", step.tier},
                     {"outcome", step.outcome},
                     {"text", step.text},
                     {"place", step.place},
                     {"policies", policies_json(step.selecting)},
                     {"nearest", near_json(step.nearest)}});
  }
  return {{"action", side.action},
          {"cause", side.cause},
          {"text", side.text},
          {"place", side.place},
          {"isolatedBy", policies_json(side.isolating)},
          {"nearest", near_json(side.nearest)},
          {"chain", std::move(chain)}};
}

ordered_json path_json(const ExplainView::Path& path) {
  ordered_json object = {{"source", path.source},
                         {"sourcePods", path.source_pods},
                         {"destination", path.destination},
                         {"destinationPods", path.destination_pods},
                         {"port", path.port},
                         {"listening", path.is_listening},
                         {"verdict", path.action},
                         {"egress", side_json(path.egress)},
                         {"ingress", side_json(path.ingress)},
                         {"nextStep", path.next_step}};
  if (!path.family.empty()) {
    object["family"] = path.family;
  }
  return object;
}

ordered_json lookup_json(const ExplainView::Lookup& lookup) {
  ordered_json queries = ordered_json::array();
  for (const ExplainView::Lookup::Query& query : lookup.queries) {
    queries.push_back({{"name", query.name},
                       {"outcome", query.outcome},
                       {"aliases", query.cnames},
                       {"addresses", query.addresses},
                       {"assumed", query.is_assumed}});
  }
  ordered_json blocked = ordered_json::array();
  for (const ExplainView::Path& path : lookup.blocked) {
    blocked.push_back(path_json(path));
  }
  return {{"host", lookup.host},         {"pod", lookup.pod},           {"server", lookup.server},
          {"status", lookup.status},     {"cutOff", lookup.is_cut_off}, {"udp", lookup.udp},
          {"tcp", lookup.tcp},           {"queries", queries},          {"blocked", blocked},
          {"nextStep", lookup.next_step}};
}

std::vector<ExplainView::Path> paths_of(const analysis::ConnectionExplanation& explanation,
                                        const policy::PolicyEngine& engine, const SourceMap& sources) {
  std::vector<ExplainView::Path> paths;
  for (const analysis::ExplainedPath& explained : explanation.paths) {
    ExplainView::Path& path = paths.emplace_back();
    path.source = explained.source_name;
    path.destination = explained.destination_name;
    path.source_pods = explained.source_pods;
    path.destination_pods = explained.destination_pods;
    path.port = explained.port.number();
    path.family = !explained.family ? "" : *explained.family == IpFamily::v4 ? "IPv4" : "IPv6";
    path.is_listening = explained.is_listening;
    path.action = action_text(explained.action);
    path.egress = side_of(explained.egress, engine, sources);
    path.ingress = side_of(explained.ingress, engine, sources);
    path.next_step = next_step(path, explained, explanation, engine);
  }
  return paths;
}

std::string lookup_advice(const scenario::Lookup& lookup, const policy::PolicyEngine& engine) {
  if (lookup.is_found() || lookup.is_cut_off()) {
    return "";
  }
  const std::vector<std::string> names = scenario::names_that_would_do(engine.cluster(), lookup);
  if (!names.empty()) {
    return fmt::format("dial {}, the name of a Service that exists", fmt::join(names, " or "));
  }
  if (!lookup.asks_cluster_dns && scenario::is_called_like_a_service(engine.cluster(), lookup.host)) {
    return fmt::format(
        "{} asks {}, which knows no Services: give it dnsPolicy ClusterFirst (ClusterFirstWithHostNet on "
        "its node's network)",
        engine.cluster().full_pod_name(lookup.pod), lookup.server.to_string());
  }
  if (lookup.asks_cluster_dns && (lookup.host == "kubernetes" || lookup.host.starts_with("kubernetes.default"))) {
    return "add the Service kubernetes of namespace default to the input: every cluster has it";
  }
  const bool is_assumed = std::any_of(lookup.queries.begin(), lookup.queries.end(),
                                      [](const scenario::LookupQuery& query) { return query.is_assumed; });
  return is_assumed ? "declare the name under cluster.dns.externals if it exists outside the cluster" : "";
}

ExplainView::Lookup lookup_of(const scenario::Lookup& lookup, const policy::PolicyEngine& engine,
                              const SourceMap& sources) {
  ExplainView::Lookup shown;
  shown.host = lookup.host;
  shown.pod = engine.cluster().full_pod_name(lookup.pod);
  shown.server = lookup.server.to_string();
  shown.status = dns::to_string(lookup.status);
  shown.is_cut_off = lookup.is_cut_off();
  shown.udp = lookup.udp ? to_string(lookup.udp->answer) : "";
  shown.tcp = lookup.tcp ? to_string(lookup.tcp->answer) : "";
  for (const scenario::LookupQuery& query : lookup.queries) {
    ExplainView::Lookup::Query& added = shown.queries.emplace_back();
    added.name = query.name;
    added.outcome = scenario::to_string(query.outcome);
    added.cnames = query.cnames;
    added.is_assumed = query.is_assumed;
    for (const IpAddress& address : query.addresses) {
      added.addresses.push_back(address.to_string());
    }
  }
  const auto& asked = lookup.asks_over_tcp ? lookup.tcp : lookup.udp;
  if (asked && asked->answer != analysis::Answer::allowed) {
    shown.blocked = paths_of(*asked, engine, sources);
    std::erase_if(shown.blocked, [](const ExplainView::Path& path) { return path.action == "allowed"; });
  }
  shown.next_step = lookup_advice(lookup, engine);
  return shown;
}

}  // namespace

ExplainView explain_view(const std::string& policy_set, Basis basis, const analysis::ConnectionExplanation& explanation,
                         const policy::PolicyEngine& engine, const SourceMap& sources, const scenario::Lookup* lookup) {
  ExplainView view;
  view.policy_set = policy_set;
  view.basis = std::move(basis);
  view.source = explanation.source_name;
  view.destination = explanation.destination_name;
  view.port = fmt::format("{} {}", to_string(explanation.protocol), explanation.port.number());
  view.answer = to_string(explanation.answer);
  view.notes = explanation.notes;
  view.paths = paths_of(explanation, engine, sources);
  if (lookup != nullptr) {
    view.lookup = lookup_of(*lookup, engine, sources);
  }
  return view;
}

std::string explain_table(const std::vector<ExplainView>& views, const Style& style) {
  std::string out;
  for (const ExplainView& view : views) {
    out += out.empty() ? "" : "\n";
    const std::string set = views.size() > 1 ? fmt::format("policy set {}: ", printable(view.policy_set)) : "";
    out +=
        style.bold(fmt::format("{}{} → {} {}: ", set, printable(view.source), printable(view.destination), view.port)) +
        colored(view.answer, style) + "\n" + basis_table(view.basis, style) + "\n";
    if (view.trace) {
      out += fmt::format("  {}\n", wrapped("played: " + trace_summary(*view.trace), 2));
    }
    if (view.lookup) {
      out += lookup_text(*view.lookup, style);
    }
    for (const std::string& note : view.notes) {
      out += fmt::format("  {}\n", wrapped(printable(note, 2000), 2));
    }
    for (const ExplainView::Path& path : view.paths) {
      out += path_text(path, style);
    }
    if (view.trace) {
      out += "\n" + trace_text(*view.trace, style);
    }
  }
  return out;
}

std::string explain_json(const std::vector<ExplainView>& views, const std::string& scenario_name) {
  ordered_json explanations = ordered_json::array();
  for (const ExplainView& view : views) {
    ordered_json paths = ordered_json::array();
    for (const ExplainView::Path& path : view.paths) {
      paths.push_back(path_json(path));
    }
    explanations.push_back({{"policySet", view.policy_set},
                            {"basis", basis_json(view.basis)},
                            {"source", view.source},
                            {"destination", view.destination},
                            {"port", view.port},
                            {"answer", view.answer},
                            {"lookup", view.lookup ? lookup_json(*view.lookup) : ordered_json()},
                            {"notes", view.notes},
                            {"paths", std::move(paths)}});
    if (view.trace) {
      explanations.back()["trace"] = trace_json(*view.trace);
    }
  }
  return write_json({{"apiVersion", "podwire/v1"}, {"scenario", scenario_name}, {"explanations", explanations}}, true);
}

std::string explain_csv(const std::vector<ExplainView>& views) {
  std::string out = "policySet,source,destination,port,direction,verdict,cause,rule,place\n";
  for (const ExplainView& view : views) {
    for (const ExplainView::Path& path : view.paths) {
      for (const ExplainView::Side* side : {&path.egress, &path.ingress}) {
        // Two lines of one pair must not look like one that contradicts itself.
        const std::string destination = path.destination + (path.family.empty() ? "" : " (" + path.family + ")");
        out += csv_line({view.policy_set, path.source, destination, std::to_string(path.port), side->direction,
                         side->action, side->cause, side->text, side->place});
      }
    }
    // Where nothing is dialled the answer has a line of its own.
    if (view.paths.empty()) {
      out += csv_line({view.policy_set, view.source, view.destination, view.port.substr(view.port.rfind(' ') + 1), "",
                       view.answer, "", fmt::format("{}", fmt::join(view.notes, "; ")), ""});
    }
  }
  return out;
}

}  // namespace podwire::report
