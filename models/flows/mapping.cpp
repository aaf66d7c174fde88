#include "models/flows/mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/cluster/kinds.hpp"

namespace podwire::flows {
namespace {

using cluster::NamespaceId;
using cluster::PodId;
using cluster::WorkloadId;
using cluster::WorkloadKind;

constexpr std::size_t kMostOwners = 4;       // of one address, the latest
constexpr std::size_t kMostNamed = 200'000;  // then the memo of names begins anew
constexpr std::size_t kMostText = 300;       // bytes of a strange name that are kept

IpAddress block_of(IpAddress ip) {
  return ip.is_v4() ? IpAddress::v4(ip.as_v4() & 0xffff'ff00u) : IpAddress(ip.high(), 0);
}

std::uint64_t hash_of(const FlowEnd& end) {
  if (end.identity != 0) {
    return end.identity;
  }
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325u;  // FNV-1a; a clash only skips one comparison of labels
  for (const std::string_view label : end.labels) {
    for (const char c : label) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3u;
    }
    hash = (hash ^ 0xff) * 0x100'0000'01b3u;
  }
  return hash;
}

bool is_running(const cluster::Pod& pod) {
  return pod.phase == cluster::PodPhase::running && !pod.ip.is_unspecified();
}

/// The letters of generated suffixes (k8s.io/apimachinery/pkg/util/rand).
bool is_suffix(std::string_view text) {
  return !text.empty() && text.find_first_not_of("bcdfghjklmnpqrstvwxz2456789") == std::string_view::npos;
}
bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

// What expanded pods do not have (cluster/expand.cpp).
bool is_of_controller(std::string_view label_key) {
  constexpr std::array<std::string_view, 10> kKeys = {"pod-template-hash",
                                                      "controller-revision-hash",
                                                      "pod-template-generation",
                                                      "statefulset.kubernetes.io/pod-name",
                                                      "apps.kubernetes.io/pod-index",
                                                      "batch.kubernetes.io/job-name",
                                                      "batch.kubernetes.io/job-completion-index",
                                                      "batch.kubernetes.io/controller-uid",
                                                      "job-name",
                                                      "controller-uid"};
  return std::find(kKeys.begin(), kKeys.end(), label_key) != kKeys.end();
}

EndMapper::EndMapper(const cluster::Cluster& cluster, MappingOptions options)
    : cluster_(cluster), options_(std::move(options)), by_namespace_(cluster.namespaces.size()) {
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    by_namespace_[cluster.workloads[w].name_space.index()].emplace_back(w);
  }
  pod_cidrs_.push_back(cluster.pod_cidr);
  for (const cluster::Node& node : cluster.nodes) {
    if (!node.pod_cidr.first().is_unspecified() && !cluster.pod_cidr.contains(node.pod_cidr)) {
      pod_cidrs_.push_back(node.pod_cidr);
    }
  }
  for (const cluster::Pod& pod : cluster.pods) {
    if (is_running(pod) && cluster.pod_at(pod.ip).is_valid()) {
      pod_blocks_[block_of(pod.ip)] = true;
    }
  }
}

bool EndMapper::is_near_pods(IpAddress ip) const {
  return pod_blocks_.contains(block_of(ip));
}

End EndMapper::stranger(Stranger reason, std::string text) {
  if (text.size() > kMostText) {
    text.resize(kMostText);
  }
  std::string key = fmt::format("{}{}", static_cast<char>('a' + static_cast<int>(reason)), text);
  auto found = stranger_ids_.find(key);
  if (found == stranger_ids_.end()) {
    if (strangers_.size() >= options_.most_strangers) {  // one entry a reason for the rest
      text.clear();
      key = fmt::format("{}", static_cast<char>('A' + static_cast<int>(reason)));
      found = stranger_ids_.find(key);
    }
    if (found == stranger_ids_.end()) {
      const auto id = static_cast<std::uint32_t>(strangers_.size());
      strangers_.push_back({reason, std::move(text)});
      found = stranger_ids_.emplace(std::move(key), id).first;
    }
  }
  return {.kind = EndKind::unmapped, .id = found->second};
}

End EndMapper::map(const FlowEnd& end, Nanoseconds time, std::string_view node) {
  End found = find(end, time, node);
  if (found.kind == EndKind::pod && !cluster_.second_addresses.empty() && !end.ip.is_unspecified()) {
    const IpAddress second = cluster_.second_address_of(PodId(found.id));
    if (!second.is_unspecified() && second.family() == end.ip.family()) {
      found.ip = second;
    }
  }
  return found;
}

End EndMapper::find(const FlowEnd& end, Nanoseconds time, std::string_view node) {
  if (end.hint == EndHint::public_network || end.hint == EndHint::private_network) {
    return {.kind = end.hint == EndHint::public_network ? EndKind::public_network : EndKind::private_network, .id = 0};
  }
  if ((end.hint == EndHint::host || end.hint == EndHint::remote_node) && end.name_space.empty()) {
    const End found = by_node(end, node);
    if (found.kind == EndKind::node) {
      return found;
    }
  } else if (!end.pod.empty() || !end.workload.empty()) {
    End found = by_name(end);
    if (found.kind == EndKind::pod && !end.ip.is_unspecified()) {
      learn(end.ip, found, time);
    }
    return found;
  }
  if (!end.service.empty()) {
    const cluster::ServiceId by_ip = end.ip.is_unspecified() ? cluster::ServiceId() : cluster_.service_at(end.ip);
    const NamespaceId where = cluster_.find_namespace(end.service_namespace);
    const cluster::ServiceId service =
        by_ip.is_valid() || !where.is_valid() ? by_ip : cluster_.find_service(where, end.service);
    if (service.is_valid() && (by_ip.is_valid() || end.ip.is_unspecified())) {
      return {.kind = EndKind::service, .id = service.value()};
    }
    if (end.ip.is_unspecified()) {
      return stranger(Stranger::unknown_name, fmt::format("{}/service/{}", end.service_namespace, end.service));
    }
  }
  return end.ip.is_unspecified() ? stranger(Stranger::nameless, {}) : by_address(end, time);
}

End EndMapper::by_name(const FlowEnd& end) {
  key_.assign(end.name_space);
  key_ += '/';
  if (end.pod.empty()) {
    key_.append(end.workload_kind);
    key_ += '/';
    key_.append(end.workload);
  } else {
    key_.append(end.pod);
  }
  auto found = named_.find(key_);
  if (found == named_.end()) {
    if (named_.size() >= kMostNamed) {
      named_.clear();
    }
    found = named_.emplace(key_, Named{look_up(end), 0}).first;
  }
  Named& named = found->second;
  if (named.end.kind == EndKind::pod && named.end.is_exact && !end.labels.empty()) {
    if (const std::uint64_t labels = hash_of(end); labels != named.labels) {
      named.labels = labels;
      named.end.has_new_labels = !has_all_labels(PodId(named.end.id), end);
    }
  }
  return named.end;
}

End EndMapper::look_up(const FlowEnd& end) {
  const std::string text = end.pod.empty() ? fmt::format("{}/{}/{}", end.name_space, end.workload_kind, end.workload)
                                           : fmt::format("{}/{}", end.name_space, end.pod);
  const NamespaceId where = cluster_.find_namespace(end.name_space);
  if (!where.is_valid()) {
    return stranger(Stranger::unknown_name, text);
  }
  const std::string_view pod_name = end.pod;
  const bool is_group = pod_name.ends_with('*');
  if (!pod_name.empty() && !is_group) {
    if (const PodId pod = cluster_.find_pod(where, pod_name); pod.is_valid()) {
      return {.kind = EndKind::pod, .id = pod.value()};
    }
  }
  std::string_view stem = pod_name;
  while (stem.ends_with('*') || stem.ends_with('-')) {
    stem.remove_suffix(1);
  }
  bool is_ambiguous = false;
  WorkloadId workload = workload_of(end, where, is_ambiguous);
  if (!workload.is_valid() && !pod_name.empty()) {
    // A generateName is "web-7d77fb55cc-" or "db-": a suffix that is not there makes it a pod's name.
    workload = workload_by_pod_name(is_group ? fmt::format("{}-bbbbb", stem) : std::string(pod_name), where);
  }
  if (!workload.is_valid()) {
    workload = workload_by_labels(end, where, is_ambiguous);
  }
  if (!workload.is_valid()) {
    return stranger(is_ambiguous ? Stranger::ambiguous : Stranger::unknown_name, text);
  }
  const End found = of_workload(workload, is_group ? stem : std::string_view());
  return found.kind == EndKind::pod ? found : stranger(Stranger::no_running_pod, text);
}

/// A running pod of the workload, preferably one whose name begins with `prefix`.
End EndMapper::of_workload(WorkloadId id, std::string_view prefix) const {
  PodId first;
  for (const PodId pod : cluster_.workloads[id.index()].pods) {
    if (!is_running(cluster_.pods[pod.index()])) {
      continue;
    }
    first = first.is_valid() ? first : pod;
    if (prefix.empty() || cluster_.pod_name(pod).starts_with(prefix)) {
      first = pod;
      break;
    }
  }
  return first.is_valid() ? End{.kind = EndKind::pod, .is_exact = false, .id = first.value()} : End();
}

WorkloadId EndMapper::workload_of(const FlowEnd& end, NamespaceId where, bool& is_ambiguous) const {
  if (end.workload.empty()) {
    return {};
  }
  if (!end.workload_kind.empty()) {
    const cluster::KindInfo* const kind = cluster::find_kind_by_word(end.workload_kind);
    const auto known = kind == nullptr ? std::nullopt : cluster::workload_kind(kind->kind);
    if (known) {
      const WorkloadId exact = cluster_.find_workload(where, *known, end.workload);
      // The log may name the ReplicaSet where the dump has its Deployment.
      if (exact.is_valid() || *known != WorkloadKind::replica_set) {
        return exact;
      }
      const std::size_t dash = end.workload.rfind('-');
      return dash == std::string_view::npos
                 ? WorkloadId()
                 : cluster_.find_workload(where, WorkloadKind::deployment, end.workload.substr(0, dash));
    }
  }
  WorkloadId found;
  for (const WorkloadId id : by_namespace_[where.index()]) {
    if (cluster_.workloads[id.index()].name == end.workload) {
      is_ambiguous = found.is_valid();
      found = is_ambiguous ? WorkloadId() : id;
      if (is_ambiguous) {
        break;
      }
    }
  }
  return found;
}

/// The owner that gives its pods such names: a pod that is gone, or one of a replica set that was replaced.
WorkloadId EndMapper::workload_by_pod_name(std::string_view name, NamespaceId where) const {
  const std::size_t last = name.rfind('-');
  if (last == std::string_view::npos) {
    return {};
  }
  const std::string_view suffix = name.substr(last + 1);
  const std::string_view stem = name.substr(0, last);
  if (is_number(suffix)) {
    if (const WorkloadId id = cluster_.find_workload(where, WorkloadKind::stateful_set, stem); id.is_valid()) {
      return id;
    }
  }
  if (suffix.size() != 5 || !is_suffix(suffix)) {
    return {};
  }
  for (const WorkloadKind kind : {WorkloadKind::replica_set, WorkloadKind::daemon_set, WorkloadKind::job,
                                  WorkloadKind::replication_controller, WorkloadKind::stateful_set}) {
    if (const WorkloadId id = cluster_.find_workload(where, kind, stem); id.is_valid()) {
      return id;
    }
  }
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos) {
    return {};
  }
  const std::string_view middle = stem.substr(dash + 1);
  const WorkloadKind kind = is_number(middle) && middle.size() >= 8 ? WorkloadKind::cron_job : WorkloadKind::deployment;
  return is_suffix(middle) || kind == WorkloadKind::cron_job ? cluster_.find_workload(where, kind, stem.substr(0, dash))
                                                             : WorkloadId();
}

