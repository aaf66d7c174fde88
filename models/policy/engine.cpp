// Verdicts: what holds before any policy is asked (same pod, unmodelled objects, no enforcement, own node), then the
// cell of the subject's group and the other end's peer.
#include "models/policy/engine.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "models/policy/cell_memo.hpp"
#include "models/policy/compiled.hpp"
#include "models/policy/engine_impl.hpp"
#include "sim/base/check.hpp"

namespace podwire::policy {

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::no_policy:
      return "no-policy";
    case Cause::rule:
      return "rule";
    case Cause::default_deny:
      return "default-deny";
    case Cause::not_enforced:
      return "not-enforced";
    case Cause::same_pod:
      return "same-pod";
    case Cause::own_node:
      return "own-node";
    case Cause::not_a_subject:
      return "not-a-subject";
    case Cause::unmodelled:
      return "unmodelled";
    case Cause::conflict:
      return "conflict";
    case Cause::unresolved:
      return "unresolved";
    case Cause::map_overflow:
      return "map-overflow";
  }
  return "";
}

IpAddress address_of(const cluster::Cluster& cluster, const Peer& end) {
  return end.pod.is_valid() ? cluster.address_of(end.pod, end.ip) : end.ip;
}

std::string_view to_string(TierStep::Outcome outcome) {
  switch (outcome) {
    case TierStep::Outcome::allow:
      return "allow";
    case TierStep::Outcome::deny:
      return "deny";
    case TierStep::Outcome::pass:
      return "pass";
    case TierStep::Outcome::skipped:
      return "skipped";
    case TierStep::Outcome::unknown:
      return "unknown";
  }
  return "";
}

PolicyEngine::Impl::Impl(const cluster::Cluster& cluster_in, const PolicySet& policies_in,
                         const cni::Profile& profile_in, const DomainTable* names_in)
    : cluster(&cluster_in),
      policies(&policies_in),
      profile(&profile_in),
      names(names_in),
      semantics(profile_in.policy),
      owned(std::make_unique<PolicyHistory>(profile_in.policy)),
      history(*owned),
      compiled(history.compiled),
      cells(history.cells),
      port_maps(history.port_maps),
      view(history.compiler.first(cluster_in, policies_in, names_in)) {
  history.newest = this;
  find_unmodelled();
}

PolicyEngine::Impl::Impl(Impl& before, const cluster::Cluster& cluster_in, const PolicySet& policies_in,
                         const DomainTable* names_in, const PolicyChanges& changes)
    : cluster(&cluster_in),
      policies(&policies_in),
      profile(before.profile),
      names(names_in),
      semantics(before.semantics),
      history(before.history),
      compiled(history.compiled),
      cells(history.cells),
      port_maps(history.port_maps),
      view(history.compiler.next(before.view, cluster_in, policies_in, names_in, changes)) {
  history.newest = this;
  find_unmodelled();
}

void PolicyEngine::Impl::find_unmodelled() {
  has_unmodelled = !cluster->unmodelled.empty();
  if (has_unmodelled) {
    unmodelled_by_namespace.assign(cluster->namespaces.size(), kNone);
  }
  for (std::size_t i = 0; i < cluster->unmodelled.size(); ++i) {
    const cluster::NamespaceId where = cluster->unmodelled[i].name_space;
    std::uint32_t& first = where.is_valid() ? unmodelled_by_namespace[where.index()] : unmodelled_everywhere;
    first = std::min(first, static_cast<std::uint32_t>(i));
  }
  sees_services = semantics.enforcement_point == cni::EnforcementPoint::before_dnat;
  for (std::size_t s = 0; sees_services && semantics.selectors_open_services && s < cluster->services.size(); ++s) {
    if (const IpAddress ip = cluster->services[s].cluster_ip; !ip.is_unspecified()) {
      services.push_back({.ip = ip, .service = static_cast<std::uint32_t>(s), .peer = {}});
    }
  }
  std::stable_sort(services.begin(), services.end(),
                   [](const KnownService& a, const KnownService& b) { return a.ip < b.ip; });
  is_plain = !has_unmodelled && semantics.is_enforced && semantics.policy_map_entries == 0;
}

Verdict PolicyEngine::Impl::placed(Verdict verdict) const {
  verdict.policy = view.place_of(PolicyNumber(verdict.policy.value()));
  if (verdict.cause == Cause::conflict) {
    verdict.unmodelled = view.place_of(PolicyNumber(verdict.unmodelled)).value();
  }
  return verdict;
}

