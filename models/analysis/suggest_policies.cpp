// From edges to the least policies that let them pass: which namespaces are isolated, a policy a subject, rules whose
// peers are selectors where labels can tell pods apart and blocks of addresses elsewhere; and what no rule can say.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "models/analysis/suggest_impl.hpp"
#include "models/cluster/addresses.hpp"

namespace podwire::analysis {
namespace {

using cluster::Cluster;

constexpr std::string_view kOwnNamespaces[] = {"kube-system", "kube-public", "kube-node-lease"};
// Of more nodes than these, and of more pods outside of the pods' ranges, addresses are not excepted one by one.
constexpr std::size_t kMostExceptedNodes = 64;
constexpr std::size_t kMostExceptedPods = 256;
// RFC 1918: what a log means by a private network (see impact_judge.cpp).
constexpr std::string_view kPrivate[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};

// Edges to policies.
class PolicyMaker {
 public:
  explicit PolicyMaker(const Suggester::Impl& in) : in_(in), cluster_(in.cluster) {}

  Suggestion make() {
    result_.connections = in_.connections;
    choose_namespaces();
    sort_edges();
    for (const std::uint32_t name_space : namespaces_) {
      isolate(name_space);
    }
    for (std::uint32_t s = 0; s < in_.subjects.all().size(); ++s) {
      make_policy(s);
    }
    std::stable_sort(result_.policies.begin(), result_.policies.end(),
                     [](const SuggestedPolicy& a, const SuggestedPolicy& b) { return a.name_space < b.name_space; });
    write_notes();
    return std::move(result_);
  }

 private:
  // What one subject lets in or out on one port, by the other end.
  using Rules = std::map<EdgeEnd, std::map<std::pair<IpProtocol, Port>, Evidence>>;

  void choose_namespaces() {
    for (std::uint32_t s = 0; s < in_.subjects.all().size(); ++s) {
      const std::uint32_t id = in_.subjects.all()[s].name_space.value();
      const std::string& name = cluster_.namespaces[id].name;
      const auto& wanted = in_.options.namespaces;
      const bool is_own =
          std::find(std::begin(kOwnNamespaces), std::end(kOwnNamespaces), name) != std::end(kOwnNamespaces);
      if (wanted.empty() ? !is_own : std::find(wanted.begin(), wanted.end(), name) != wanted.end()) {
        namespaces_.insert(id);
      } else if (is_own) {
        left_alone_.insert(name);
      }
    }
  }

  bool concerns(const EdgeEnd& end) const {
    return end.sort == EndSort::subject && namespaces_.contains(in_.subjects.all()[end.id].name_space.value());
  }

  // Selectors select no nodes, and ipBlocks do not where the network plugin knows nodes by something else.
  bool is_beyond_rules(const Edge& edge) const {
    return !in_.semantics().ip_block_matches_nodes &&
           (edge.source.sort == EndSort::node || edge.destination.sort == EndSort::node);
  }

  void sort_edges() {
    for (const auto& [edge, seen] : in_.edges) {
      const bool to = concerns(edge.destination);
      const bool from = concerns(edge.source);
      if (!to && !from) {
        continue;
      }
      if (seen.dropped > 0) {
        ++(seen.passed.count > 0 ? mixed_ : dropped_);
        if (in_.is_dns(edge) && from) {
          without_dns_.insert(edge.source.id);
        }
        continue;
      }
      if (is_beyond_rules(edge)) {
        const std::uint64_t own = in_.semantics().own_node_is_allowed ? seen.own_node : 0;
        from_own_node_ += own;
        with_nodes_ += seen.passed.count - own;
        continue;
      }
      if (seen.passed.count < in_.options.threshold) {
        ++rare_;
        rare_count_ += seen.passed.count;
        continue;
      }
      result_.covered += seen.passed.count;
      if (in_.hears_destinations && edge.destination.sort == EndSort::subject && seen.half == seen.passed.count) {
        ++half_;
        half_count_ += seen.half;
      }
      // A pod's traffic to its own subject needs both sides too.
      if (to) {
        ingress_[edge.destination.id][edge.source][{edge.protocol, Port(edge.port)}].add(seen.passed);
      }
      if (from && !in_.is_dns(edge)) {
        egress_[edge.source.id][edge.destination][{edge.protocol, Port(edge.port)}].add(seen.passed);
      } else if (from) {
        dns_seen_[in_.subjects.all()[edge.source.id].name_space.value()].add(seen.passed);
      }
    }
  }

