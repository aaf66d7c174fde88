// Look-ups that lint rules share; see lint_context.hpp.
#include "models/analysis/lint_context.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "models/cluster/kinds.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::analysis {
namespace {

// Labels that controllers give, which no policy should name (k8s.io well-known labels).
constexpr std::array<std::string_view, 5> kGivenLabels = {"pod-template-hash", "controller-revision-hash",
                                                          "pod-template-generation", "controller-uid", "job-name"};

}  // namespace

LintContext::LintContext(const LintInput& given)
    : input(given),
      cluster(*given.cluster),
      policies(*given.policies),
      profile(*given.profile),
      engine(*given.cluster, *given.policies, *given.profile),
      kinds_(given.cluster->namespaces.size()),
      workloads_(given.cluster->namespaces.size()) {
  for (const cluster::ObjectStore* store : given.stores) {
    for (const cluster::Object& object : store->objects()) {
      if (!object.name.empty()) {
        objects_[object.full_name()] = &object;
      }
      if (!object.name_space.empty() && cluster::find_kind(object.group(), object.kind) == nullptr) {
        foreign_[object.name_space].push_back(&object);
      }
      has_namespace_objects = has_namespace_objects || (object.kind == "Namespace" && object.group().empty());
    }
  }
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    const cluster::Workload& workload = cluster.workloads[w];
    workloads_[workload.name_space.index()].emplace_back(w);
    has_pods = has_pods || (!workload.is_added && !workload.pods.empty());
    const auto& entries = engine.view().pods;
    const std::size_t first = kinds_[workload.name_space.index()].size();
    for (const cluster::PodId pod : workload.pods) {
      std::vector<PodKind>& kinds = kinds_[workload.name_space.index()];
      const cluster::PodPhase phase = cluster.pods[pod.index()].phase;
      if (phase == cluster::PodPhase::succeeded || phase == cluster::PodPhase::failed) {
        continue;
      }
      const bool is_known =
          std::any_of(kinds.begin() + static_cast<std::ptrdiff_t>(first), kinds.end(), [&](const PodKind& kind) {
            return kind.shape == cluster.pods[pod.index()].shape &&
                   (kind.pod == pod || entries[kind.pod.index()] == entries[pod.index()] ||
                    (entries[kind.pod.index()].ingress == entries[pod.index()].ingress &&
                     entries[kind.pod.index()].egress == entries[pod.index()].egress));
          });
      if (!is_known) {
        kinds.push_back({.pod = pod,
                         .workload = cluster::WorkloadId(w),
                         .shape = cluster.pods[pod.index()].shape,
                         .name_space = workload.name_space});
      }
    }
  }
}

LintFinding& LintContext::add(std::string_view rule, std::string object, Span span, std::string message,
                              std::string remedy) {
  const LintRule* known = find_lint_rule(rule);
  PODWIRE_CHECK(known != nullptr, "analysis", "findings name rules of the table");
  findings.push_back({.rule = known->id,
                      .severity = known->severity,
                      .object = std::move(object),
                      .message = std::move(message),
                      .remedy = std::move(remedy),
                      .span = span,
                      .related = {},
                      .hides_source_line = false,
                      .policy_sets = {}});
  return findings.back();
}

void LintContext::doubt(std::string_view rule, std::string object, std::uint32_t unmodelled) {
  if (unmodelled >= cluster.unmodelled.size()) {
    return;
  }
  const cluster::UnmodelledObject& reason = cluster.unmodelled[unmodelled];
  doubts.push_back({.rule = find_lint_rule(rule)->id,
                    .object = std::move(object),
                    .because = fmt::format("{} {}", reason.kind, reason.full_name),
                    .span = reason.span});
}

bool LintContext::is_matched(const cluster::LabelSelector& selector, const PodKind& kind) const {
  return selector.matches(cluster.shapes[kind.shape.index()].labels, cluster.label_sets, cluster.strings);
}

bool LintContext::is_namespace_matched(const cluster::LabelSelector& selector, cluster::NamespaceId name_space) const {
  return selector.matches(cluster.namespaces[name_space.index()].labels, cluster.label_sets, cluster.strings);
}

const std::vector<cluster::NamespaceId>& LintContext::namespaces_matching(const cluster::LabelSelector& selector) {
  const auto [at, is_new] = namespaces_by_selector_.try_emplace(selector.to_string());
  if (is_new) {
    for (std::size_t n = 0; n < cluster.namespaces.size(); ++n) {
      if (is_namespace_matched(selector, cluster::NamespaceId(n))) {
        at->second.push_back(cluster::NamespaceId(n));
      }
    }
  }
  return at->second;
}

