// Rules about namespaces themselves: metadata-name-label, namespace-lacks-label, namespace-does-not-exist,
// policy-without-namespace.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "models/analysis/lint_context.hpp"
#include "sim/base/text.hpp"

namespace podwire::analysis {
namespace {

using policy::NetworkPolicy;

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

/// As a server printed it: then the label is the server's.
bool is_from_dump(const cluster::Object& object) {
  const config::Node metadata = object.node.find("metadata");
  return metadata.find("uid").is_present() || metadata.find("resourceVersion").is_present() ||
         object.node.find("status").find("phase").is_present();
}

void metadata_name_label(LintContext& context) {
  for (const cluster::Object* object : context.objects_of("", "Namespace")) {
    const config::Node label = object->node.find("metadata").find("labels").find(kNameLabel);
    if (label.is_null() || !label.is_scalar()) {
      continue;
    }
    if (label.text() != object->name) {
      context.add("metadata-name-label", object->full_name(), label.span(),
                  fmt::format("label {}={} on the namespace {}: the API server sets it to {}", kNameLabel, label.text(),
                              object->name, object->name),
                  "delete this line");
    } else if (!is_from_dump(*object)) {
      context
          .add("metadata-name-label", object->full_name(), label.span(),
               fmt::format("label {} is written by hand: the API server sets it anyway", kNameLabel),
               "delete this line")
          .severity = LintSeverity::info;
    }
  }
}

/// Who has a label key among the namespaces that could be expected to.
struct Census {
  const NetworkPolicy* policy = nullptr;  // the first that selects by the key
  Span span;
  std::vector<std::string> values;  // that are selected
};

void namespace_lacks_label(LintContext& context) {
  std::map<std::string, Census> keys;
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    for (const policy::Direction direction : {policy::Direction::ingress, policy::Direction::egress}) {
      for (const policy::Rule& rule : policy.rules(direction)) {
        for (const policy::PeerRule& peer : rule.peers) {
          if (!peer.namespace_selector) {
            continue;
          }
          for (const cluster::Requirement& requirement : peer.namespace_selector->requirements) {
            if (requirement.key == kNameLabel || requirement.op == cluster::SelectorOperator::does_not_exist) {
              continue;
            }
            Census& census = keys[requirement.key];
            if (census.policy == nullptr) {
              census = {.policy = &policy, .span = requirement.span, .values = requirement.values};
            }
          }
        }
      }
    }
  }
  const cluster::Cluster& cluster = context.cluster;
  for (const auto& [key, census] : keys) {
    const cluster::StringId id = cluster.strings.find(key);
    std::vector<cluster::NamespaceId> lacking;
    std::vector<std::string> having;
    for (std::size_t n = 0; n < cluster.namespaces.size(); ++n) {
      const cluster::Namespace& name_space = cluster.namespaces[n];
      if (name_space.is_assumed || LintContext::is_system_namespace(name_space.name) ||
          context.kinds_in(cluster::NamespaceId(n)).empty()) {
        continue;
      }
      if (id.is_valid() && cluster.label_sets.value(name_space.labels, id).is_valid()) {
        having.push_back(name_space.name);
      } else {
        lacking.push_back(cluster::NamespaceId(n));
      }
    }
    if (having.size() <= lacking.size()) {
      continue;  // not what namespaces usually have
    }
    for (const cluster::NamespaceId name_space : lacking) {
      LintFinding& finding =
          context.add("namespace-lacks-label", "namespace/" + context.name_of(name_space),
                      cluster.namespaces[name_space.index()].span,
                      fmt::format("the namespace {} has no label {}, which {} have and {} selects by",
                                  context.name_of(name_space), key, listed(having), census.policy->full_name()),
                      fmt::format("`labels: {{{}: {}}}`, or whichever value fits", key,
                                  census.values.empty() ? std::string("\"true\"") : census.values.front()));
      finding.related.push_back({census.span, "selected here"});
    }
  }
}

void namespace_does_not_exist(LintContext& context) {
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    if (policy.name_space == "default" || LintContext::is_system_namespace(policy.name_space) || !context.has_pods) {
      continue;
    }
    const cluster::NamespaceId id = context.cluster.find_namespace(policy.name_space);
    const bool exists = id.is_valid() && (!context.cluster.namespaces[id.index()].is_assumed ||
                                          !context.kinds_in(id).empty() || context.matches_template({}, id));
    if (exists) {
      continue;
    }
    std::vector<std::string_view> names;
    for (std::size_t n = 0; n < context.cluster.namespaces.size(); ++n) {
      if (!context.cluster.namespaces[n].is_assumed || !context.kinds_in(cluster::NamespaceId(n)).empty()) {
        names.push_back(context.cluster.namespaces[n].name);
      }
    }
    const std::string nearest = nearest_word(policy.name_space, names);
    const cluster::Object* object = context.find_object(LintContext::object_name(policy));
    const config::Node written = object == nullptr ? config::Node() : object->node.find("metadata").find("namespace");
    context.add("namespace-does-not-exist", LintContext::object_name(policy),
                written.is_null() ? policy.span : written.span(),
                fmt::format("no Namespace and no pod says {}: the policy protects nothing", policy.name_space),
                nearest.empty() ? fmt::format("add the Namespace {}, or correct the name", policy.name_space)
                                : fmt::format("did you mean `namespace: {}`?", nearest));
  }
}

std::size_t workloads_in(const LintContext& context, cluster::NamespaceId name_space) {
  return static_cast<std::size_t>(
      std::count_if(context.cluster.workloads.begin(), context.cluster.workloads.end(),
                    [&](const cluster::Workload& w) { return w.name_space == name_space || w.is_added; }));
}

void policy_without_namespace(LintContext& context) {
  for (const NetworkPolicy& policy : context.policies.network_policies) {
    if (policy.name_space != "default") {
      continue;
    }
    const cluster::Object* object = context.find_object(LintContext::object_name(policy));
    if (object == nullptr || object->span != policy.span ||
        !object->node.find("metadata").find("namespace").text().empty()) {
      continue;
    }
    const cluster::NamespaceId id = context.cluster.find_namespace("default");
    const bool is_empty = !id.is_valid() || context.kinds_in(id).empty();
    // Manifests that all go without namespaces are meant for `kubectl apply -n` or kustomize.
    if (!is_empty && context.cluster.workloads.size() == workloads_in(context, id)) {
      continue;
    }
    context.add(
        "policy-without-namespace", LintContext::object_name(policy), policy.span,
        fmt::format("the policy names no namespace and lands in default{}", is_empty ? ", which has no pods" : ""),
        "add `namespace: …` below metadata.name");
  }
}

}  // namespace

void lint_namespaces(LintContext& context) {
  metadata_name_label(context);
  namespace_lacks_label(context);
  namespace_does_not_exist(context);
  policy_without_namespace(context);
}

}  // namespace podwire::analysis
