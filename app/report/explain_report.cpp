#include "app/report/explain_report.hpp"

#include <fmt/format.h>

#include "app/report/escape.hpp"
#include "app/report/json.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using policy::Action;

std::string action_text(Action action) {
  return action == Action::allow ? "allowed" : action == Action::deny ? "denied" : "unknown";
}

ExplainView::Side side_of(const policy::Explanation& explanation, const policy::PolicyEngine& engine,
                          const SourceMap& sources) {
  ExplainView::Side side;
  side.direction = to_string(explanation.direction);
  side.action = action_text(explanation.verdict.action);
  side.cause = to_string(explanation.verdict.cause);
  side.text = explanation.text;
  side.place = sources.file_and_line(explanation.span);
  if (explanation.verdict.action == Action::deny && explanation.verdict.tier == policy::Tier::admin) {
    side.overruled_by = engine.deciding_rule(explanation.direction, explanation.verdict);
  }
  for (const policy::PolicyIndex index : explanation.isolating) {
    const policy::NetworkPolicy& policy = engine.policy(index);
    side.isolating.emplace_back(policy.full_name(), sources.file_and_line(policy.span));
  }
  for (const policy::NearMiss& miss : explanation.nearest) {
    side.nearest.push_back(
        {engine.policy_name(miss.policy), miss.rule, miss.criterion, sources.file_and_line(miss.span)});
  }
  return side;
}

std::string namespace_of(const std::string& pod_name) {
  return pod_name.substr(0, pod_name.find('/'));
}

// What would have to be written; the nearest rule is often the one to mend.
std::string next_step(const ExplainView::Path& path, const analysis::ConnectionExplanation& explanation) {
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
  const ExplainView::Side& side = by_egress ? path.egress : path.ingress;
  // Pods' names change; what stands behind a Service has none but theirs.
  const std::string& destination = explanation.service.is_valid() ? path.destination : explanation.destination_name;
  const std::string& subject = by_egress ? explanation.source_name : destination;
  const std::string& other = by_egress ? destination : explanation.source_name;
  const std::string rule = fmt::format("an {} rule {} {} with port {}/{} in a policy of namespace {} that selects {}",
                                       side.direction, by_egress ? "to" : "from", other, path.port,
                                       to_string(explanation.protocol), namespace_of(subject), subject);
  if (!side.overruled_by.empty()) {
    return fmt::format("it would take a change of {}, which no NetworkPolicy can overrule", side.overruled_by);
  }
  if (side.nearest.empty()) {
    return "it would take " + rule;
  }
  return fmt::format("it would take a change of {} rule {}, or {}", side.nearest.front().policy,
                     side.nearest.front().rule, rule);
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

std::string side_text(const ExplainView::Side& side, const Style& style) {
  // The text begins with its own verdict, mostly.
  std::string text = printable(side.text, 2000);
  const bool says_action = text.starts_with(side.action);
  text.erase(0, says_action ? side.action.size() : 0);
  std::string out =
      fmt::format("    {:<8} {}\n", side.direction,
                  wrapped(colored(side.action, style) + (says_action ? "" : ": ") + text + at(side.place), 13));
  if (side.action != "denied") {
    return out;
  }
  for (std::size_t i = 0; i < side.isolating.size(); ++i) {
    out += fmt::format("             {:<11} {}{}\n", i == 0 ? "isolated by" : "", printable(side.isolating[i].first),
                       at(side.isolating[i].second));
  }
  for (std::size_t i = 0; i < side.nearest.size(); ++i) {
    const ExplainView::NearRule& rule = side.nearest[i];
    out += fmt::format("             {:<11} {} rule {}: {}\n", i == 0 ? "nearest" : "", printable(rule.policy),
                       rule.rule, wrapped(printable(rule.criterion, 1000) + at(rule.place), 25));
  }
  return out;
}

ordered_json side_json(const ExplainView::Side& side) {
  ordered_json isolating = ordered_json::array();
  for (const auto& [policy, place] : side.isolating) {
    isolating.push_back({{"policy", policy}, {"place", place}});
  }
  ordered_json nearest = ordered_json::array();
  for (const ExplainView::NearRule& rule : side.nearest) {
    nearest.push_back(
        {{"policy", rule.policy}, {"rule", rule.rule}, {"criterion", rule.criterion}, {"place", rule.place}});
  }
  return {{"action", side.action}, {"cause", side.cause},     {"text", side.text},
          {"place", side.place},   {"isolatedBy", isolating}, {"nearest", nearest}};
}

}  // namespace