  SuggestedPeer pods_of(std::uint32_t subject) const {
    const Subject& it = in_.subjects.all()[subject];
    return {.name_space = cluster_.namespaces[it.name_space.index()].name,
            .pods = it.selector,
            .blocks = {},
            .except = {},
            .name = it.text};
  }

  std::vector<SuggestedRule> dns_rules(const Evidence& evidence) const {
    std::vector<SuggestedRule> rules;
    for (const std::uint32_t subject : in_.dns_subjects) {
      rules.push_back(
          {.peer = pods_of(subject), .ports = {in_.dns_ports.begin(), in_.dns_ports.end()}, .evidence = evidence});
    }
    return rules;
  }

  // A subject whose lookups were dropped must not get them back with the rest of its namespace.
  bool has_common_dns(std::uint32_t name_space) const {
    return std::none_of(without_dns_.begin(), without_dns_.end(), [&](std::uint32_t subject) {
      return in_.subjects.all()[subject].name_space.value() == name_space;
    });
  }

  void isolate(std::uint32_t name_space) {
    const std::string& name = cluster_.namespaces[name_space].name;
    result_.policies.push_back({.name_space = name,
                                .name = "default-deny",
                                .subject = "every pod of the namespace",
                                .isolates_ingress = true,
                                .isolates_egress = true});
    if (!in_.dns_subjects.empty() && has_common_dns(name_space)) {
      const auto seen = dns_seen_.find(name_space);
      result_.policies.push_back({.name_space = name,
                                  .name = "allow-dns",
                                  .subject = "every pod of the namespace",
                                  .isolates_egress = true,
                                  .egress = dns_rules(seen == dns_seen_.end() ? Evidence() : seen->second)});
      names_.emplace(name, "allow-dns");
    }
    // Whoever's lookups are let out must be let in, those of pods that made none while the log was kept too.
    for (const std::uint32_t subject : in_.dns_subjects) {
      const Subject& it = in_.subjects.all()[subject];
      if (it.name_space.value() != name_space || !without_dns_.empty() || !it.is_selectable) {
        continue;
      }
      SuggestedRule rule;
      rule.peer.is_every_pod = true;
      rule.peer.name = "every pod";
      rule.ports = {in_.dns_ports.begin(), in_.dns_ports.end()};
      result_.policies.push_back({.name_space = name,
                                  .name = "serve-dns",
                                  .subject = it.text,
                                  .pods = it.selector,
                                  .isolates_ingress = true,
                                  .ingress = {std::move(rule)}});
    }
  }

  void make_policy(std::uint32_t s) {
    const Subject& subject = in_.subjects.all()[s];
    const auto in = ingress_.find(s);
    const auto out = egress_.find(s);
    const bool needs_dns = namespaces_.contains(subject.name_space.value()) && !in_.dns_subjects.empty() &&
                           !has_common_dns(subject.name_space.value()) && !without_dns_.contains(s);
    if (in == ingress_.end() && out == egress_.end() && !needs_dns) {
      return;
    }
    if (!subject.is_selectable) {
      unselectable_.push_back(subject.text);
      return;
    }
    SuggestedPolicy policy{.name_space = cluster_.namespaces[subject.name_space.index()].name,
                           .name = "allow-" + subject.name,
                           .subject = subject.text,
                           .pods = subject.selector};
    if (in != ingress_.end()) {
      policy.isolates_ingress = true;
      policy.ingress = rules_of(in->second);
    }
    if (out != egress_.end() || needs_dns) {
      policy.isolates_egress = true;
      policy.egress = out == egress_.end() ? std::vector<SuggestedRule>() : rules_of(out->second);
      if (needs_dns) {
        const auto rules = dns_rules({});
        policy.egress.insert(policy.egress.end(), rules.begin(), rules.end());
      }
    }
    // Owners of two kinds may share a name, and one may be called dns.
    const std::string name = policy.name;
    for (int i = 2; !names_.emplace(policy.name_space, policy.name).second; ++i) {
      policy.name = fmt::format("{}.{}", name, i);
    }
    result_.policies.push_back(std::move(policy));
  }

