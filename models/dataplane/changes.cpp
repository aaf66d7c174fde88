// What a timeline changes in the network: which state a node acts on, which pods are there, what becomes of the flows
// of pods that went. A run without a timeline passes through here only when it is built and on first packets.
#include "models/cluster/snapshot.hpp"
#include "models/dataplane/network.hpp"

namespace podwire::dataplane {

void Network::build_states() {
  if (timeline_ == nullptr) {
    service_tables_.emplace_back(cluster_);
    service_table_of_ = {0};
    return;
  }
  const cluster::Cluster* last = nullptr;
  born_.assign(cluster_.pods.size(), 0);
  for (control::Version version = 0; version <= timeline_->change_count(); ++version) {
    const cluster::Cluster& state = *timeline_->view(version).cluster;
    if (&state != last) {
      service_tables_.emplace_back(state);
    }
    service_table_of_.push_back(static_cast<std::uint32_t>(service_tables_.size() - 1));
    last = &state;
  }
  is_absent_.assign(cluster_.pods.size(), 0);
  apply_change();
}

void Network::apply_change() {
  made_version_ = timeline_->current(simulator_.now());
  const cluster::Cluster& state = current_state();
  bool has_lost = false;
  for (std::uint32_t p = 0; p < is_absent_.size(); ++p) {
    const bool is_absent = !cluster::is_there(state, cluster::PodId(p));
    has_lost = has_lost || (is_absent && is_absent_[p] == 0);
    if (!is_absent && is_absent_[p] != 0) {
      born_[p] = made_version_;
    }
    is_absent_[p] = is_absent ? 1 : 0;
  }
  if (!has_lost) {
    return;
  }
  for (std::uint32_t f = 0; f < flows_.size(); ++f) {
    Flow& flow = flows_[f];
    if (flow.local.kind() == End::Kind::pod && !is_there(flow.local.pod_id())) {
      flow.flags = static_cast<std::uint16_t>((flow.flags & ~kFlowConfirmed) | kFlowGone);
    }
  }
}

/// The state that a machine's agent has programmed; one outside the cluster has none to program.
control::Version Network::version_at(std::uint16_t host) {
  return log_ != nullptr && host < log_->observer_count() ? log_->version(host, simulator_.now()) : 0;
}

control::View Network::view(control::Version version) const {
  return timeline_ == nullptr ? control::View{&cluster_, engine_} : timeline_->view(version);
}

/// Whether a pod that is there has not been programmed yet by the machine that acts on state `version`.
bool Network::is_in_start_window(cluster::PodId pod, control::Version version) const {
  const control::Version born = born_[pod.index()];
  if (born == 0) {
    return false;
  }
  return version < born && simulator_.now() - timeline_->made(born) < timeline_->programming().start_window;
}

/// The Service rules of a machine; a client outside meets those of the present.
const service::ServiceTable& Network::services_at(std::uint16_t host) {
  if (timeline_ == nullptr) {
    return service_tables_.front();
  }
  control::ChangeLog& log = timeline_->endpoints();
  const control::Version version = host < log.observer_count() ? log.version(host, simulator_.now()) : made_version_;
  return service_tables_[service_table_of_[version]];
}

}  // namespace podwire::dataplane
