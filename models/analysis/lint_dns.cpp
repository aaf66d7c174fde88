// Rules about DNS: egress-without-dns, dns-udp-only, dns-not-node-local, open-dns-rule, dns-isolates-all.
//
// What pods may ask is the compiled engine's word, towards each backend of the cluster's DNS Service at the port it
// listens on. Where the input has no DNS, podwire's stands for it; its labels are a guess then, so that a rule that
// names port 53 counts as one for DNS whatever it selects. NodeLocal DNSCache is known by its DaemonSet's label, and
// listens at 169.254.20.10 (kubernetes cluster/addons/dns/nodelocaldns, __PILLAR__LOCAL__DNS__'s documented value).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "models/analysis/lint_context.hpp"
#include "models/analysis/lint_hosts.hpp"
#include "models/policy/compiled.hpp"

namespace podwire::analysis {
namespace {

using policy::Direction;
using policy::NetworkPolicy;

constexpr std::uint16_t kDnsPort = 53;
constexpr IpAddress kNodeLocalAddress = IpAddress::v4(169, 254, 20, 10);
class DnsRules {
 public:
  explicit DnsRules(LintContext& context) : context_(context), cluster_(context.cluster) {
    if (cluster_.dns_service.is_valid()) {
      const cluster::Service& service = cluster_.services[cluster_.dns_service.index()];
      is_added_ = service.is_added;
      for (const cluster::ServicePort& port : service.ports) {
        if (port.port == Port(kDnsPort)) {
          backends_[port.protocol] = port.backends;
        }
      }
    }
    const cluster::StringId key = cluster_.strings.find("k8s-app");
    has_node_cache_ = std::any_of(cluster_.workloads.begin(), cluster_.workloads.end(), [&](const auto& workload) {
      if (workload.kind != cluster::WorkloadKind::daemon_set || !key.is_valid() || !workload.pod_template.is_valid()) {
        return false;
      }
      const cluster::PodTemplate& pod_template = cluster_.templates[workload.pod_template.index()];
      const cluster::StringId value = cluster_.label_sets.value(pod_template.labels, key);
      return value.is_valid() && cluster_.strings[value] == "node-local-dns" && pod_template.is_host_network;
    });
  }

  void run() {
    for (std::size_t n = 0; n < cluster_.namespaces.size(); ++n) {
      for (const PodKind& kind : context_.kinds_in(cluster::NamespaceId(n))) {
        judge(kind);
      }
    }
    report();
    for (const NetworkPolicy& policy : context_.policies.network_policies) {
      open_dns_rule(policy);
      dns_isolates_all(policy);
    }
  }

 private:
  enum class Answer : std::uint8_t { no, yes, unknown };
  struct Asked {
    Answer answer = Answer::no;
    policy::Verdict verdict;  // of the yes
    std::uint32_t unmodelled = 0;
  };
  /// Workloads that share a finding.
  struct Cut {
    std::vector<std::string> workloads;
    std::vector<std::string> why;  // hosts they name
  };

  std::vector<policy::PolicyIndex> isolating(const PodKind& kind) {
    const policy::GroupId group = context_.engine.view().pods[kind.pod.index()].egress;
    return group.is_valid() ? context_.engine.policies_of(group) : std::vector<policy::PolicyIndex>();
  }

  Asked ask(const PodKind& kind, IpProtocol protocol) {
    Asked asked;
    for (const cluster::Backend& backend : backends_[protocol]) {
      const policy::Peer other = {.pod = backend.pod, .node = backend.node, .ip = backend.ip};
      const policy::Verdict verdict =
          context_.engine.verdict(Direction::egress, context_.peer(kind), other, protocol, backend.port);
      if (verdict.action == policy::Action::allow) {
        return {.answer = Answer::yes, .verdict = verdict, .unmodelled = 0};
      }
      if (verdict.action == policy::Action::unknown) {
        asked = {.answer = Answer::unknown, .verdict = verdict, .unmodelled = verdict.unmodelled};
      }
    }
    return asked;
  }

  /// A rule that names port 53: enough where the DNS pods are podwire's own.
  bool names_dns_port(const std::vector<policy::PolicyIndex>& policies, IpProtocol protocol) {
    return std::any_of(policies.begin(), policies.end(), [&](policy::PolicyIndex index) {
      const std::vector<policy::Rule>& rules = context_.engine.policy(index).egress;
      return std::any_of(rules.begin(), rules.end(), [&](const policy::Rule& rule) {
        return std::any_of(rule.ports.begin(), rule.ports.end(), [&](const policy::PortRule& port) {
          return port.protocol == protocol && is_dns_port(port);
        });
      });
    });
  }