  std::vector<SuggestedRule> rules_of(const Rules& by_peer) {
    std::vector<SuggestedRule> rules;
    // Addresses with the same ports share a rule.
    using PortSet = std::vector<std::pair<IpProtocol, Port>>;
    std::map<PortSet, std::pair<std::vector<IpAddress>, Evidence>> outside;
    std::map<PortSet, std::pair<std::set<std::uint32_t>, Evidence>> nodes;
    for (const auto& [end, by_port] : by_peer) {
      SuggestedRule rule;
      for (const auto& [port, evidence] : by_port) {
        rule.ports.push_back(port);
        rule.evidence.add(evidence);
      }
      switch (end.sort) {
        case EndSort::subject:
          if (!in_.subjects.all()[end.id].is_selectable) {
            unselectable_.push_back(in_.subjects.all()[end.id].text);
            continue;
          }
          rule.peer = pods_of(end.id);
          rules.push_back(std::move(rule));
          break;
        case EndSort::node: {
          auto& [ids, evidence] = nodes[rule.ports];
          ids.insert(end.id);
          evidence.add(rule.evidence);
          break;
        }
        case EndSort::address: {
          auto& [addresses, evidence] = outside[rule.ports];
          addresses.push_back(end.ip);
          evidence.add(rule.evidence);
          break;
        }
        case EndSort::public_network:
          rule.peer = wide_peer({*Cidr::parse("0.0.0.0/0")}, private_blocks(), {});
          rule.peer.name = "public addresses, which the log does not tell";
          has_untold_ = true;
          rules.push_back(std::move(rule));
          break;
        case EndSort::private_network:
          // Nodes among them, which the log may mean.
          rule.peer = wide_peer(private_blocks(), {}, {});
          rule.peer.name = "private addresses, which the log does not tell";
          has_untold_ = true;
          rules.push_back(std::move(rule));
          break;
      }
    }
    for (auto& [ports, entry] : nodes) {
      rules.push_back({.peer = node_peer(entry.first), .ports = ports, .evidence = entry.second});
    }
    for (auto& [ports, entry] : outside) {
      rules.push_back({.peer = outside_peer(entry.first), .ports = ports, .evidence = entry.second});
    }
    return rules;
  }

  static std::vector<Cidr> private_blocks() {
    std::vector<Cidr> blocks;
    for (const std::string_view text : kPrivate) {
      blocks.push_back(*Cidr::parse(text));
    }
    return blocks;
  }

  static Cidr alone(IpAddress ip) { return Cidr(ip, ip.is_v4() ? 32 : 128); }

  SuggestedPeer node_peer(const std::set<std::uint32_t>& ids) {
    has_nodes_ = true;
    SuggestedPeer peer;
    for (const std::uint32_t id : ids) {
      for (const IpAddress ip : cluster_.nodes[id].addresses) {
        peer.blocks.push_back(alone(ip));
      }
    }
    peer.name = ids.size() == 1 ? "node " + cluster_.nodes[*ids.begin()].name : fmt::format("{} nodes", ids.size());
    return peer;
  }

  SuggestedPeer outside_peer(std::vector<IpAddress> addresses) {
    std::sort(addresses.begin(), addresses.end());
    SuggestedPeer peer;
    if (addresses.size() <= in_.options.most_addresses) {
      for (const IpAddress ip : addresses) {
        peer.blocks.push_back(alone(ip));
      }
      peer.name = addresses.size() == 1 ? "an address outside" : fmt::format("{} addresses outside", addresses.size());
      return peer;
    }
    widened_ += addresses.size();
    peer.name = fmt::format("{} addresses outside, too many to list", addresses.size());
    const std::string name = peer.name;
    if (addresses.front().is_v4() || addresses.back().is_v4()) {
      peer = wide_peer({*Cidr::parse("0.0.0.0/0")}, nodes_to_except(), addresses);
      peer.name = name;
    }
    for (const IpAddress ip : addresses) {
      if (!ip.is_v4()) {
        peer.blocks.push_back(alone(ip));
      }
    }
    return peer;
  }

  // IPv4 blocks without what they must not open: the cluster's own addresses, `besides`, and addresses that were
  // dropped somewhere unless they are among `seen`.
  SuggestedPeer wide_peer(const std::vector<Cidr>& blocks, std::vector<Cidr> besides,
                          const std::vector<IpAddress>& seen) {
    find_inside();
    for (const IpAddress ip : dropped_addresses_) {
      if (!std::binary_search(seen.begin(), seen.end(), ip)) {
        besides.push_back(alone(ip));
      }
    }
    const std::vector<Cidr>& inside = *inside_;
    besides.insert(besides.end(), inside.begin(), inside.end());
    std::sort(besides.begin(), besides.end());
    besides.erase(std::unique(besides.begin(), besides.end()), besides.end());
    SuggestedPeer peer;
    for (const Cidr& block : blocks) {
      if (std::none_of(inside.begin(), inside.end(), [&](const Cidr& range) { return range.contains(block); })) {
        peer.blocks.push_back(block);
      }
    }
    for (const Cidr& except : besides) {
      const bool is_redundant = std::any_of(
          besides.begin(), besides.end(), [&](const Cidr& other) { return other != except && other.contains(except); });
      if (!is_redundant && std::any_of(peer.blocks.begin(), peer.blocks.end(),
                                       [&](const Cidr& block) { return block.contains(except); })) {
        peer.except.push_back(except);
      }
    }
    return peer;
  }