std::vector<PodKind> LintContext::subjects_of(const policy::NetworkPolicy& policy) const {
  std::vector<PodKind> found;
  if (const cluster::NamespaceId where = cluster.find_namespace(policy.name_space); where.is_valid()) {
    for (const PodKind& kind : kinds_in(where)) {
      if (is_matched(policy.pod_selector, kind)) {
        found.push_back(kind);
      }
    }
  }
  return found;
}

std::vector<PodKind> LintContext::peers_of(const policy::NetworkPolicy& policy, const policy::PeerRule& peer) {
  std::vector<PodKind> found;
  if (peer.ip_block) {
    return found;
  }
  std::vector<cluster::NamespaceId> where;
  if (peer.namespace_selector) {
    where = namespaces_matching(*peer.namespace_selector);
  } else if (const cluster::NamespaceId own = cluster.find_namespace(policy.name_space); own.is_valid()) {
    where.push_back(own);
  }
  for (const cluster::NamespaceId name_space : where) {
    for (const PodKind& kind : kinds_in(name_space)) {
      if (!peer.pod_selector || is_matched(*peer.pod_selector, kind)) {
        found.push_back(kind);
      }
    }
  }
  return found;
}

std::span<const policy::NetworkPolicy> LintContext::policies_in(std::string_view name_space) const {
  const auto& all = policies.network_policies;
  const auto first =
      std::lower_bound(all.begin(), all.end(), name_space,
                       [](const policy::NetworkPolicy& policy, std::string_view n) { return policy.name_space < n; });
  const auto last = std::find_if(first, all.end(), [&](const auto& policy) { return policy.name_space != name_space; });
  return {first, last};
}

bool LintContext::matches_template(const cluster::LabelSelector& selector, cluster::NamespaceId name_space) const {
  const std::vector<cluster::WorkloadId>& here = workloads_[name_space.index()];
  const bool is_ours = std::any_of(here.begin(), here.end(), [&](cluster::WorkloadId id) {
    const cluster::Workload& workload = cluster.workloads[id.index()];
    return workload.pod_template.is_valid() && selector.matches(cluster.templates[workload.pod_template.index()].labels,
                                                                cluster.label_sets, cluster.strings);
  });
  const bool is_for_a_challenge =
      std::any_of(selector.requirements.begin(), selector.requirements.end(), [](const auto& requirement) {
        return requirement.key == "acme.cert-manager.io/http01-solver";  // cert-manager, HTTP01
      });
  const auto foreign = foreign_.find(name_of(name_space));
  return is_ours || is_for_a_challenge ||
         (foreign != foreign_.end() &&
          std::any_of(foreign->second.begin(), foreign->second.end(),
                      [&](const cluster::Object* object) { return is_made_by(selector, *object); }));
}

bool LintContext::is_made_by(const cluster::LabelSelector& selector, const cluster::Object& object) const {
  const config::Node labels =
      object.node.find("spec").find("template").find("metadata").find("labels");  // as argoproj.io's Rollout has it
  const auto holds = [&](const cluster::Requirement& requirement) {
    const config::Node label = labels.find(requirement.key);
    const bool is_listed =
        std::binary_search(requirement.values.begin(), requirement.values.end(), std::string(label.text()));
    switch (requirement.op) {
      case cluster::SelectorOperator::in:
        return label.is_present() && is_listed;
      case cluster::SelectorOperator::not_in:
        return !label.is_present() || !is_listed;
      case cluster::SelectorOperator::exists:
        return label.is_present();
      case cluster::SelectorOperator::does_not_exist:
        return !label.is_present();
    }
    return false;
  };
  const bool is_by_template =
      labels.is_present() && std::all_of(selector.requirements.begin(), selector.requirements.end(), holds);
  return is_by_template ||
         std::any_of(selector.requirements.begin(), selector.requirements.end(), [&](const auto& requirement) {
           return requirement.op == cluster::SelectorOperator::in &&
                  std::binary_search(requirement.values.begin(), requirement.values.end(), object.name);
         });
}

const cluster::Object* LintContext::find_object(const std::string& full_name) const {
  const auto at = objects_.find(full_name);
  return at == objects_.end() ? nullptr : at->second;
}

std::vector<const cluster::Object*> LintContext::objects_of(std::string_view group, std::string_view kind) const {
  std::vector<const cluster::Object*> found;
  for (const cluster::ObjectStore* store : input.stores) {
    for (const cluster::Object* object : store->all(group, kind)) {
      if (find_object(object->full_name()) == object) {  // not replaced by a later store
        found.push_back(object);
      }
    }
  }
  return found;
}