/// The one workload whose template's labels are all among the record's.
WorkloadId EndMapper::workload_by_labels(const FlowEnd& end, NamespaceId where, bool& is_ambiguous) const {
  WorkloadId found;
  if (end.labels.empty()) {
    return found;
  }
  std::vector<std::pair<cluster::StringId, cluster::StringId>> given;
  for (const std::string_view label : end.labels) {
    const std::size_t equals = label.find('=');
    const cluster::StringId key = cluster_.strings.find(label.substr(0, equals));
    const cluster::StringId value =
        cluster_.strings.find(equals == std::string_view::npos ? std::string_view() : label.substr(equals + 1));
    if (key.is_valid() && value.is_valid()) {
      given.emplace_back(key, value);
    }
  }
  for (const WorkloadId id : by_namespace_[where.index()]) {
    const cluster::PodTemplate& pods = cluster_.templates[cluster_.workloads[id.index()].pod_template.index()];
    bool has_any = false;
    const bool has_all = std::ranges::all_of(cluster_.label_sets[pods.labels], [&](const cluster::Label& label) {
      has_any = true;
      return is_of_controller(cluster_.strings[label.key]) ||
             std::find(given.begin(), given.end(), std::pair(label.key, label.value)) != given.end();
    });
    if (has_any && has_all) {
      is_ambiguous = is_ambiguous || found.is_valid();
      found = id;
    }
  }
  return is_ambiguous ? WorkloadId() : found;
}