std::uint32_t PolicyEngine::Impl::unmodelled_between(const Peer& subject, const Peer& other) const {
  std::uint32_t first = kNone;
  for (const cluster::PodId pod : {subject.pod, other.pod}) {
    if (pod.is_valid()) {
      first = std::min({first, unmodelled_everywhere, unmodelled_by_namespace[cluster->namespace_of(pod).index()]});
    }
  }
  return first;
}

PeerId PolicyEngine::Impl::peer_of(const Peer& end) const {
  if (end.pod.is_valid()) {
    return view.pods[end.pod.index()].peer_for(end.ip);
  }
  const bool needs_address =
      end.ip.is_unspecified() && end.node.is_valid() && !cluster->nodes[end.node.index()].addresses.empty();
  return view.addresses->stranger_at(needs_address ? cluster->nodes[end.node.index()].addresses.front() : end.ip);
}

bool PolicyEngine::Impl::sees_service(Direction direction, const Peer& other) const {
  return sees_services && direction == Direction::egress && other.is_through_service();
}

PeerId PolicyEngine::Impl::seen_peer(Direction direction, const Peer& subject, const Peer& other) {
  const bool is_self = subject.pod.is_valid() && subject.pod == other.pod;
  if (is_self && direction == Direction::egress && semantics.hairpin == cni::Hairpin::world) {
    return view.addresses->peer_at(other.service_ip);
  }
  return sees_service(direction, other) ? service_peer(other.service_ip) : peer_of(other);
}

const cluster::Service* PolicyEngine::Impl::service_at(IpAddress ip) const {
  const auto at = std::lower_bound(services.begin(), services.end(), ip,
                                   [](const KnownService& known, IpAddress wanted) { return known.ip < wanted; });
  return at == services.end() || at->ip != ip ? nullptr : &cluster->services[at->service];
}

PeerId PolicyEngine::Impl::service_peer(IpAddress ip) {
  const auto at = std::lower_bound(services.begin(), services.end(), ip,
                                   [](const KnownService& known, IpAddress wanted) { return known.ip < wanted; });
  if (at == services.end() || at->ip != ip) {
    return view.addresses->peer_at(ip);  // no selector knows it
  }
  if (!at->peer.is_valid()) {
    at->peer = history.compiler.service_peer(*cluster, cluster->services[at->service], *view.addresses);
  }
  return at->peer;
}

bool PolicyEngine::Impl::is_own_node(const Peer& subject, const Peer& other) const {
  const cluster::NodeId node = other.pod.is_valid() && view.pods[other.pod.index()].is_node_traffic
                                   ? cluster->pods[other.pod.index()].node
                                   : other.node;
  const bool is_traffic_of_node = !other.pod.is_valid() || view.pods[other.pod.index()].is_node_traffic;
  return is_traffic_of_node && node.is_valid() && node == cluster->pods[subject.pod.index()].node;
}

/// The verdict when no policy has to be asked, else the group that decides.
PolicyEngine::Impl::Preliminary PolicyEngine::Impl::preliminary(Direction direction, const Peer& subject,
                                                                const Peer& other) {
  const bool is_hairpin = (subject.is_through_service() || other.is_through_service()) && semantics.is_enforced;
  const bool is_let_through = semantics.hairpin == cni::Hairpin::allowed ||
                              (semantics.hairpin == cni::Hairpin::egress && direction == Direction::ingress);
  if (subject.pod.is_valid() && subject.pod == other.pod && (!is_hairpin || is_let_through)) {
    return {.verdict = {.cause = Cause::same_pod}};
  }
  if (has_unmodelled) {
    if (const std::uint32_t object = unmodelled_between(subject, other); object != kNone) {
      return {.verdict = {.action = Action::unknown, .cause = Cause::unmodelled, .unmodelled = object}};
    }
  }
  if (!semantics.is_enforced) {
    return {.verdict = {.cause = Cause::not_enforced}};
  }
  if (!subject.pod.is_valid()) {
    return {.verdict = {.cause = Cause::not_a_subject}};
  }
  const PodEntry& entry = view.pods[subject.pod.index()];
  if (entry.is_stranger) {
    return {.verdict = {.cause = Cause::not_a_subject}};
  }
  const GroupId group = entry.group(direction);
  if (!group.is_valid()) {
    return {.verdict = {.cause = Cause::no_policy}};
  }
  if (direction == Direction::ingress && semantics.own_node_is_allowed && is_own_node(subject, other)) {
    return {.verdict = {.cause = Cause::own_node}};
  }
  if (semantics.policy_map_entries > 0 &&
      map_entries.overflow(*cluster, compiled, view, subject.pod, semantics.policy_map_entries)) {
    return {.verdict = {.action = Action::unknown, .cause = Cause::map_overflow}};
  }
  return {.verdict = {}, .group = group};
}

