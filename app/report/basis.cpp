// The head of every result: what it rests on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/report/run_report.hpp"
#include "models/cni/in_time.hpp"
#include "models/policy/deviations.hpp"
#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

std::string plural(std::size_t count, std::string_view one, std::string_view many = {}) {
  return count == 1     ? fmt::format("1 {}", one)
         : many.empty() ? fmt::format("{} {}s", count, one)
                        : fmt::format("{} {}", count, many);
}

std::vector<std::string> object_lines(const std::vector<cluster::UnmodelledObject>& objects, const SourceMap& sources) {
  std::vector<std::string> lines;
  for (const cluster::UnmodelledObject& object : objects) {
    lines.push_back(fmt::format("{} {}{}{}", object.kind, object.full_name, object.span.is_known() ? " at " : "",
                                sources.file_and_line(object.span)));
  }
  return lines;
}

constexpr policy::AdminKind kAdminKinds[] = {policy::AdminKind::admin_network_policy,
                                             policy::AdminKind::baseline_admin_network_policy,
                                             policy::AdminKind::cluster_network_policy};

/// "2 AdminNetworkPolicies"
std::string counted(policy::AdminKind kind, std::size_t count) {
  const std::string name(to_string(kind));
  return plural(count, name, name.substr(0, name.size() - 1) + "ies");
}

std::string policies_text(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan) {
  const auto& files = scenario.file->policy_sets;
  const auto file = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.name == plan.name; });
  std::string text = plural(plan.policies.network_policies.size(), "NetworkPolicy", "NetworkPolicies");
  for (const policy::AdminKind kind : kAdminKinds) {
    const auto count = std::count_if(plan.policies.admin_policies.begin(), plan.policies.admin_policies.end(),
                                     [kind](const policy::AdminPolicy& p) { return p.kind == kind; });
    if (count > 0) {
      text += ", " + counted(kind, static_cast<std::size_t>(count));
    }
  }
  if (scenario.is_manifests || file == files.end()) {
    return text;
  }
  text += file->starts_from_cluster ? " (base: cluster" : " (base: none";
  for (const scenario::Text& applied : file->apply) {
    text += fmt::format(", plus {}", applied.text);
  }
  for (const scenario::Text& removed : file->remove) {
    text += fmt::format(", without {}", removed.text);
  }
  return text + ")";
}

/// "; 2 AdminNetworkPolicies have no effect under it"
std::string without_effect(const std::vector<policy::AdminPolicy>& policies, const cni::Profile& profile) {
  std::string text;
  for (const policy::AdminKind kind : kAdminKinds) {
    const auto count = std::count_if(policies.begin(), policies.end(),
                                     [kind](const policy::AdminPolicy& p) { return p.kind == kind; });
    if (count > 0 && !policy::is_in_force(kind, profile.policy)) {
      text += (text.empty() ? "; " : ", ") + counted(kind, static_cast<std::size_t>(count));
    }
  }
  return text.empty() ? text : text + " without effect under it";
}

std::string run_text(const scenario::RunFile& run) {
  return fmt::format(
             "{:g}s warm-up, {:g}s measured, {} {}", run.warmup.seconds(), run.duration.seconds(),
             run.seeds.size() == 1 ? "seed" : "seeds",
             fmt::join(run.seeds.begin(),
                       run.seeds.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(run.seeds.size(), 10)),
                       ", ")) +
         (run.seeds.size() > 10 ? " …" : "");
}

bool has_policies(const scenario::PolicySetPlan& plan) {
  return !plan.policies.network_policies.empty() || !plan.policies.admin_policies.empty();
}

}  // namespace

std::string kubernetes_text(const scenario::Scenario& scenario, const scenario::ClusterState& state) {
  const std::vector<std::string>& versions = state.kubelet_versions;
  std::string told;
  if (!versions.empty()) {
    told = versions.front() + (versions.size() > 1 ? " to " + versions.back() : "");
  }
  const std::string& named = scenario.file->cluster.kubernetes_version;
  if (named == "auto") {
    return told.empty() ? "" : told + ", told by the nodes";
  }
  return fmt::format("{}, named in the scenario{}", named,
                     told.empty() ? "" : fmt::format(" (the nodes say {})", told));
}

