// Recompiling by difference: after each of a random sequence of changes (policies of every tier added, changed and
// removed; labels that no policy read, of subjects and peers, with every operator; pods and namespaces relabelled, also
// with words that only a policy knew; pods that come and go) every
// verdict is that of an engine compiled from nothing, rule and policy included, and that of the naive evaluator. States
// that others have followed go on to answer as they did. Seeds are printed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>

#include "models/cluster/snapshot.hpp"
#include "models/policy/difference.hpp"
#include "models/policy/engine.hpp"
#include "tests/property/policy/naive_evaluator.hpp"
#include "tests/property/policy/random_world.hpp"

namespace podwire::policy {
namespace {

using test::NaiveEnd;
using test::NaiveEvaluator;
using test::NaiveVerdict;
using test::RandomWorld;

constexpr std::uint16_t kPorts[] = {1, 53, 80, 81, 443, 8080, 9090, 65535};

/// PODWIRE_PROPERTY_HISTORIES, else two thousand, fewer where sanitizers or no optimisation slow them.
std::uint64_t history_count() {
  if (const char* text = std::getenv("PODWIRE_PROPERTY_HISTORIES")) {
    return std::strtoull(text, nullptr, 10);
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return 200;
#else
  return 2'000;
#endif
}

Peer peer_of(const NaiveEnd& end) {
  return {.pod = end.pod < 0 ? cluster::PodId() : cluster::PodId(static_cast<std::size_t>(end.pod)),
          .node = end.node < 0 ? cluster::NodeId() : cluster::NodeId(static_cast<std::size_t>(end.node)),
          .ip = end.ip};
}

struct State {
  test::SmallCluster plain;
  cluster::Cluster cluster;
  PolicySet policies;
};

class History {
 public:
  explicit History(std::uint64_t seed) : world_(seed, seed % 2 == 0), other_(seed + 1'000'000, seed % 2 == 0) {
    label_all();
    states_.push_back({.plain = world_.cluster, .cluster = world_.cluster.build(), .policies = world_.policies});
    union_ = states_.back().cluster;
    states_.back().cluster.listeners.resize(union_.shapes.size());
    engines_.push_back(std::make_unique<PolicyEngine>(states_.back().cluster, states_.back().policies, world_.profile,
                                                      world_.known_domains()));
  }

  void run() {
    const std::size_t steps = 1 + world_.pick(7);
    for (std::size_t step = 0; step < steps; ++step) {
      const State& before = states_.back();
      State after = {.plain = before.plain, .cluster = {}, .policies = before.policies};
      cluster::SnapshotChange change;
      for (std::size_t i = 1 + world_.pick(3); i > 0; --i) {
        alter(after, change);
      }
      after.cluster = change.empty() ? before.cluster : cluster::next_snapshot(before.cluster, union_, change);
      states_.push_back(std::move(after));
      const State& now = states_.back();
      const PolicyChanges differing = difference(before.policies, now.policies);
      engines_.push_back(std::make_unique<PolicyEngine>(engines_.back()->next(
          now.cluster, now.policies, world_.known_domains(), world_.chance(50) ? &differing : nullptr)));
      compare(now, *engines_.back());
      if (world_.chance(20) && released_ + 1 < engines_.size()) {
        engines_[released_++]->release();
      }
      if (testing::Test::HasFailure()) {
        return;
      }
    }
    const std::size_t any = released_ + world_.pick(engines_.size() - released_);
    compare(states_[any], *engines_[any]);
    if (released_ > 1) {  // the first owns what they share
      engines_[1].reset();
    }
    compare(states_.back(), *engines_.back());
  }

  std::size_t verdicts = 0;
  std::size_t denied = 0;
  std::size_t changes = 0;
  std::size_t new_keys = 0;

 private:
  static constexpr const char* kUnreadKeys[] = {"release", "track", "pod"};
  static constexpr const char* kUnreadValues[] = {"r1", "r2", "r3"};

  /// Labels that no policy reads at first; pods and namespaces that are alike otherwise differ in them.
  void label_all() {
    const auto label = [&](test::LabelMap& labels) {
      for (const char* key : kUnreadKeys) {
        if (world_.chance(60)) {
          labels[key] = kUnreadValues[world_.pick(std::size(kUnreadValues))];
        }
      }
    };
    for (test::SmallPod& pod : world_.cluster.pods) {
      label(pod.labels);
      if (world_.chance(50)) {  // as another one but for those
        const test::SmallPod& like = world_.cluster.pods[world_.pick(world_.cluster.pods.size())];
        const test::LabelMap own = pod.labels;
        pod.name_space = like.name_space;
        pod.labels = like.labels;
        for (const char* key : kUnreadKeys) {
          pod.labels.erase(key);
          if (own.contains(key)) {
            pod.labels[key] = own.at(key);
          }
        }
        if (world_.chance(50)) {
          pod.ports = like.ports;
        }
      }
    }
    for (auto& [name, labels] : world_.cluster.namespaces) {
      label(labels);
    }
  }

  cluster::Requirement unread_requirement() {
    cluster::Requirement requirement{.key = kUnreadKeys[world_.pick(std::size(kUnreadKeys))],
                                     .op = static_cast<cluster::SelectorOperator>(world_.pick(4))};
    if (requirement.op == cluster::SelectorOperator::in || requirement.op == cluster::SelectorOperator::not_in) {
      requirement.values = {kUnreadValues[world_.pick(std::size(kUnreadValues))]};
    }
    return requirement;
  }

  /// Has a policy that is in force read a label that perhaps none read: of its subjects, of pods or of namespaces.
  void read_another_key(PolicySet& set) {
    if (set.network_policies.empty()) {
      return;
    }
    ++new_keys;
    NetworkPolicy& policy = set.network_policies[world_.pick(set.network_policies.size())];
    if (world_.chance(25)) {
      policy.pod_selector.requirements.push_back(unread_requirement());
      return;
    }
    std::vector<Rule>& rules = world_.chance(50) ? policy.ingress : policy.egress;
    if (rules.empty()) {
      rules.emplace_back();
    }
    PeerRule peer;
    const std::size_t where = world_.pick(4);
    if (where != 1) {
      peer.pod_selector = cluster::LabelSelector{.requirements = {unread_requirement()}, .span = {}};
    }
    if (where != 0) {
      peer.namespace_selector = cluster::LabelSelector();
      if (where < 3) {
        peer.namespace_selector->requirements.push_back(unread_requirement());
      }
    }
    rules[world_.pick(rules.size())].peers.push_back(peer);
  }

  /// One change of the plain objects, and the same for the snapshot.
  void alter(State& state, cluster::SnapshotChange& change) {
    ++changes;
    switch (world_.pick(10)) {
      case 0:
      case 1:
        put_policy(state.policies);
        break;
      case 2:
        if (!state.policies.network_policies.empty()) {
          state.policies.network_policies.erase(
              state.policies.network_policies.begin() +
              static_cast<std::ptrdiff_t>(world_.pick(state.policies.network_policies.size())));
        }
        break;
      case 3:
        change_admins(state.policies);
        break;
      case 4:
      case 5: {
        const std::size_t p = world_.pick(state.plain.pods.size());
        const auto is_same = [&](const auto& entry) { return entry.first == cluster::PodId(p); };
        if (std::none_of(change.pod_labels.begin(), change.pod_labels.end(), is_same)) {
          change.pod_labels.emplace_back(p, relabel(state.plain.pods[p].labels));
        }
        break;
      }
      case 6: {
        const std::size_t n = world_.pick(state.plain.namespaces.size());
        const auto at = std::next(state.plain.namespaces.begin(), static_cast<std::ptrdiff_t>(n));
        const auto is_same = [&](const auto& entry) { return entry.first == cluster::NamespaceId(n); };
        if (std::none_of(change.namespace_labels.begin(), change.namespace_labels.end(), is_same)) {
          change.namespace_labels.emplace_back(n, relabel(at->second));
        }
        break;
      }
      case 7:
      case 8:
        read_another_key(state.policies);
        break;
      default:
        come_or_go(state, change);
    }
  }

  void come_or_go(State& state, cluster::SnapshotChange& change) {
    const std::size_t p = world_.pick(state.plain.pods.size());
    const cluster::PodId id(p);
    const auto is_in = [&](const auto& list) { return std::find(list.begin(), list.end(), id) != list.end(); };
    if (is_in(change.appear) || is_in(change.disappear)) {
      return;
    }
    const bool is_there = state.plain.pods[p].phase != cluster::PodPhase::succeeded;
    (is_there ? change.disappear : change.appear).push_back(id);
    state.plain.pods[p].phase = is_there ? cluster::PodPhase::succeeded : world_.cluster.pods[p].phase;
  }

  cluster::LabelChange relabel(test::LabelMap& labels) {
    const char* keys[] = {"app", "env", "tier", "unheard-of", "zone", "release", "track"};
    const char* values[] = {"a", "b", "c", "nowhere", "d", "r1", "r2"};
    const std::string key = keys[world_.pick(world_.chance(70) ? 3 : std::size(keys))];
    if (labels.contains(key) && world_.chance(40)) {
      labels.erase(key);
      return {{key, std::nullopt}};
    }
    labels[key] = values[world_.pick(world_.chance(70) ? 3 : std::size(values))];
    return {{key, labels[key]}};
  }

  /// A policy of another world, new or in the place of one.
  void put_policy(PolicySet& set) {
    if (other_.policies.network_policies.empty()) {
      return;
    }
    NetworkPolicy policy = other_.policies.network_policies[world_.pick(other_.policies.network_policies.size())];
    if (world_.chance(60)) {
      const auto& spaces = world_.cluster.namespaces;
      policy.name_space = std::next(spaces.begin(), static_cast<std::ptrdiff_t>(world_.pick(spaces.size())))->first;
    }
    policy.name = "policy-" + std::to_string(world_.pick(12));
    const auto at = std::lower_bound(set.network_policies.begin(), set.network_policies.end(), policy,
                                     [](const NetworkPolicy& a, const NetworkPolicy& b) {
                                       return std::tie(a.name_space, a.name) < std::tie(b.name_space, b.name);
                                     });
    if (at != set.network_policies.end() && at->full_name() == policy.full_name()) {
      *at = std::move(policy);
    } else {
      set.network_policies.insert(at, std::move(policy));
    }
  }

  void change_admins(PolicySet& set) {
    std::vector<AdminPolicy>& all = set.admin_policies;
    if (!all.empty() && world_.chance(30)) {
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(world_.pick(all.size())));
    } else if (!all.empty() && world_.chance(40)) {
      AdminPolicy& policy = all[world_.pick(all.size())];
      policy.priority =
          policy.priority == kBaselinePriority ? kBaselinePriority : static_cast<std::uint16_t>(world_.pick(6));
    } else if (!other_.policies.admin_policies.empty()) {
      const AdminPolicy& policy = other_.policies.admin_policies[world_.pick(other_.policies.admin_policies.size())];
      std::erase_if(all, [&](const AdminPolicy& a) { return a.kind == policy.kind && a.name == policy.name; });
      all.push_back(policy);
    }
    std::sort(all.begin(), all.end(), precedes);
  }

  std::vector<NaiveEnd> ends_of(const State& state) {
    std::vector<NaiveEnd> ends;
    for (std::size_t p = 0; p < state.plain.pods.size(); ++p) {
      ends.push_back({.pod = static_cast<int>(p)});
      if (const IpAddress second = state.plain.pods[p].second_ip; !second.is_unspecified()) {
        ends.push_back({.pod = static_cast<int>(p), .ip = second});
      }
    }
    world_.policies = state.policies;
    const std::vector<IpAddress> addresses = world_.interesting_addresses();
    for (std::size_t i = 0; i < 4; ++i) {
      ends.push_back({.ip = addresses[world_.pick(addresses.size())]});
    }
    for (std::size_t n = 0; n < state.plain.node_addresses.size(); ++n) {
      ends.push_back({.node = static_cast<int>(n), .ip = state.plain.node_addresses[n]});
    }
    return ends;
  }

  void compare(const State& state, PolicyEngine& engine) {
    PolicyEngine anew(state.cluster, state.policies, world_.profile, world_.known_domains());
    const NaiveEvaluator naive(state.plain, state.policies, world_.profile.policy, world_.known_domains());
    const std::vector<NaiveEnd> ends = ends_of(state);
    for (const NaiveEnd& subject : ends) {
      for (const NaiveEnd& other : ends) {
        if (subject.pod < 0) {
          continue;
        }
        for (const Direction direction : kDirections) {
          for (const IpProtocol protocol : kProtocols) {
            const std::uint16_t port = kPorts[world_.pick(std::size(kPorts))];
            const Peer a = peer_of(subject);
            const Peer b = peer_of(other);
            const Verdict verdict = engine.verdict(direction, a, b, protocol, Port(port));
            const Verdict expected = anew.verdict(direction, a, b, protocol, Port(port));
            const NaiveVerdict oracle = naive.verdict(direction, subject, other, protocol, port);
            ++verdicts;
            denied += verdict.action == Action::deny ? 1 : 0;
            const bool is_same = verdict.action == expected.action && verdict.cause == expected.cause &&
                                 verdict.rule == expected.rule && verdict.policy == expected.policy &&
                                 verdict.tier == expected.tier && verdict.unmodelled == expected.unmodelled;
            ASSERT_TRUE(is_same) << engine.deciding_rule(direction, verdict) << " is not "
                                 << anew.deciding_rule(direction, expected);
            ASSERT_EQ(verdict.action, oracle.action);
            ASSERT_TRUE(oracle.is_entangled || verdict.cause == oracle.cause);
          }
          bool is_unknown = false;
          bool is_unknown_anew = false;
          ASSERT_EQ(engine.allowed_ports(direction, peer_of(subject), peer_of(other), is_unknown).to_string(),
                    anew.allowed_ports(direction, peer_of(subject), peer_of(other), is_unknown_anew).to_string());
          ASSERT_EQ(is_unknown, is_unknown_anew);
          if (world_.chance(10)) {
            ASSERT_EQ(engine.explain(direction, peer_of(subject), peer_of(other), IpProtocol::tcp, Port(80)).text,
                      anew.explain(direction, peer_of(subject), peer_of(other), IpProtocol::tcp, Port(80)).text);
          }
        }
      }
    }
  }

  RandomWorld world_;
  RandomWorld other_;  // where policies come from
  cluster::Cluster union_;
  std::deque<State> states_;
  std::vector<std::unique_ptr<PolicyEngine>> engines_;
  std::size_t released_ = 0;  // states, from the first
};

TEST(Changes, VerdictsAreThoseOfAnEngineCompiledAnew) {
  const std::uint64_t count = history_count();
  const char* text = std::getenv("PODWIRE_PROPERTY_FIRST_SEED");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  std::size_t verdicts = 0;
  std::size_t denied = 0;
  std::size_t changes = 0;
  std::size_t new_keys = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed);
    history.run();
    verdicts += history.verdicts;
    denied += history.denied;
    changes += history.changes;
    new_keys += history.new_keys;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  std::cout << count << " histories, " << changes << " changes (" << new_keys
            << " read labels that were perhaps not read), " << verdicts << " verdicts, " << denied << " denied, seeds "
            << first << " to " << first + count - 1 << "\n";
  if (count >= 100) {
    EXPECT_GT(denied, verdicts / 20);
    EXPECT_GT(new_keys, changes / 10);
  }
}

}  // namespace
}  // namespace podwire::policy
