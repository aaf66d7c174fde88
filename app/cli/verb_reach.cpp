// podwire reach: all allowed connections, streamed; with several profiles, where they disagree.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "app/cli/cli.hpp"
#include "app/cli/flow_logs.hpp"
#include "app/report/profiles_report.hpp"
#include "app/report/reach_report.hpp"
#include "app/scenario/batch.hpp"
#include "app/scenario/played_traffic.hpp"
#include "app/scenario/pod_starts.hpp"
#include "models/analysis/compare_profiles.hpp"
#include "models/analysis/reach.hpp"
#include "models/analysis/used_edges.hpp"
#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

std::unique_ptr<report::ReachPrinter> printer_for(const CommandLine& line, const OutputRequest& request,
                                                  const scenario::Scenario& scenario, report::Sink sink) {
  const report::ReachShown shown{
      .names_sets = scenario.policy_sets.size() > 1,
      .is_pod_level = line.is_pod_level,
      .is_focused = !line.focus.empty(),
      .has_entry_points = line.used_by.empty() && (request.format != Format::csv || line.wants_entry_points),
      .has_exposure = line.wants_exposure,
      .is_used_only = !line.used_by.empty(),
  };
  switch (request.format) {
    case Format::json:
      return report::reach_json(std::move(sink), scenario.name(), shown);
    case Format::csv:
      return report::reach_csv(std::move(sink), shown);
    case Format::md:
      return report::reach_md(std::move(sink), shown);
    case Format::dot:
      return report::reach_dot(std::move(sink), shown);
    case Format::mermaid:
      return report::reach_mermaid(std::move(sink), shown);
    default:  // table
      break;
  }
  return report::reach_table(std::move(sink), style_for(line, request), shown);
}

// Read for entry points, which reach shows: they are not skipped here.
bool is_entry_point_kind(std::string_view kind) {
  constexpr std::string_view kKinds[] = {"Ingress",      "IngressClass", "Gateway",
                                         "GatewayClass", "HTTPRoute",    "ReferenceGrant"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

report::Basis basis_of(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan,
                       const SourceMap& sources) {
  report::Basis basis = report::basis_of(scenario, plan, sources, false);
  basis.skipped.clear();
  for (const auto& [kind, count] : plan.cluster().skipped_kinds) {
    if (!is_entry_point_kind(kind)) {
      basis.skipped += fmt::format("{}{} {}", basis.skipped.empty() ? "" : ", ", count, kind);
    }
  }
  return basis;
}

bool add_namespace(const cluster::Cluster& cluster, const std::string& name, analysis::ReachFocus& focus) {
  const cluster::NamespaceId home = cluster.find_namespace(name);
  if (!home.is_valid()) {
    return false;
  }
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    if (cluster.workloads[w].name_space == home) {
      focus.workloads.emplace_back(w);
    }
  }
  return true;
}

// What --focus names in this cluster; problems are diagnostics.
analysis::ReachFocus focus_in(const cluster::Cluster& cluster, const CommandLine& line, Span span,
                              Diagnostics& diagnostics) {
  analysis::ReachFocus focus;
  focus.wants_in = line.direction != "out";
  focus.wants_out = line.direction != "in";
  for (const std::string& name : line.focus) {
    if (name.find('/') == std::string::npos && add_namespace(cluster, name, focus)) {
      continue;
    }
    const auto target = cluster::resolve_name(cluster, name, true, span, diagnostics);
    if (!target) {
      continue;
    }
    switch (target->kind) {
      case cluster::NamedTarget::Kind::workload:
        focus.workloads.push_back(target->workload);
        break;
      case cluster::NamedTarget::Kind::pod:
        focus.pods.push_back(target->pod);
        break;
      case cluster::NamedTarget::Kind::service:
        for (const cluster::ServicePort& port : cluster.services[target->service.index()].ports) {
          for (const cluster::Backend& backend : port.backends) {
            if (backend.pod.is_valid()) {
              focus.pods.push_back(backend.pod);
            }
          }
        }
        break;
      case cluster::NamedTarget::Kind::address:
        diagnostics.error("bad-target",
                          fmt::format("--focus {}: no workload, pod, Service or namespace", printable(name, 80)), span);
    }
  }
  std::sort(focus.pods.begin(), focus.pods.end());
  focus.pods.erase(std::unique(focus.pods.begin(), focus.pods.end()), focus.pods.end());
  return focus;
}

bool touches(const cluster::Cluster& cluster, const analysis::ReachFocus& focus, cluster::WorkloadId workload) {
  return workload.is_valid() &&
         (std::find(focus.workloads.begin(), focus.workloads.end(), workload) != focus.workloads.end() ||
          std::any_of(focus.pods.begin(), focus.pods.end(),
                      [&](cluster::PodId pod) { return cluster.pods[pod.index()].workload == workload; }));
}

std::vector<analysis::EntryRow> entry_rows(policy::PolicyEngine& engine, const analysis::EntryPoints& entries,
                                           const analysis::ReachFocus* focus) {
  std::vector<analysis::EntryRow> rows = analysis::resolve_entry_points(engine, entries);
  if (focus != nullptr) {
    std::erase_if(rows, [&](const analysis::EntryRow& row) {
      const bool is_in = focus->wants_in && touches(engine.cluster(), *focus, row.workload);
      const bool is_out = focus->wants_out && touches(engine.cluster(), *focus, row.source_workload);
      return !is_in && !is_out;
    });
  }
  return rows;
}

// Rows under every profile that a version between two leaves possible; where they disagree, nobody knows.
analysis::ReachSummary reach_under_all(const scenario::PolicySetPlan& plan,
                                       const std::vector<analysis::ComparedRow>& rows,
                                       const std::function<void(const analysis::ReachRow&)>& visit) {
  policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile(), plan.names.get());
  analysis::ReachSummary summary{
      .rows = rows.size(),
      .unknown_rows = 0,
      .ends = analysis::reach(engine, {.includes_external = false}, [](const analysis::ReachRow&) {}).ends};
  for (const analysis::ComparedRow& row : rows) {
    const analysis::ComparedCell& played = row.cells.front();
    const bool is_unknown = played.is_unknown || row.differs();
    summary.unknown_rows += is_unknown ? 1 : 0;
    analysis::ReachRow shown = played.row();
    shown.source.name = row.source;
    shown.destination.name = row.destination;
    shown.is_unknown = is_unknown;
    visit(shown);
  }
  return summary;
}