Basis basis_of(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan, const SourceMap& sources,
               bool was_played) {
  const cluster::Cluster& cluster = plan.cluster();
  Basis basis;
  basis.cluster = fmt::format("{}: {}, {}, {}, {}", fmt::join(scenario.sources, ", "),
                              plural(cluster.nodes.size(), "node"), plural(cluster.workloads.size(), "workload"),
                              plural(cluster.pods.size(), "pod"), plural(cluster.services.size(), "Service"));
  basis.kubernetes = kubernetes_text(scenario, *plan.state);
  basis.policies = policies_text(scenario, plan);
  basis.cni = plan.profile().name;
  if (!was_played) {
    for (const cni::Profile& other : plan.state->others) {
      basis.cni += " or " + other.name;
    }
  }
  basis.cni += ", " + plan.state->cni_choice;
  if (!plan.profile().policy.is_enforced) {
    basis.cni += "; it enforces no policy";
  } else {
    basis.cni += without_effect(plan.policies.admin_policies, plan.profile());
  }
  if (was_played) {
    basis.timing = plan.profile().timing;
    basis.run = run_text(scenario.run());
  }
  if (!was_played && plan.names != nullptr) {
    std::vector<std::string> shown;
    for (const policy::DomainTable::Entry& entry : plan.names->entries) {
      std::vector<std::string> addresses;
      std::transform(entry.addresses.begin(), entry.addresses.end(), std::back_inserter(addresses),
                     [](const IpAddress& ip) { return ip.to_string(); });
      shown.push_back(fmt::format("{} {}", entry.name, fmt::join(addresses, ", ")));
    }
    basis.assumptions.emplace_back(
        "names",
        fmt::format("domainNames of policies resolved by the scenario's externals: {}", fmt::join(shown, "; ")));
  }
  if (!was_played && has_policies(plan)) {
    basis.in_time = cni::in_time(plan.profile());
  }
  for (const cluster::Assumption& assumption : cluster.assumptions) {
    basis.assumptions.emplace_back(assumption.topic, assumption.text);
  }
  for (const std::string& note : plan.policies.notes) {
    basis.assumptions.emplace_back("policies", note);
  }
  basis.unknown = object_lines(cluster.unmodelled, sources);
  basis.ignored = object_lines(cluster.ignored, sources);
  for (const auto& [kind, count] : cluster.skipped_kinds) {
    basis.skipped += fmt::format("{}{} {}", basis.skipped.empty() ? "" : ", ", count, kind);
  }
  basis.settings = scenario.settings;
  return basis;
}

Basis basis_of_change(const scenario::Scenario& scenario, const scenario::PolicySetPlan& plan,
                      const SourceMap& sources) {
  Basis basis = basis_of(scenario, plan, sources, false);
  basis.in_time = has_policies(plan) ? cni::change_in_time(plan.profile()) : "";
  return basis;
}

std::string basis_table(const Basis& basis, const Style& style) {
  constexpr std::size_t kShown = 8;  // of a long list
  constexpr std::size_t kIndent = 13;
  std::string out;
  const auto line = [&](std::string_view topic, const std::string& text, bool is_doubtful = false) {
    const std::string wrapped_text = wrapped(printable(text, 2000), kIndent, style.text_width());
    out += fmt::format("  {}{} {}\n", style.dim(topic),
                       std::string(kIndent - 3 - std::min(kIndent - 3, topic.size()), ' '),
                       is_doubtful ? style.doubtful(wrapped_text) : wrapped_text);
  };
  const auto list = [&](std::string_view topic, const std::vector<std::string>& texts) {
    for (std::size_t i = 0; i < std::min(texts.size(), kShown); ++i) {
      line(i == 0 ? topic : "", texts[i], true);
    }
    if (texts.size() > kShown) {
      line("", fmt::format("and {} more", texts.size() - kShown), true);
    }
  };
  line("cluster", basis.cluster + (basis.kubernetes.empty() ? "" : fmt::format("; Kubernetes {}", basis.kubernetes)));
  line("policies", basis.policies);
  line("network", basis.cni + (basis.timing.empty() ? "" : fmt::format("; timing: {}", basis.timing)));
  if (!basis.run.empty()) {
    line("run", basis.run);
  }
  if (!basis.in_time.empty()) {
    line("in time", basis.in_time);
  }
  for (const std::string& setting : basis.settings) {
    line("set", setting);
  }
  for (const auto& [topic, text] : basis.assumptions) {
    // "added Deployment …" and "assumed 3 nodes …" bring their own word.
    const bool is_added = text.starts_with("added ");
    const bool is_assumed = text.starts_with("assumed ");
    line(is_added              ? "added"
         : topic == "policies" ? "note"
                               : "assumed",
         is_added     ? text.substr(6)
         : is_assumed ? text.substr(8)
                      : text);
  }
  list("unknown", basis.unknown);
  list("ignored", basis.ignored);
  if (!basis.skipped.empty()) {
    line("skipped", basis.skipped + " (they cannot change a verdict)");
  }
  return out;
}

}  // namespace podwire::report