ExplainView explain_view(const std::string& policy_set, Basis basis, const analysis::ConnectionExplanation& explanation,
                         const policy::PolicyEngine& engine, const SourceMap& sources) {
  ExplainView view;
  view.policy_set = policy_set;
  view.basis = std::move(basis);
  view.source = explanation.source_name;
  view.destination = explanation.destination_name;
  view.port = fmt::format("{} {}", to_string(explanation.protocol), explanation.port.number());
  view.answer = to_string(explanation.answer);
  view.notes = explanation.notes;
  for (const analysis::ExplainedPath& explained : explanation.paths) {
    ExplainView::Path path;
    path.source = explained.source_name;
    path.destination = explained.destination_name;
    path.source_pods = explained.source_pods;
    path.destination_pods = explained.destination_pods;
    path.port = explained.port.number();
    path.is_listening = explained.is_listening;
    path.action = action_text(explained.action);
    path.egress = side_of(explained.egress, engine, sources);
    path.ingress = side_of(explained.ingress, engine, sources);
    path.next_step = next_step(path, explanation);
    view.paths.push_back(std::move(path));
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
    for (const std::string& note : view.notes) {
      out += fmt::format("  {}\n", wrapped(printable(note, 2000), 2));
    }
    for (const ExplainView::Path& path : view.paths) {
      out += fmt::format("  {} → {} port {}: {}\n", pods(path.source, path.source_pods),
                         pods(path.destination, path.destination_pods), path.port, colored(path.action, style));
      out += side_text(path.egress, style) + side_text(path.ingress, style);
      if (!path.is_listening) {
        out += "    " + style.doubtful("nothing listens on that port: what policies allow is refused there") + "\n";
      }
      if (!path.next_step.empty()) {
        out += fmt::format("    next     {}\n", wrapped(printable(path.next_step, 1000), 13));
      }
    }
  }
  return out;
}

std::string explain_json(const std::vector<ExplainView>& views, const std::string& scenario_name) {
  ordered_json explanations = ordered_json::array();
  for (const ExplainView& view : views) {
    ordered_json paths = ordered_json::array();
    for (const ExplainView::Path& path : view.paths) {
      paths.push_back({{"source", path.source},
                       {"sourcePods", path.source_pods},
                       {"destination", path.destination},
                       {"destinationPods", path.destination_pods},
                       {"port", path.port},
                       {"listening", path.is_listening},
                       {"verdict", path.action},
                       {"egress", side_json(path.egress)},
                       {"ingress", side_json(path.ingress)},
                       {"nextStep", path.next_step}});
    }
    explanations.push_back({{"policySet", view.policy_set},
                            {"basis", basis_json(view.basis)},
                            {"source", view.source},
                            {"destination", view.destination},
                            {"port", view.port},
                            {"answer", view.answer},
                            {"notes", view.notes},
                            {"paths", std::move(paths)}});
  }
  return write_json({{"apiVersion", "podwire/v1"}, {"scenario", scenario_name}, {"explanations", explanations}}, true);
}

std::string explain_csv(const std::vector<ExplainView>& views) {
  std::string out = "policySet,source,destination,port,direction,verdict,cause,rule,place\n";
  for (const ExplainView& view : views) {
    for (const ExplainView::Path& path : view.paths) {
      for (const ExplainView::Side* side : {&path.egress, &path.ingress}) {
        out += csv_line({view.policy_set, path.source, path.destination, std::to_string(path.port), side->direction,
                         side->action, side->cause, side->text, side->place});
      }
    }
  }
  return out;
}

}  // namespace podwire::report
