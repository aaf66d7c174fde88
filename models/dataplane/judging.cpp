// What the policies say of a flow, in the state that its machine acts on: asked for a first packet, and again where a
// changed state or a domain name learned meanwhile may have another answer. Then conntrack's place for it.
#include <algorithm>

#include "models/cluster/snapshot.hpp"
#include "models/dataplane/network.hpp"
#include "models/policy/deviations.hpp"

namespace podwire::dataplane {

namespace {

using policy::Direction;
using policy::Verdict;

constexpr std::uint32_t kUnknownRules = 0xffff'ffff;

}  // namespace

/// Rules of the policies of every tier that select a pod in one direction: what an implementation that scans them
/// walks.
std::uint32_t Network::rules_of(cluster::PodId pod, Direction direction, control::Version version) {
  if (version != rules_version_) {  // nodes differ for as long as a change takes to reach them all
    rules_version_ = version;
    rules_by_class_[0].clear();
    rules_by_class_[1].clear();
  }
  const control::View state = view(version);
  const cluster::Cluster& cluster = *state.cluster;
  std::vector<std::uint32_t>& memo = rules_by_class_[static_cast<std::size_t>(direction)];
  const policy::ClassId pod_class = state.engine->class_of(pod);
  if (!pod_class.is_valid()) {
    return 0;
  }
  if (pod_class.index() >= memo.size()) {
    memo.resize(pod_class.index() + 1, kUnknownRules);
  }
  if (memo[pod_class.index()] == kUnknownRules) {
    std::size_t rules = 0;
    const cluster::PodShape& shape = cluster.shape(pod);
    for (const policy::NetworkPolicy& p : state.engine->policies().network_policies) {
      if (p.isolates(direction) && !policy::is_rejected(p, profile_.policy) &&
          p.name_space == cluster.namespaces[shape.name_space.index()].name &&
          p.pod_selector.matches(shape.labels, cluster.label_sets, cluster.strings)) {
        rules += p.rules(direction).size();
      }
    }
    for (const policy::AdminPolicy& p : state.engine->policies().admin_policies) {
      const cluster::LabelSetId labels = cluster.namespaces[shape.name_space.index()].labels;
      if (policy::is_in_force(p.kind, profile_.policy) &&
          p.subject_namespaces.matches(labels, cluster.label_sets, cluster.strings) &&
          p.subject_pods.matches(shape.labels, cluster.label_sets, cluster.strings)) {
        rules += p.rules(direction).size();
      }
    }
    memo[pod_class.index()] = static_cast<std::uint32_t>(rules);
  }
  return memo[pod_class.index()];
}

Verdict Network::ask(const Flow& flow, Direction direction, control::Version version) {
  const auto peer = [this](cluster::PodId pod, std::uint16_t host, IpAddress ip) {
    const bool is_node = !pod.is_valid() && host < cluster_.nodes.size();
    return policy::Peer{
        .pod = pod, .node = is_node ? cluster::NodeId(std::uint32_t{host}) : cluster::NodeId(), .ip = ip};
  };
  policy::Peer subject = peer(flow.local.pod_id(), flow.host, address_of(flow.local, flow.remote_ip));
  policy::Peer other = peer(flow.remote_pod, flow.remote_host, flow.remote_ip);
  // The end that was dialled through a Service carries the address and port that were dialled.
  const bool is_initiator = (flow.flags & kFlowInitiator) != 0;
  if (is_initiator || is_open(flow.peer)) {
    const Flow& dialler = is_initiator ? flow : flows_[flow.peer.index()];
    if ((dialler.flags & kFlowTranslated) != 0 && dialler.service_port.is_valid()) {
      policy::Peer& dialled = is_initiator ? other : subject;
      dialled.service_ip = cluster_.services[services().service(dialler.service_port).index()].cluster_ip;
      dialled.service_port = dialler.dialled_port;
    }
  }
  const control::View state = view(version);
  if (other.pod.is_valid() && !cluster::is_there(*state.cluster, other.pod)) [[unlikely]] {
    other.pod = {};  // this node has not heard of it (any more): an address like any other
  }
  const bool is_by_name = names_ != nullptr && direction == Direction::egress;
  policy::PolicyEngine& engine = is_by_name ? names_->engine(state, flow.host, simulator_.now()) : *state.engine;
  return engine.verdict(direction, subject, other, flow.protocol,
                        direction == Direction::egress ? flow.remote_port : flow.local_port);
}

/// Policy and conntrack for a packet that this machine sees as a flow's first. `direction` is the packet's at this end.
Network::Judgement Network::judge(FlowHandle handle, Flow& flow, Direction direction, std::uint8_t flags) {
  Judgement judgement;
  judgement.extra = first_visit(flow, direction);
  const bool is_initiator = (flow.flags & kFlowInitiator) != 0;
  const bool is_forward = is_initiator == (direction == Direction::egress);
  if ((flow.flags & kFlowSubject) != 0) {
    control::Version version = version_at(flow.host);
    bool is_starting = false;
    if (timeline_ != nullptr) [[unlikely]] {
      is_starting = is_in_start_window(flow.local.pod_id(), version);
      // A pod whose window is over has its own policies, whatever else the machine has still to hear of.
      version = is_starting ? version : std::max(version, born_[flow.local.pod_id().index()]);
    }
    judgement.version = version;
    if (is_starting && !timeline_->programming().is_open_at_start) {
      judgement.passes = false;
      judgement.reason = DropReason::start_window;
      judgement.hook = direction == Direction::egress ? Place::Kind::egress : Place::Kind::ingress;
      return judgement;
    }
    // A verdict is kept for the flow's own direction. An entry that ran out may let a reply be judged as if it opened a
    // flow: that verdict is asked anew.
    if (!is_forward || (flow.flags & kFlowJudged) == 0 || flow.verdict_version != version) {
      const Verdict verdict = is_starting ? Verdict() : ask(flow, direction, version);
      if (is_forward) {
        flow.verdict = verdict;
        // Known packets compare versions alone: where each is judged, a denied flow must not pass for judged. Names are
        // learned between two versions.
        const bool may_change = cuts_established_ || names_ != nullptr;
        flow.verdict_version = may_change && !verdict.is_allowed() ? kAskAgain : version;
        flow.flags |= kFlowJudged;
      }
      judgement.verdict = verdict;
    } else {
      judgement.verdict = flow.verdict;
    }
    if (!judgement.verdict.is_allowed()) {
      judgement.passes = false;
      judgement.reason =
          judgement.verdict.action == policy::Action::unknown ? DropReason::policy_unknown : DropReason::policy_denied;
      judgement.hook = direction == Direction::egress ? Place::Kind::egress : Place::Kind::ingress;
      judgement.is_rejected = profile_.policy.deny_action == cni::DenyAction::reject;
      return judgement;
    }
  }
  if ((flow.flags & kFlowTracked) != 0 && !confirm(handle, flow, flags, is_forward)) {
    judgement.passes = false;
    judgement.reason = DropReason::conntrack_full;
    judgement.verdict = {};
  }
  return judgement;
}

}  // namespace podwire::dataplane
