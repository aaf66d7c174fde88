#include "app/scenario/policy_sets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "models/cluster/kinds.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using policy::AdminKind;
using policy::AdminPolicy;
using policy::NetworkPolicy;

bool precedes(const NetworkPolicy& a, const NetworkPolicy& b) {
  return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
}

// kubectl apply: the same namespace and name replace.
void put(std::vector<NetworkPolicy>& policies, NetworkPolicy policy) {
  const auto at = std::lower_bound(policies.begin(), policies.end(), policy, precedes);
  if (at != policies.end() && at->name_space == policy.name_space && at->name == policy.name) {
    *at = std::move(policy);
  } else {
    policies.insert(at, std::move(policy));
  }
}

// The same for the admin tiers, whose order is that of evaluation.
void put(std::vector<AdminPolicy>& policies, AdminPolicy policy) {
  std::erase_if(policies, [&](const AdminPolicy& p) { return p.kind == policy.kind && p.name == policy.name; });
  policies.insert(std::upper_bound(policies.begin(), policies.end(), policy, policy::precedes), std::move(policy));
}

// The admin kind that a word of kubectl's means.
std::optional<AdminKind> admin_kind(std::string_view word) {
  const cluster::KindInfo* info = cluster::find_kind_by_word(word);
  for (const AdminKind kind :
       {AdminKind::admin_network_policy, AdminKind::baseline_admin_network_policy, AdminKind::cluster_network_policy}) {
    if (info != nullptr && info->kind == to_string(kind) && info->group() == "policy.networking.k8s.io") {
      return kind;
    }
  }
  return std::nullopt;
}

void remove_admin_policy(std::vector<AdminPolicy>& policies, AdminKind kind, std::string_view name, const Text& text,
                         Diagnostics& diagnostics) {
  const auto removed = std::erase_if(policies, [&](const AdminPolicy& p) { return p.kind == kind && p.name == name; });
  if (removed == 0) {
    std::vector<std::string> known;
    for (const AdminPolicy& policy : policies) {
      known.push_back(policy.full_name());
    }
    diagnostics.error("unknown-object",
                      fmt::format("there is no {} \"{}\" to delete", to_string(kind), printable(text.text)), text.span,
                      suggestion(text.text, known));
  }
}

void remove_policy(policy::PolicySet& set, const Text& text, Diagnostics& diagnostics) {
  std::vector<NetworkPolicy>& policies = set.network_policies;
  const std::size_t first = text.text.find('/');
  if (const auto kind = admin_kind(std::string_view(text.text).substr(0, first)); kind && first != std::string::npos) {
    remove_admin_policy(set.admin_policies, *kind, std::string_view(text.text).substr(first + 1), text, diagnostics);
    return;
  }
  const std::size_t second = first == std::string::npos ? first : text.text.find('/', first + 1);
  const std::string kind =
      second == std::string::npos ? "networkpolicy" : text.text.substr(first + 1, second - first - 1);
  const bool is_policy = kind == "networkpolicy" || kind == "networkpolicies" || kind == "netpol";
  if (first == std::string::npos || !is_policy) {
    diagnostics.error("bad-name", fmt::format("\"{}\" names no NetworkPolicy", printable(text.text)), text.span,
                      "for example backend/networkpolicy/allow-all or adminnetworkpolicy/deny-all");
    return;
  }
  const std::string name_space = text.text.substr(0, first);
  const std::string name = text.text.substr((second == std::string::npos ? first : second) + 1);
  const auto removed = std::erase_if(
      policies, [&](const NetworkPolicy& policy) { return policy.name_space == name_space && policy.name == name; });
  if (removed == 0) {
    std::vector<std::string> known;
    for (const NetworkPolicy& policy : policies) {
      known.push_back(fmt::format("{}/networkpolicy/{}", policy.name_space, policy.name));
    }
    diagnostics.error("unknown-object", fmt::format("there is no NetworkPolicy \"{}\" to delete", printable(text.text)),
                      text.span, suggestion(fmt::format("{}/networkpolicy/{}", name_space, name), known));
  }
}