bool LintContext::is_system_namespace(std::string_view name) {
  return name == "kube-system" || name == "kube-public" || name == "kube-node-lease" || name == "local-path-storage";
}

std::string LintContext::object_name(const policy::NetworkPolicy& policy) {
  return fmt::format("{}/networkpolicy/{}", policy.name_space, policy.name);
}

std::string LintContext::object_name(cluster::WorkloadId id) const {
  const cluster::Workload& workload = cluster.workloads[id.index()];
  const cluster::KindInfo* info = cluster::find_kind_by_word(to_string(workload.kind));
  return fmt::format("{}/{}/{}", name_of(workload.name_space), info != nullptr ? info->singular : "pod", workload.name);
}

std::string listed(const std::vector<std::string>& items, std::size_t most) {
  if (items.size() <= most + 1) {
    const std::size_t last = items.empty() ? 0 : items.size() - 1;
    return items.size() < 2
               ? fmt::format("{}", fmt::join(items, ""))
               : fmt::format("{} and {}",
                             fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(last), ", "),
                             items.back());
  }
  return fmt::format("{} and {} more",
                     fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(most), ", "),
                     items.size() - most);
}

std::string listed_of(const std::vector<std::string>& first, std::size_t count) {
  constexpr std::size_t kMost = 3;
  if (count <= kMost + 1) {
    return listed(first, kMost);
  }
  return fmt::format("{} and {} more", fmt::join(first.begin(), first.begin() + kMost, ", "), count - kMost);
}

std::string port_text(const policy::PortRule& port) {
  if (!port.name.empty()) {
    return fmt::format("{} {}", to_string(port.protocol), port.name);
  }
  if (!port.first.is_valid()) {
    return fmt::format("every {} port", to_string(port.protocol));
  }
  return port.last > port.first
             ? fmt::format("{} {}-{}", to_string(port.protocol), port.first.number(), port.last.number())
             : fmt::format("{} {}", to_string(port.protocol), port.first.number());
}

std::string port_yaml(const policy::PortRule& port) {
  if (!port.name.empty()) {
    return fmt::format("{{protocol: {}, port: {}}}", to_string(port.protocol), port.name);
  }
  if (!port.first.is_valid()) {
    return fmt::format("{{protocol: {}}}", to_string(port.protocol));
  }
  return port.last > port.first
             ? fmt::format("{{protocol: {}, port: {}, endPort: {}}}", to_string(port.protocol), port.first.number(),
                           port.last.number())
             : fmt::format("{{protocol: {}, port: {}}}", to_string(port.protocol), port.first.number());
}

std::string selector_yaml(const cluster::LabelSelector& selector) {
  std::vector<std::string> labels;
  for (const cluster::Requirement& requirement : selector.requirements) {
    if (requirement.op != cluster::SelectorOperator::in || requirement.values.size() != 1) {
      return fmt::format("{{…}} ({})", selector.to_string());
    }
    labels.push_back(fmt::format("{}: {}", requirement.key, requirement.values.front()));
  }
  return labels.empty() ? "{}" : fmt::format("{{matchLabels: {{{}}}}}", fmt::join(labels, ", "));
}

std::string labels_text(const cluster::Cluster& cluster, cluster::LabelSetId labels) {
  std::vector<std::string> texts;
  for (const cluster::Label& label : cluster.label_sets[labels]) {
    texts.push_back(fmt::format("{}={}", cluster.strings[label.key], cluster.strings[label.value]));
  }
  std::sort(texts.begin(), texts.end());
  return texts.empty() ? "no labels" : fmt::format("{}", fmt::join(texts, ","));
}

std::string labels_yaml(const cluster::Cluster& cluster, cluster::LabelSetId labels) {
  std::vector<std::string> texts;
  for (const cluster::Label& label : cluster.label_sets[labels]) {
    const std::string_view key = cluster.strings[label.key];
    if (std::find(kGivenLabels.begin(), kGivenLabels.end(), key) == kGivenLabels.end()) {
      texts.push_back(fmt::format("{}: {}", key, cluster.strings[label.value]));
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts.empty() ? "{}" : fmt::format("{{matchLabels: {{{}}}}}", fmt::join(texts, ", "));
}

bool is_dns_port(const policy::PortRule& port) {
  const bool is_number = port.first == port.last && (port.first == Port(53) || port.first == Port(5353));
  return is_number || port.name == "dns" || port.name == "dns-tcp";
}

bool is_dns_only(const policy::Rule& rule) {
  return !rule.ports.empty() && std::all_of(rule.ports.begin(), rule.ports.end(), is_dns_port);
}

}  // namespace podwire::analysis