std::uint32_t PolicyEngine::Impl::new_cell(GroupId group, PeerId peer) {
  if (port_maps.word_count() > kMostPortMapWords) {
    port_maps.clear();  // the cells are the only ones to know these places
    cells.clear();
  }
  const std::uint32_t map = port_maps.evaluate(compiled, view, group, peer);
  cells.insert(group, peer, map);
  return map;
}

PolicyEngine::PolicyEngine(const cluster::Cluster& cluster, const PolicySet& policies, const cni::Profile& profile,
                           const DomainTable* names)
    : impl_(std::make_unique<Impl>(cluster, policies, profile, names)) {}
PolicyEngine::PolicyEngine(PolicyEngine&&) noexcept = default;
PolicyEngine& PolicyEngine::operator=(PolicyEngine&&) noexcept = default;
PolicyEngine::~PolicyEngine() = default;

Verdict PolicyEngine::verdict(Direction direction, const Peer& subject, const Peer& other, IpProtocol protocol,
                              Port port) {
  // The warm path: two entries, a line of the memo, a line of the port map, and hardly a branch that is not always
  // taken the same way.
  if (protocol != IpProtocol::sctp && impl_->is_for_policies_alone(direction, subject, other)) {
    const GroupId group = impl_->view.pods[subject.pod.index()].group(direction);
    if (!group.is_valid()) {
      return {.cause = Cause::no_policy};
    }
    const std::uint32_t map = impl_->cell(group, impl_->view.pods[other.pod.index()].peer_for(other.ip));
    const Verdict found = impl_->port_maps.lookup(map, protocol, port);
    return impl_->view.places->empty() ? found : impl_->placed(found);
  }
  const Impl::Preliminary first = impl_->preliminary(direction, subject, other);
  if (!first.group.is_valid()) {
    return first.verdict;
  }
  if (protocol == IpProtocol::sctp && !impl_->semantics.sctp_is_enforced) {
    return {.cause = Cause::not_enforced};
  }
  const bool is_translated_later = impl_->sees_service(direction, other) && other.service_port.is_valid();
  const std::uint32_t map = impl_->cell(first.group, impl_->seen_peer(direction, subject, other));
  const Verdict found = impl_->port_maps.lookup(map, protocol, is_translated_later ? other.service_port : port);
  return impl_->view.places->empty() ? found : impl_->placed(found);
}

PortSet PolicyEngine::allowed_ports(Direction direction, const Peer& subject, const Peer& other, bool& unknown) {
  Impl::Preliminary first = impl_->preliminary(direction, subject, other);
  unknown = first.verdict.action == Action::unknown;
  if (unknown && impl_->semantics.is_enforced && subject.pod.is_valid()) {
    // What the policies that are modelled would say.
    first.group = impl_->view.pods[subject.pod.index()].group(direction);
  }
  if (!first.group.is_valid()) {
    return PortSet::all();
  }
  const AllowedPorts ports = impl_->compiled.ports_for(first.group, impl_->seen_peer(direction, subject, other));
  const PortSetId unfiltered = impl_->semantics.sctp_is_enforced
                                   ? PortSets::kEmpty
                                   : impl_->compiled.port_sets.intern(PortSet::whole(IpProtocol::sctp));
  const PortSetId certain = impl_->compiled.port_sets.unite(ports.certain, unfiltered);
  unknown = unknown || certain != impl_->compiled.port_sets.unite(ports.possible, unfiltered);
  return impl_->compiled.port_sets[certain];
}

std::string PolicyEngine::policy_name(PolicyIndex index) const {
  return is_admin(index) ? admin_policy(index).full_name() : policy(index).full_name();
}

Span PolicyEngine::policy_span(PolicyIndex index) const {
  return is_admin(index) ? admin_policy(index).span : policy(index).span;
}

Tier PolicyEngine::policy_tier(PolicyIndex index) const {
  return is_admin(index) ? admin_policy(index).tier : Tier::network_policy;
}

Span PolicyEngine::rule_span(PolicyIndex index, Direction direction, std::uint16_t rule) const {
  return is_admin(index) ? admin_policy(index).rules(direction)[rule].span : policy(index).rules(direction)[rule].span;
}