  bool is_dns_server(const PodKind& kind) {
    for (const auto& [protocol, backends] : backends_) {
      if (std::any_of(backends.begin(), backends.end(), [&](const cluster::Backend& b) { return b.pod == kind.pod; })) {
        return true;
      }
    }
    return false;
  }

  void judge(const PodKind& kind) {
    const cluster::PodTemplate& pod_template = cluster_.pod_template(kind.pod);
    const bool asks_cluster = pod_template.dns_policy == cluster::DnsPolicy::cluster_first ||
                              pod_template.dns_policy == cluster::DnsPolicy::cluster_first_with_host_net;
    const std::vector<policy::PolicyIndex> policies = isolating(kind);
    if (policies.empty() || !asks_cluster || backends_.empty() || is_dns_server(kind)) {
      return;
    }
    const std::string name = cluster_.workload_name(kind.workload);
    Asked udp = ask(kind, IpProtocol::udp);
    Asked tcp = ask(kind, IpProtocol::tcp);
    for (const Asked* asked : {&udp, &tcp}) {
      if (asked->answer == Answer::unknown) {
        context_.doubt("egress-without-dns", context_.object_name(kind.workload), asked->unmodelled);
        return;
      }
    }
    const bool may_udp = udp.answer == Answer::yes || (is_added_ && names_dns_port(policies, IpProtocol::udp));
    const bool may_tcp = tcp.answer == Answer::yes || (is_added_ && names_dns_port(policies, IpProtocol::tcp));
    if (!may_udp) {
      no_dns(kind, name, policies, may_tcp);
    } else if (!may_tcp) {
      udp_only(kind, name, policies, udp);
    }
    if (may_udp && has_node_cache_ && !may_ask_node_cache(kind)) {
      const bool decided = udp.answer == Answer::yes && udp.verdict.cause == policy::Cause::rule;
      const policy::PolicyIndex by = decided ? udp.verdict.policy : policies.front();
      const Span span = decided ? context_.engine.rule_span(by, Direction::egress, udp.verdict.rule)
                                : context_.engine.policy_span(by);
      add_once(node_cache_cuts_[{span, context_.engine.is_admin(by) ? policies.front() : by}], name);
    }
  }

  /// Over UDP, at its own address or, as with kube-proxy in iptables mode, at that of kube-dns; what is not known
  /// counts as yes.
  bool may_ask_node_cache(const PodKind& kind) {
    const IpAddress addresses[] = {kNodeLocalAddress, cluster_.services[cluster_.dns_service.index()].cluster_ip};
    return std::any_of(std::begin(addresses), std::end(addresses), [&](IpAddress ip) {
      return !ip.is_unspecified() &&
             context_.engine
                     .verdict(Direction::egress, context_.peer(kind), {.ip = ip}, IpProtocol::udp, Port(kDnsPort))
                     .action != policy::Action::deny;
    });
  }

  void no_dns(const PodKind& kind, const std::string& name, const std::vector<policy::PolicyIndex>& policies,
              bool may_tcp) {
    policy::PolicyIndex first = policies.front();
    bool has_egress = false;
    for (const policy::PolicyIndex index : policies) {
      if (!context_.engine.policy(index).egress.empty() && !has_egress) {
        first = index;
        has_egress = true;
      }
    }
    const std::vector<std::string> hosts = hosts_named_by(context_, kind.workload);
    if (!has_egress && hosts.empty()) {
      return;  // nothing is allowed and nobody is named: such pods need no names
    }
    Cut& cut = cuts_[{first, may_tcp}];
    add_once(cut.workloads, name);
    for (const std::string& host : hosts) {
      add_once(cut.why, host);
    }
  }

  static void add_once(std::vector<std::string>& list, const std::string& text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) {
      list.push_back(text);
    }
  }

  /// The ports item that allows UDP 53, as a place of its own.
  void udp_only(const PodKind& kind, const std::string& name, const std::vector<policy::PolicyIndex>& policies,
                const Asked& udp) {
    for (const policy::PolicyIndex index : policies) {
      const std::vector<policy::Rule>& rules = context_.engine.policy(index).egress;
      for (std::size_t r = 0; r < rules.size(); ++r) {
        const bool decided = udp.answer == Answer::yes && udp.verdict.cause == policy::Cause::rule;
        if (decided && (udp.verdict.policy != index || udp.verdict.rule != r)) {
          continue;
        }
        for (const policy::PortRule& port : rules[r].ports) {
          if (port.protocol == IpProtocol::udp && (is_dns_port(port) || decided)) {
            add_once(udp_only_[{port.span, index}], name);
            return;
          }
        }
      }
    }
    (void)kind;
  }