std::vector<cni::Profile> candidates_of(const scenario::PolicySetPlan& plan) {
  std::vector<cni::Profile> profiles = {plan.profile()};
  profiles.insert(profiles.end(), plan.state->others.begin(), plan.state->others.end());
  return profiles;
}

// What the profiles disagree about, for the head of the output.
std::vector<std::string> doubts(const std::vector<cni::Profile>& profiles,
                                const std::vector<analysis::ComparedRow>& rows) {
  std::vector<std::string> texts;
  for (const analysis::ComparedRow& row : rows) {
    if (!row.differs()) {
      continue;
    }
    const std::string text =
        fmt::format("profiles {} and {} disagree: {}", profiles[0].name, profiles[1].name,
                    row.fields.empty() ? "several values together" : fmt::format("{}", fmt::join(row.fields, ", ")));
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
      texts.push_back(text);
    }
  }
  return texts;
}

// What another profile that the version leaves possible sees otherwise is unknown.
void doubt_entry_rows(const scenario::PolicySetPlan& plan, const analysis::ReachFocus* focus,
                      std::vector<analysis::EntryRow>& rows) {
  for (const cni::Profile& other : plan.state->others) {
    policy::PolicyEngine engine(plan.cluster(), plan.policies, other, plan.names.get());
    const std::vector<analysis::EntryRow> theirs = entry_rows(engine, plan.state->entry_points, focus);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i >= theirs.size() || theirs[i].outcome != rows[i].outcome) {
        rows[i].outcome = analysis::EntryRow::Outcome::unknown;
      }
    }
  }
}

bool is_file_of_flows(const std::string& word) {
  return word != "env" && word != "workloads";
}

// What --used-by names, once for all policy sets: they have the same pods.
struct Uses {
  std::unique_ptr<analysis::UsedEdges> edges;
  report::ReachUses shown;
};

bool read_recorded(const CommandLine& line, const scenario::PolicySetPlan& plan, const SourceMap& sources,
                   const std::vector<std::string>& files, Uses& uses) {
  FlowLogs logs(files);
  Diagnostics problems;
  const bool is_open = logs.open(problems);
  show(problems, sources, line);
  if (!is_open) {
    return false;
  }
  flows::MappingOptions mapping;
  mapping.pod_starts = scenario::pod_starts(*plan.stores.front(), plan.cluster());
  flows::EndMapper mapper(plan.cluster(), std::move(mapping));
  flows::Merger merger(plan.cluster(), [&](const flows::Connection& c) { uses.edges->add(c); });
  logs.play_into(mapper, merger);
  if (logs.records() == 0) {
    say("reach: no flow could be read");
    return false;
  }
  return true;
}