  // Where pods and Services have their addresses, and which addresses were dropped anywhere.
  void find_inside() {
    if (inside_) {
      return;
    }
    std::vector<Cidr>& ranges = inside_.emplace();
    const auto is_known = [&](const Cidr& range) {
      return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& r) { return r.contains(range); });
    };
    const auto add = [&](const Cidr& range) {
      if (range.family() == IpFamily::v4 && range.length() > 0 && !is_known(range)) {
        ranges.push_back(range);
      }
    };
    add(cluster_.pod_cidr);
    add(cluster_.service_cidr);
    for (const cluster::Node& node : cluster_.nodes) {
      add(node.pod_cidr);
    }
    const std::size_t most = ranges.size() + kMostExceptedPods;
    for (std::size_t p = 0; p < cluster_.pods.size() && !opens_pods_; ++p) {
      const IpAddress ip = cluster_.address_of(cluster::PodId(p), IpFamily::v4);
      if (!cluster_.shape(cluster::PodId(p)).is_host_network && ip.is_v4()) {
        add(alone(ip));
        opens_pods_ = ranges.size() > most;
      }
    }
    for (const auto& [edge, traffic] : in_.edges) {
      for (const EdgeEnd& end : {edge.source, edge.destination}) {
        if (traffic.dropped > 0 && end.sort == EndSort::address && end.ip.is_v4()) {
          dropped_addresses_.insert(end.ip);
        }
      }
    }
  }

  std::vector<Cidr> nodes_to_except() {
    std::vector<Cidr> nodes;
    if (!in_.semantics().ip_block_matches_nodes) {
      return nodes;
    }
    if (cluster_.nodes.size() > kMostExceptedNodes) {
      opens_nodes_ = true;
      return nodes;
    }
    for (const cluster::Node& node : cluster_.nodes) {
      for (const IpAddress ip : node.addresses) {
        nodes.push_back(alone(ip));
      }
    }
    return nodes;
  }

  void note(std::uint64_t count, std::string_view text) {
    if (count > 0) {
      result_.notes.push_back(fmt::format(fmt::runtime(text), count));
    }
  }

  bool has_except() const {
    const auto any = [](const std::vector<SuggestedRule>& rules) {
      return std::any_of(rules.begin(), rules.end(), [](const SuggestedRule& r) { return !r.peer.except.empty(); });
    };
    return std::any_of(result_.policies.begin(), result_.policies.end(),
                       [&](const SuggestedPolicy& p) { return any(p.ingress) || any(p.egress); });
  }

  // NetworkPolicies add up: what others allow stays allowed.
  void note_policies_in_force() {
    std::size_t count = 0;
    std::size_t replaced = 0;
    for (const cluster::Object& object : in_.options.objects->objects()) {
      const bool is_policy = object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io";
      const cluster::NamespaceId id = cluster_.find_namespace(object.name_space);
      if (is_policy && id.is_valid() && namespaces_.contains(id.value())) {
        ++count;
        replaced += std::any_of(result_.policies.begin(), result_.policies.end(), [&](const SuggestedPolicy& p) {
          return p.name_space == object.name_space && p.name == object.name;
        });
      }
    }
    if (count > 0) {
      result_.notes.push_back(fmt::format(
          "NetworkPolicies in force in these namespaces, which go on allowing what they allow until you delete them: "
          "{}{}",
          count, replaced > 0 ? fmt::format("; of the same names, so that these replace them: {}", replaced) : ""));
    }
  }