  void report() {
    for (const auto& [key, cut] : cuts_) {
      const NetworkPolicy& policy = context_.engine.policy(key.first);
      std::string message = fmt::format("{} isolated for egress and may not ask DNS over UDP 53{}",
                                        listed(cut.workloads) + (cut.workloads.size() == 1 ? " is" : " are"),
                                        key.second ? "" : " or TCP 53");
      if (!cut.why.empty()) {
        message += fmt::format(", though {} names {}", cut.workloads.size() == 1 ? "it" : "their configuration",
                               listed(cut.why));
      }
      context_.add("egress-without-dns", LintContext::object_name(policy), policy.span, std::move(message),
                   std::string(kAllowDns));
    }
    for (const auto& [key, workloads] : udp_only_) {
      const NetworkPolicy& policy = context_.engine.policy(key.second);
      context_.add("dns-udp-only", LintContext::object_name(policy), key.first,
                   fmt::format("{} may ask DNS over UDP 53 and not over TCP 53: long answers fail", listed(workloads)),
                   "add `- {protocol: TCP, port: 53}` to these ports");
    }
    for (const auto& [key, workloads] : node_cache_cuts_) {
      context_.add("dns-not-node-local", LintContext::object_name(context_.engine.policy(key.second)), key.first,
                   fmt::format("{} may ask the DNS pods, and not the DNS cache that answers for them on each node "
                               "({}, node-local-dns)",
                               listed(workloads), kNodeLocalAddress.to_string()),
                   fmt::format("add `- ipBlock: {{cidr: {}/32}}` to the peers of the DNS rule; where the cache has "
                               "another address, that one",
                               kNodeLocalAddress.to_string()));
    }
  }

  void open_dns_rule(const NetworkPolicy& policy) {
    for (const policy::Rule& rule : policy.egress) {
      if (!is_dns_only(rule) || !policy.isolates_egress) {
        continue;
      }
      for (const policy::PeerRule& peer : rule.peers) {
        if (!peer.namespace_selector || !peer.namespace_selector->matches_everything()) {
          continue;
        }
        const bool has_label = peer.pod_selector && !peer.pod_selector->matches_everything();
        context_.add(
            "open-dns-rule", LintContext::object_name(policy),
            peer.namespace_selector->span.is_known() ? peer.namespace_selector->span : peer.span,
            has_label ? fmt::format("any namespace's pods that say {} are reachable over port 53",
                                    peer.pod_selector->to_string())
                      : std::string("every pod of every namespace is reachable over port 53"),
            has_label
                ? std::string("`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}`")
                : std::string("`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}` with "
                              "`podSelector: {matchLabels: {k8s-app: kube-dns}}`"));
      }
    }
  }

  void dns_isolates_all(const NetworkPolicy& policy) {
    const auto gives_dns_only = [](const NetworkPolicy& p) {
      return !p.egress.empty() && std::all_of(p.egress.begin(), p.egress.end(), is_dns_only);
    };
    if (!policy.isolates_egress || !gives_dns_only(policy)) {
      return;
    }
    std::vector<std::string> cut;
    for (const PodKind& kind : context_.subjects_of(policy)) {
      const std::vector<policy::PolicyIndex> policies = isolating(kind);
      const bool is_alone = !policies.empty() && std::all_of(policies.begin(), policies.end(), [&](auto index) {
        return gives_dns_only(context_.engine.policy(index));
      });
      if (is_alone && !is_dns_server(kind)) {
        add_once(cut, cluster_.workload_name(kind.workload));
      }
    }
    if (!cut.empty()) {
      context_.add(
          "dns-isolates-all", LintContext::object_name(policy), policy.span,
          fmt::format("this policy isolates {} for egress and allows DNS alone; no other policy gives {} egress",
                      listed(cut), cut.size() == 1 ? "it" : "them"),
          "add the egress they need, or a default-deny policy if they need none");
    }
  }

  LintContext& context_;
  const cluster::Cluster& cluster_;
  bool is_added_ = false;
  std::map<IpProtocol, std::vector<cluster::Backend>> backends_;
  std::map<std::pair<policy::PolicyIndex, bool>, Cut> cuts_;
  std::map<std::pair<Span, policy::PolicyIndex>, std::vector<std::string>> udp_only_;
  bool has_node_cache_ = false;
  std::map<std::pair<Span, policy::PolicyIndex>, std::vector<std::string>> node_cache_cuts_;
};

}  // namespace

void lint_dns(LintContext& context) {
  DnsRules(context).run();
}

}  // namespace podwire::analysis