std::optional<Uses> read_uses(const CommandLine& line, const scenario::Scenario& scenario, const SourceMap& sources) {
  const scenario::PolicySetPlan& plan = scenario.policy_sets.front();
  Uses uses;
  uses.edges = std::make_unique<analysis::UsedEdges>(plan.cluster());
  std::vector<std::string> files;
  std::vector<std::string> words;
  for (const std::string& word : line.used_by) {
    if (word == "env") {
      const scenario::DeclaredTraffic& declared = plan.state->declared;
      for (const analysis::DeclaredConnection& connection : declared.connections) {
        uses.edges->add(connection);
      }
      words.push_back(fmt::format("what containers declare ({} connections)", declared.connections.size()));
      for (const scenario::UnresolvedPeer& peer : declared.unresolved) {
        uses.shown.notes.push_back(fmt::format("not drawn: {} {} {} at {}: {}",
                                               plan.cluster().workload_name(peer.source), peer.name, peer.text,
                                               sources.place(peer.span), peer.reason));
      }
      if (!declared.unread.empty()) {
        uses.shown.notes.push_back(
            fmt::format("not read, for Secrets or ConfigMaps that are not in the input: {}", declared.unread.size()));
      }
    } else if (word == "workloads") {
      scenario::each_asked(plan, scenario.file->cluster.externals,
                           [&](const flows::Connection& connection) { uses.edges->add(connection); });
      words.emplace_back("the scenario's workloads");
    } else {
      files.push_back(word);
      words.push_back(word);
    }
  }
  if (!files.empty() && !read_recorded(line, plan, sources, files, uses)) {
    return std::nullopt;
  }
  uses.shown.by = fmt::format("{}", fmt::join(words, ", "));
  if (const analysis::UseTotals& totals = uses.edges->totals(); totals.unplaced > 0) {
    uses.shown.notes.push_back(
        fmt::format("{} of {} uses have an end that is not in the cluster, is a node, or have no port", totals.unplaced,
                    totals.uses));
  }
  return uses;
}

// What is used of a row, and what is used beside all rows.
Exit print_used(policy::PolicyEngine& engine, std::size_t others, Uses uses, const analysis::ReachFocus* focus,
                const analysis::ReachOptions& options, report::ReachPrinter& printer, analysis::ReachSummary& summary) {
  analysis::UsedEdges& edges = *uses.edges;
  edges.begin();
  std::uint64_t unknown = 0;
  summary = analysis::reach(engine, options, [&](const analysis::ReachRow& row) {
    const policy::PortSet used = edges.used_of(row);
    if (used.empty()) {
      ++uses.shown.unused;
      return;
    }
    ++uses.shown.shown;
    unknown += row.is_unknown ? 1 : 0;
    analysis::ReachRow narrowed = row;
    narrowed.ports = &used;
    const policy::PortSet used_v4 = row.families_differ() ? used.intersected_with(*row.ipv4) : policy::PortSet();
    const policy::PortSet used_v6 = row.families_differ() ? used.intersected_with(*row.ipv6) : policy::PortSet();
    narrowed.ipv4 = used_v4 == used_v6 ? nullptr : &used_v4;
    narrowed.ipv6 = used_v4 == used_v6 ? nullptr : &used_v6;
    printer.row(narrowed);
  });
  summary.unknown_rows = unknown;
  if (others > 0) {
    uses.shown.notes.push_back(fmt::format(
        "the plugin's version lies between profiles: this is what {} makes of it alone", engine.profile().name));
  }
  const cluster::Cluster& cluster = engine.cluster();
  for (const analysis::UnreachedUse& use : edges.unreached(engine)) {
    const bool is_in_focus = focus == nullptr ||
                             (focus->wants_in && touches(cluster, *focus, use.destination_workload)) ||
                             (focus->wants_out && touches(cluster, *focus, use.source_workload));
    if (!is_in_focus) {
      continue;
    }
    printer.unreached(use);
    uses.shown.denied += use.side.action == policy::Action::deny ? 1 : 0;
    uses.shown.shown += use.side.action == policy::Action::allow ? 1 : 0;
    summary.unknown_rows += use.side.action == policy::Action::unknown ? 1 : 0;
  }
  printer.uses(uses.shown);
  return summary.unknown_rows > 0 ? Exit::inconclusive : Exit::ok;
}