  void write_notes() {
    if (in_.options.objects != nullptr) {
      note_policies_in_force();
    }
    std::sort(unselectable_.begin(), unselectable_.end());
    unselectable_.erase(std::unique(unselectable_.begin(), unselectable_.end()), unselectable_.end());
    for (const std::string& text : unselectable_) {
      result_.notes.push_back(
          fmt::format("{}: no labels that outlive its pods select it alone; its connections have no rule", text));
    }
    note(mixed_, "edges both let pass and dropped, without a rule (decide about them): {}");
    note(dropped_, "edges recorded as dropped, without a rule: {}");
    if (rare_ > 0) {
      result_.notes.push_back(fmt::format("edges seen less often than {} times, without a rule: {} ({} connections)",
                                          in_.options.threshold, rare_, rare_count_));
    }
    if (half_ > 0) {
      result_.notes.push_back(fmt::format(
          "edges of which the log has the source's side alone, so that the destination may have dropped them; look at "
          "their rules: {} ({} connections)",
          half_, half_count_));
    }
    note(in_.unmapped, "connections with an end that is not in the dump, without a rule: {}");
    note(in_.icmp, "connections of ICMP, of which NetworkPolicies do not speak: {}");
    note(in_.portless, "connections without a destination port, without a rule: {}");
    note(widened_, "addresses outside, too many to list, whose rules let in or out every address outside: {}");
    if (with_nodes_ > 0) {
      result_.notes.push_back(fmt::format(
          "connections from or to nodes, without a rule, because under {} no NetworkPolicy can allow them (its ipBlock "
          "matches no node; allow them by the plugin's own means, or they are denied): {}",
          in_.options.profile->name, with_nodes_));
    }
    note(from_own_node_, "connections from a pod's own node, which need no rule: {}");
    if (opens_nodes_) {
      result_.notes.emplace_back("rules that let in or out every address outside let nodes in or out, too");
    }
    if (opens_pods_) {
      result_.notes.emplace_back(
          "wide rules for addresses let pods in or out, too: many pods lie outside of the ranges "
          "that the cluster says");
    }
    if (!in_.semantics().except_is_honoured && has_except()) {
      result_.notes.push_back(fmt::format("under {} `except` has no effect: rules with it are wider than they say",
                                          in_.options.profile->name));
    }
    if (!in_.semantics().is_enforced) {
      result_.notes.push_back(fmt::format("under {} no policy has an effect", in_.options.profile->name));
    }
    if (has_nodes_) {
      result_.notes.emplace_back(
          in_.options.profile == nullptr
              ? "nodes are named by their addresses; some network plugins do not match nodes by ipBlock"
              : "nodes are named by their addresses: new nodes need new rules");
    }
    if (has_untold_) {
      result_.notes.emplace_back("the log does not tell all addresses outside: rules for them are wide");
    }
    if (!in_.cluster.dns_service.is_valid() || in_.dns_subjects.empty()) {
      result_.notes.emplace_back("the cluster shows no DNS pods: there is no rule for lookups");
    } else {
      for (const std::uint32_t subject : without_dns_) {
        result_.notes.push_back(
            fmt::format("lookups of {} were recorded as dropped: DNS is allowed subject by subject there",
                        in_.subjects.all()[subject].text));
      }
    }
    for (const std::string& name : left_alone_) {
      result_.notes.push_back(fmt::format("namespace {} is left alone; name it if you want policies for it", name));
    }
  }

  const Suggester::Impl& in_;
  const Cluster& cluster_;
  Suggestion result_;
  std::set<std::uint32_t> namespaces_;
  std::set<std::string> left_alone_;
  std::map<std::uint32_t, Rules> ingress_;
  std::map<std::uint32_t, Rules> egress_;
  std::map<std::uint32_t, Evidence> dns_seen_;  // by namespace
  std::set<std::uint32_t> without_dns_;         // subjects whose lookups were dropped
  std::vector<std::string> unselectable_;
  std::uint64_t mixed_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t rare_ = 0;
  std::uint64_t rare_count_ = 0;
  std::uint64_t half_ = 0;  // edges that no destination's side has told of
  std::uint64_t half_count_ = 0;
  std::uint64_t widened_ = 0;
  std::uint64_t with_nodes_ = 0;                         // connections that no rule can allow
  std::uint64_t from_own_node_ = 0;                      // that need none
  std::set<std::pair<std::string, std::string>> names_;  // in use: namespace, name
  bool has_nodes_ = false;
  bool opens_nodes_ = false;
  bool opens_pods_ = false;
  std::optional<std::vector<Cidr>> inside_;
  std::set<IpAddress> dropped_addresses_;
  bool has_untold_ = false;
};

}  // namespace

Suggestion make_policies(const Suggester::Impl& seen) {
  return PolicyMaker(seen).make();
}

}  // namespace podwire::analysis