std::string PolicyEngine::deciding_rule(Direction direction, const Verdict& verdict) const {
  const std::string way(to_string(direction));
  switch (verdict.cause) {
    case Cause::rule:
      return policy_name(verdict.policy) + " " + way + " rule " + std::to_string(verdict.rule);
    case Cause::default_deny:
      return "default deny " + way + " (" + policy_name(verdict.policy) + ")";
    case Cause::conflict:
      return policy_name(verdict.policy) + " and " + policy_name(verdict.rival()) +
             (admin_policy(verdict.rival()).priority == admin_policy(verdict.policy).priority
                  ? " of equal priority disagree"
                  : ", whose order is not known, disagree");
    case Cause::unresolved:
      return policy_name(verdict.policy) + " " + way + " rule " + std::to_string(verdict.rule) +
             " asks for unresolved domain names";
    case Cause::unmodelled: {
      const cluster::UnmodelledObject& object = cluster().unmodelled[verdict.unmodelled];
      return object.kind + " " + object.full_name + " is not modelled";
    }
    default:
      return std::string(to_string(verdict.cause));
  }
}

std::size_t PolicyEngine::class_count() const {
  return impl_->compiled.classes.size();
}

ClassId PolicyEngine::class_of(cluster::PodId pod) const {
  return impl_->compiled.class_of(impl_->view.pods[pod.index()].peer);
}

std::size_t PolicyEngine::atom_count() const {
  return impl_->view.addresses->atoms.size();
}
AtomId PolicyEngine::atom_of(IpAddress ip) const {
  return impl_->view.addresses->atoms.atom_of(ip);
}
std::pair<IpAddress, IpAddress> PolicyEngine::atom_range(AtomId atom) const {
  return impl_->view.addresses->atoms.range(atom);
}

bool PolicyEngine::overflows_policy_map(cluster::PodId pod) {
  return impl_->map_entries.overflow(cluster(), impl_->compiled, impl_->view, pod, impl_->semantics.policy_map_entries);
}

PolicyEngine PolicyEngine::next(const cluster::Cluster& cluster, const PolicySet& policies, const DomainTable* names,
                                const PolicyChanges* changes) {
  PODWIRE_CHECK(impl_->history.newest == impl_.get(), "policy", "a state follows the newest one");
  const PolicyChanges found = changes == nullptr ? difference(*impl_->policies, policies) : PolicyChanges();
  return PolicyEngine(std::make_unique<Impl>(*impl_, cluster, policies, names, changes == nullptr ? found : *changes));
}

PolicyEngine::PolicyEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void PolicyEngine::release() {
  PODWIRE_CHECK(impl_->history.newest != impl_.get(), "policy", "the newest state is not released");
  impl_->view = View();
  impl_->map_entries = MapEntries();
  impl_->unmodelled_by_namespace = {};
  impl_->services = {};
}

const View& PolicyEngine::view() const {
  return impl_->view;
}

std::vector<PolicyIndex> PolicyEngine::policies_of(GroupId group) const {
  std::vector<PolicyIndex> all;
  for (const std::uint32_t s : impl_->compiled.segments_of(group)) {
    for (const PolicyNumber number : impl_->compiled.segments[s].policies) {
      all.push_back(impl_->view.place_of(number));
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

Compiled& PolicyEngine::compiled() {
  return impl_->compiled;
}
std::uint32_t PolicyEngine::unmodelled_between(const Peer& a, const Peer& b) const {
  return impl_->has_unmodelled ? impl_->unmodelled_between(a, b) : Impl::kNone;
}
const cluster::Cluster& PolicyEngine::cluster() const {
  return *impl_->cluster;
}
const PolicySet& PolicyEngine::policies() const {
  return *impl_->policies;
}
const cni::Profile& PolicyEngine::profile() const {
  return *impl_->profile;
}

std::size_t PolicyEngine::memory_bytes() const {
  const std::size_t own =
      sizeof(Impl) + impl_->view.memory_bytes() + impl_->unmodelled_by_namespace.capacity() * sizeof(std::uint32_t);
  return impl_->owned == nullptr
             ? own
             : own + sizeof(PolicyHistory) + impl_->compiled.memory_bytes() + impl_->history.compiler.memory_bytes() +
                   impl_->cells.memory_bytes() + impl_->port_maps.memory_bytes();
}

}  // namespace podwire::policy