// What does not go with --used-by.
bool check_used_by(const CommandLine& line, const scenario::Scenario& scenario) {
  std::string_view other;
  if (line.is_pod_level) {
    other = "--pods: uses are of workloads";
  } else if (line.wants_exposure) {
    other = "--exposure: pods that do not exist yet use nothing";
  } else if (line.wants_entry_points) {
    other = "--entry-points: what comes in through them is not told apart";
  } else if (!line.compared_profiles.empty()) {
    other = "several profiles of --cni";
  }
  if (!other.empty()) {
    say(fmt::format("reach: --used-by does not go with {}", other));
    return false;
  }
  const bool wants_workloads = std::find(line.used_by.begin(), line.used_by.end(), "workloads") != line.used_by.end();
  if (wants_workloads && scenario.file->workloads.empty()) {
    say("reach: --used-by workloads: there is no scenario with workloads");
    return false;
  }
  return true;
}

// Prints one policy set.
Exit print_set(const CommandLine& line, const OutputRequest& request, const scenario::PolicySetPlan& plan,
               report::Basis basis, const analysis::ReachFocus* focus, const Uses* uses,
               report::ReachPrinter& printer) {
  policy::PolicyEngine engine(plan.cluster(), plan.policies, plan.profile(), plan.names.get());
  const analysis::ReachOptions options{.is_pod_level = line.is_pod_level, .focus = focus, .includes_named_ipv6 = true};
  const auto print = [&](const analysis::ReachRow& row) { printer.row(row); };
  analysis::ReachSummary summary;
  if (uses != nullptr) {
    printer.begin_set(plan.name, basis, plan.cluster());
    const Exit exit = print_used(engine, plan.state->others.size(),
                                 {.edges = std::make_unique<analysis::UsedEdges>(*uses->edges), .shown = uses->shown},
                                 focus, options, printer, summary);
    printer.end_set(summary);
    return exit;
  }
  if (plan.state->others.empty()) {
    printer.begin_set(plan.name, basis, plan.cluster());
    summary = analysis::reach(engine, options, print);
  } else {
    const std::vector<cni::Profile> profiles = candidates_of(plan);
    const auto rows = analysis::compare_profiles(plan.cluster(), plan.policies, profiles, options);
    const std::vector<std::string> texts = doubts(profiles, rows);
    basis.unknown.insert(basis.unknown.end(), texts.begin(), texts.end());
    printer.begin_set(plan.name, basis, plan.cluster());
    summary = reach_under_all(plan, rows, print);
  }
  bool is_unknown = summary.unknown_rows > 0;
  if (request.format != Format::csv || line.wants_entry_points) {
    std::vector<analysis::EntryRow> rows = entry_rows(engine, plan.state->entry_points, focus);
    doubt_entry_rows(plan, focus, rows);
    // The connections are certain all the same: what an absent controller may do counts for those who ask for it.
    is_unknown = is_unknown ||
                 (line.wants_entry_points && std::any_of(rows.begin(), rows.end(), [](const analysis::EntryRow& row) {
                    return row.outcome == analysis::EntryRow::Outcome::unknown;
                  }));
    printer.entry_points(rows);
  }
  if (line.wants_exposure) {
    analysis::find_exposure(engine, focus, [&](const analysis::ExposureLine& exposed) {
      is_unknown = is_unknown || exposed.is_unknown;
      printer.exposure(exposed);
    });
  }
  printer.end_set(summary);
  return is_unknown ? Exit::inconclusive : Exit::ok;
}

// What does not go with several profiles.
bool check_compared(const CommandLine& line) {
  std::string_view other;
  if (line.wants_exposure) {
    other = "--exposure";
  } else if (line.wants_entry_points) {
    other = "--entry-points";
  }
  for (const OutputRequest& request : line.outputs) {
    const bool is_known =
        request.format == Format::table || request.format == Format::json || request.format == Format::csv;
    other = is_known ? other : "-o md, dot or mermaid";
  }
  if (!other.empty()) {
    say(fmt::format("reach: several profiles of --cni do not go with {}", other));
  }
  return other.empty();
}