std::vector<std::string> stamp_namespaces(const PolicySetFile& file, const cluster::Cluster& cluster,
                                          Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const Text& text : file.namespaces) {
    if (cluster.find_namespace(text.text).is_valid()) {
      names.push_back(text.text);
      continue;
    }
    std::vector<std::string> known;
    for (const cluster::Namespace& known_namespace : cluster.namespaces) {
      known.push_back(known_namespace.name);
    }
    diagnostics.error("unknown-namespace", fmt::format("there is no namespace \"{}\"", printable(text.text)), text.span,
                      suggestion(text.text, known));
  }
  return names;
}

// Folders of policies often bring their Namespace along. One that says nothing new about a known namespace's labels
// changes no verdict and may stand there.
bool is_known_namespace(const cluster::Object& object, const cluster::Cluster& cluster) {
  const cluster::NamespaceId id = cluster.find_namespace(object.name);
  if (object.kind != "Namespace" || !object.group().empty() || !id.is_valid()) {
    return false;
  }
  const cluster::LabelSetId labels = cluster.namespaces[id.index()].labels;
  for (const config::Node label : object.node.find("metadata").find("labels")) {
    const cluster::StringId key = cluster.strings.find(label.key());
    const cluster::StringId value = cluster.strings.find(label.text());
    if (!key.is_valid() || !value.is_valid() || cluster.label_sets.value(labels, key) != value) {
      return false;
    }
  }
  return true;
}

}  // namespace

void apply_policy(policy::PolicySet& set, const cluster::Object& object, Diagnostics& diagnostics) {
  if (policy::is_admin_policy(object)) {
    if (auto policy = policy::read_admin_policy(object, diagnostics)) {
      put(set.admin_policies, std::move(*policy));
      policy::warn_of_equal_priorities(set, diagnostics);
    }
  } else if (auto policy = policy::read_network_policy(object, diagnostics)) {
    put(set.network_policies, std::move(*policy));
  }
}

void delete_policy(policy::PolicySet& set, const Text& name, Diagnostics& diagnostics) {
  remove_policy(set, name, diagnostics);
}

policy::PolicySet compose_policies(const PolicySetFile& file, const policy::PolicySet& base,
                                   const cluster::ObjectStore& applied, const cluster::Cluster& cluster,
                                   Diagnostics& diagnostics) {
  policy::PolicySet set{.name = file.name, .network_policies = {}, .notes = {}, .admin_policies = {}};
  if (file.starts_from_cluster) {
    set.network_policies = base.network_policies;
    set.admin_policies = base.admin_policies;
    set.notes = base.notes;
  }
  for (const Text& text : file.remove) {
    remove_policy(set, text, diagnostics);
  }
  const std::vector<std::string> namespaces = stamp_namespaces(file, cluster, diagnostics);
  bool has_new_admin_policy = false;
  for (const cluster::Object& object : applied.objects()) {
    if (policy::is_admin_policy(object)) {
      if (auto policy = policy::read_admin_policy(object, diagnostics)) {
        put(set.admin_policies, std::move(*policy));
        has_new_admin_policy = true;
      }
      continue;
    }
    if (is_known_namespace(object, cluster)) {
      set.notes.push_back(fmt::format("passed over Namespace {}: its labels are what the cluster has", object.name));
      continue;
    }
    if (object.kind != "NetworkPolicy" || object.group() != "networking.k8s.io") {
      diagnostics.error("not-supported-yet",
                        fmt::format("a policy set applies policies only, and this is a {}", printable(object.kind)),
                        object.span, "move the object, or its change of labels, to a layer of cluster.from");
      continue;
    }
    const bool names_namespace = !object.node.find("metadata").find("namespace").is_null();
    if (names_namespace || file.namespaces.empty()) {
      if (auto policy = policy::read_network_policy(object, diagnostics)) {
        put(set.network_policies, std::move(*policy));
      }
      continue;
    }
    for (const std::string& name : namespaces) {
      cluster::Object stamped = object;
      stamped.name_space = name;
      if (auto policy = policy::read_network_policy(stamped, diagnostics)) {
        put(set.network_policies, std::move(*policy));
      } else {
        break;  // its problems are the same in every namespace
      }
    }
    if (!namespaces.empty()) {
      set.notes.push_back(fmt::format("stamped {} into {}", object.name, fmt::join(namespaces, ", ")));
    }
  }
  if (has_new_admin_policy) {
    policy::warn_of_equal_priorities(set, diagnostics);
  }
  return set;
}

}  // namespace podwire::scenario