bool EndMapper::has_all_labels(PodId pod, const FlowEnd& end) const {
  for (const std::string_view label : end.labels) {
    const std::size_t equals = label.find('=');
    const std::string_view key = label.substr(0, equals);
    if (is_of_controller(key)) {
      continue;
    }
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : label.substr(equals + 1);
    const cluster::StringId key_id = cluster_.strings.find(key);
    const cluster::StringId value_id =
        key_id.is_valid() ? cluster_.label_sets.value(cluster_.shape(pod).labels, key_id) : cluster::StringId();
    if (!value_id.is_valid() || cluster_.strings[value_id] != value) {
      return false;
    }
  }
  return true;
}

End EndMapper::by_node(const FlowEnd& end, std::string_view node) const {
  cluster::NodeId id = end.ip.is_unspecified() ? cluster::NodeId() : cluster_.node_at(end.ip);
  if (!id.is_valid() && !end.pod.empty()) {
    id = cluster_.find_node(end.pod);
  }
  if (!id.is_valid() && end.hint == EndHint::host) {
    const std::size_t slash = node.rfind('/');  // Hubble: "cluster/node"
    id = cluster_.find_node(slash == std::string_view::npos ? node : node.substr(slash + 1));
  }
  return id.is_valid() ? End{.kind = EndKind::node, .id = id.value()} : End();
}