// --cni A,B,C
Exit compare(const CommandLine& line, const scenario::Scenario& scenario,
             const std::vector<analysis::ReachFocus>& focuses, const SourceMap& sources) {
  std::vector<report::ProfilesView> views;
  Exit exit = Exit::ok;
  for (std::size_t i = 0; i < scenario.policy_sets.size(); ++i) {
    const scenario::PolicySetPlan& plan = scenario.policy_sets[i];
    std::vector<cni::Profile> profiles;
    for (const std::string& name : line.compared_profiles) {
      if (name == "auto") {
        profiles.push_back(plan.profile());
        continue;
      }
      auto candidates = cni::load_candidates(name, {}, {});
      show(candidates.diagnostics(), sources, line);
      if (!candidates) {
        return Exit::bad_input;
      }
      for (cni::Profile& profile : candidates->profiles) {
        profiles.push_back(std::move(profile));
      }
    }
    const analysis::ReachOptions options{.is_pod_level = line.is_pod_level,
                                         .focus = line.focus.empty() ? nullptr : &focuses[i]};
    auto rows = analysis::compare_profiles(plan.cluster(), plan.policies, profiles, options);
    report::Basis basis = report::basis_of(scenario, plan, sources, false);
    basis.in_time.clear();  // of one profile alone
    std::erase_if(basis.assumptions, [](const auto& assumption) { return assumption.first == "cni"; });
    views.push_back(report::profiles_view(plan.name, std::move(basis), profiles, std::move(rows)));
    for (const analysis::ComparedRow& row : views.back().rows) {
      const bool is_unknown =
          std::any_of(row.cells.begin(), row.cells.end(), [](const auto& c) { return c.is_unknown; });
      exit = worse(exit, is_unknown ? Exit::inconclusive : Exit::ok);
    }
  }
  return worse(exit, write_outputs(line, [&](Format format, const report::Style& style) {
                 switch (format) {
                   case Format::json:
                     return report::profiles_json(views, scenario.name());
                   case Format::csv:
                     return report::profiles_csv(views);
                   default:  // the verb's other formats are refused before
                     break;
                 }
                 return report::profiles_table(views, style);
               }));
}

}  // namespace

Exit verb_reach(const CommandLine& line) {
  const std::vector<std::string> paths = paths_of(line);
  if (paths.empty()) {
    say("reach: which manifests or scenario? Give files or folders, or - for standard input");
    return Exit::bad_input;
  }
  SourceMap sources;
  scenario::LoadOptions load = line.load;
  load.reads_declared = std::find(line.used_by.begin(), line.used_by.end(), "env") != line.used_by.end();
  load.keeps_objects = std::any_of(line.used_by.begin(), line.used_by.end(), is_file_of_flows);
  const auto scenario = load_input(sources, paths, load, line);
  if (!scenario || (!line.used_by.empty() && !check_used_by(line, *scenario))) {
    return Exit::bad_input;
  }
  if (!line.compared_profiles.empty() && !check_compared(line)) {
    return Exit::bad_input;
  }
  Diagnostics problems;
  // The names are shown as a source of their own, so that carets have something to point at.
  const SourceId words = sources.add("--focus", fmt::format("{}", fmt::join(line.focus, " ")));
  const Span span{words, 0, static_cast<std::uint32_t>(sources.text(words).size())};
  std::vector<analysis::ReachFocus> focuses;
  for (const scenario::PolicySetPlan& plan : scenario->policy_sets) {
    Diagnostics found;
    focuses.push_back(focus_in(plan.cluster(), line, span, found));
    if (!problems.has_errors()) {
      problems.append(found);  // the names are the same in every policy set
    }
  }
  show(problems, sources, line);
  if (problems.has_errors()) {
    return Exit::bad_input;
  }
  if (!line.compared_profiles.empty()) {
    return compare(line, *scenario, focuses, sources);
  }
  std::optional<Uses> uses;
  if (!line.used_by.empty()) {
    uses = read_uses(line, *scenario, sources);
    if (!uses) {
      return Exit::bad_input;
    }
  }
  Exit exit = Exit::ok;
  for (const OutputRequest& request : line.outputs) {
    OutputWriter writer(request);
    const auto printer =
        printer_for(line, request, *scenario, [&writer](std::string_view text) { writer.write(text); });
    printer->begin();
    for (std::size_t i = 0; i < scenario->policy_sets.size(); ++i) {
      const scenario::PolicySetPlan& plan = scenario->policy_sets[i];
      exit = worse(exit, print_set(line, request, plan, basis_of(*scenario, plan, sources),
                                   line.focus.empty() ? nullptr : &focuses[i], uses ? &*uses : nullptr, *printer));
    }
    printer->end();
    exit = worse(exit, finish(writer, request));
  }
  return exit;
}

}  // namespace podwire::cli