void EndMapper::learn(IpAddress ip, const End& end, Nanoseconds time) {
  auto found = owners_.find(ip);
  if (found == owners_.end()) {
    if (owners_.size() >= options_.most_addresses) {
      return;
    }
    found = owners_.emplace(ip, std::vector<Owner>()).first;
  }
  std::vector<Owner>& owners = found->second;
  for (Owner& owner : owners) {
    if (owner.end.id == end.id) {
      owner.first = std::min(owner.first, time);
      owner.last = std::max(owner.last, time);
      return;
    }
  }
  if (owners.size() == kMostOwners) {
    owners.erase(
        std::min_element(owners.begin(), owners.end(), [](const Owner& a, const Owner& b) { return a.last < b.last; }));
  }
  owners.push_back({end, time, time});
}

End EndMapper::by_address(const FlowEnd& end, Nanoseconds time) {
  const auto found = owners_.find(end.ip);
  if (found == owners_.end() || end.hint == EndHint::world) {
    return by_dump(end, time);
  }
  // The owner whose time this is, when it is one alone; between two owners' times, none.
  const std::vector<Owner>& owners = found->second;
  const Owner* during = nullptr;
  std::size_t count = 0;
  for (const Owner& owner : owners) {
    if (time >= owner.first - options_.skew && time <= owner.last + options_.skew) {
      during = &owner;
      ++count;
    }
  }
  if (count == 1) {
    return during->end;
  }
  const cluster::PodId now = cluster_.pod_at(end.ip);
  const bool is_always_one = owners.size() == 1 && (!now.is_valid() || now.value() == owners.front().end.id);
  return count == 0 && is_always_one ? owners.front().end : stranger(Stranger::changed_hands, end.ip.to_string());
}

End EndMapper::by_dump(const FlowEnd& end, Nanoseconds time) {
  const IpAddress ip = end.ip;
  if (const PodId pod = cluster_.pod_at(ip); pod.is_valid()) {
    const Nanoseconds start = options_.pod_starts.empty() ? kNoTime : options_.pod_starts[pod.index()];
    if (start != kNoTime && time < start - options_.skew) {
      return stranger(Stranger::later_pod, ip.to_string());
    }
    return {.kind = EndKind::pod, .id = pod.value()};
  }
  if (const cluster::NodeId node = cluster_.node_at(ip); node.is_valid()) {
    return {.kind = EndKind::node, .id = node.value()};
  }
  if (const cluster::ServiceId service = cluster_.service_at(ip); service.is_valid()) {
    return {.kind = EndKind::service, .id = service.value()};
  }
  const bool is_inside =
      cluster_.service_cidr.contains(ip) ||
      std::any_of(pod_cidrs_.begin(), pod_cidrs_.end(), [&](const Cidr& cidr) { return cidr.contains(ip); }) ||
      (end.hint != EndHint::world && is_near_pods(ip));
  if (is_inside || end.hint == EndHint::host || end.hint == EndHint::remote_node) {
    return stranger(Stranger::unknown_address, ip.to_string());
  }
  return {.kind = EndKind::address, .id = 0, .ip = ip};
}

std::string_view to_string(Stranger reason) {
  constexpr std::array<std::string_view, kStrangerKinds> kTexts = {
      "no such pod or workload in the dump",
      "an address of the cluster that nobody has",
      "several pods had the address around that time",
      "the pod that has the address started later",
      "several workloads have such a name or such labels",
      "its workload has no running pod",
      "neither a name nor an address",
  };
  return kTexts[static_cast<std::size_t>(reason)];
}

}  // namespace podwire::flows
