// Reading AdminNetworkPolicy, BaselineAdminNetworkPolicy (v1alpha1) and ClusterNetworkPolicy (v1alpha2) with the rules
// of their CRDs (network-policy-api apis/v1alpha1 and apis/v1alpha2: kubebuilder markers and the texts beside them).
// Stricter in that unknown fields are errors; only a ClusterNetworkPolicy's peer with none but unknown fields is taken
// for one of a later version and fails closed, with a warning, as its text asks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "models/policy/policy.hpp"
#include "models/policy/read_common.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::policy {

namespace {

using config::Node;
using config::ObjectReader;

constexpr std::string_view kGroup = "policy.networking.k8s.io";
constexpr std::size_t kMostNetworks = 25;
constexpr std::ptrdiff_t kMostNameCharacters = 100;
constexpr std::string_view kSelectors[] = {"namespaces", "pods"};

std::optional<AdminKind> kind_of(std::string_view kind) {
  for (const AdminKind candidate :
       {AdminKind::admin_network_policy, AdminKind::baseline_admin_network_policy, AdminKind::cluster_network_policy}) {
    if (kind == to_string(candidate)) {
      return candidate;
    }
  }
  return std::nullopt;
}

/// As maxLength of a CRD counts: code points. Texts are valid UTF-8, whose continuation bytes are 10xxxxxx.
std::ptrdiff_t character_count(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

/// The pattern of the API's DomainName: two labels or more, "*." before them, a dot after them.
bool is_domain_name(std::string_view text) {
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  }
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  std::size_t labels = 0;
  for (std::size_t begin = 0; begin <= text.size(); ++labels) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view label = text.substr(begin, end - begin);
    if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back()) ||
        !std::all_of(label.begin(), label.end(), [&](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; })) {
      return false;
    }
    begin = end + 1;
  }
  return labels >= 2;
}

class AdminReader {
 public:
  AdminReader(const cluster::Object& object, AdminKind kind, Diagnostics& diagnostics)
      : object_(object), kind_(kind), name_(object.full_name()), diagnostics_(diagnostics) {}

  std::optional<AdminPolicy> read() {
    const std::size_t errors_before = diagnostics_.error_count();
    AdminPolicy policy;
    policy.kind = kind_;
    policy.name = object_.name;
    policy.span = object_.span;
    ObjectReader root(object_.node, name_, diagnostics_);
    root.ignore({"apiVersion", "kind", "metadata", "status"});
    const std::string_view version =
        is_cluster_policy() ? "policy.networking.k8s.io/v1alpha2" : "policy.networking.k8s.io/v1alpha1";
    if (object_.api_version != version) {
      root.error("unsupported-api-version",
                 fmt::format("{} is read in {}, not in {}", to_string(kind_), version, printable(object_.api_version)),
                 object_.node.find("apiVersion"));
    }
    if (kind_ == AdminKind::baseline_admin_network_policy && policy.name != "default") {
      diagnostics_.add({.severity = Severity::error,
                        .code = "bad-name",
                        .message = fmt::format("the only BaselineAdminNetworkPolicy is named \"default\", not \"{}\"",
                                               printable(policy.name, 80)),
                        .span = object_.span,
                        .object = name_,
                        .field = "metadata.name"});
    }
    if (const Node spec = root.require("spec"); !spec.is_null()) {
      read_spec(spec, policy);
    }
    root.finish();
    return diagnostics_.error_count() == errors_before ? std::optional(std::move(policy)) : std::nullopt;
  }

 private:
  bool is_cluster_policy() const { return kind_ == AdminKind::cluster_network_policy; }
  std::size_t most_rules() const { return is_cluster_policy() ? 25 : 100; }
  std::size_t most_items() const { return is_cluster_policy() ? 25 : 100; }  // peers, ports

  void read_spec(Node node, AdminPolicy& policy) {
    ObjectReader spec(node, name_, diagnostics_);
    if (kind_ == AdminKind::baseline_admin_network_policy) {
      policy.tier = Tier::baseline;
      policy.priority = kBaselinePriority;
    } else if (const Node priority = spec.require("priority"); !priority.is_null()) {
      policy.priority =
          static_cast<std::uint16_t>(config::as_integer(priority, 0, 1000, name_, diagnostics_).value_or(0));
      policy.priority_span = priority.span();
    }
    if (is_cluster_policy() && !spec.require("tier").is_null()) {
      policy.tier = spec.choice("tier", {"Admin", "Baseline"}).value_or(0) == 0 ? Tier::admin : Tier::baseline;
    }
    if (const Node subject = spec.require("subject"); !subject.is_null()) {
      read_subject(subject, policy);
    }
    policy.ingress = read_rules(spec, Direction::ingress);
    policy.egress = read_rules(spec, Direction::egress);
    spec.finish();
  }

  void read_subject(Node node, AdminPolicy& policy) {
    ObjectReader subject(node, name_, diagnostics_);
    const std::vector<std::string_view> set = fields_set(subject, kSelectors);
    subject.finish();
    if (set.size() != 1) {
      subject.error("bad-subject", "a subject must set exactly one of namespaces and pods", node,
                    "`namespaces: {}` selects every pod");
    } else if (set.front() == "namespaces") {
      policy.subject_namespaces = selector(subject.get("namespaces"));
    } else {
      read_pods(subject.get("pods"), policy.subject_namespaces, policy.subject_pods);
    }
  }

  /// Those of `fields` that are present and not null; all count as known.
  static std::vector<std::string_view> fields_set(ObjectReader& reader, std::span<const std::string_view> fields) {
    std::vector<std::string_view> set;
    for (const std::string_view field : fields) {
      if (!reader.get(field).is_null()) {
        set.push_back(field);
      }
    }
    return set;
  }

  cluster::LabelSelector selector(Node node) {
    return cluster::read_label_selector(node, name_, diagnostics_).value_or(cluster::LabelSelector());
  }

  /// Both selectors are required in v1alpha1, the podSelector in v1alpha2. Files that leave one out are common and
  /// mean everything, which is worth a word.
  void read_pods(Node node, cluster::LabelSelector& namespaces, cluster::LabelSelector& pods) {
    ObjectReader reader(node, name_, diagnostics_);
    for (const std::string_view key : {"namespaceSelector", "podSelector"}) {
      const bool is_optional = is_cluster_policy() && key == "namespaceSelector";
      if (node.is_mapping() && reader.get(key).is_null() && !is_optional) {
        warn("missing-selector",
             fmt::format("the API asks for {} in pods; it is read as {{}}, which is everything", key), node);
      }
    }
    namespaces = selector(reader.get("namespaceSelector"));
    pods = selector(reader.get("podSelector"));
    reader.finish();
  }

  void warn(std::string code, std::string message, Node where) {
    diagnostics_.add({.severity = Severity::warning,
                      .code = std::move(code),
                      .message = std::move(message),
                      .span = where.span(),
                      .object = name_,
                      .field = where.path()});
  }

  /// The items of a list that may be absent but not empty, and holds at most `most`.
  std::vector<Node> filled_list(ObjectReader& reader, std::string_view key, std::size_t most) {
    std::vector<Node> items = reader.list(key);
    const Node list = reader.get(key);
    if (!list.is_null() && list.is_sequence() && items.empty()) {
      reader.error("empty-list", fmt::format("{} must list at least one item", key), list);
    } else if (items.size() > most) {
      reader.error("too-many-items", fmt::format("{} may list at most {} items, not {}", key, most, items.size()),
                   list);
      items.resize(most);
    }
    return items;
  }

  std::vector<AdminRule> read_rules(ObjectReader& spec, Direction direction) {
    const std::string_view key = to_string(direction);
    std::vector<Node> nodes = spec.list(key);
    if (nodes.size() > most_rules()) {
      spec.error("too-many-rules", fmt::format("{} may have at most {} rules, not {}", key, most_rules(), nodes.size()),
                 spec.get(key));
      nodes.resize(most_rules());
    }
    std::vector<AdminRule> rules;
    for (const Node node : nodes) {
      rules.push_back(read_rule(node, direction));
    }
    return rules;
  }

  AdminRule read_rule(Node node, Direction direction) {
    ObjectReader reader(node, name_, diagnostics_);
    AdminRule rule;
    rule.span = node.span();
    rule.name = reader.string("name").value_or("");
    if (character_count(rule.name) > kMostNameCharacters) {
      reader.error("bad-name", "a rule's name may have at most 100 characters", reader.get("name"));
    }
    if (!reader.require("action").is_null()) {
      rule.action = read_action(reader);
    }
    const std::string_view peers_key = direction == Direction::ingress ? "from" : "to";
    reader.require(peers_key);
    for (const Node peer : filled_list(reader, peers_key, most_items())) {
      rule.peers.push_back(read_peer(peer, direction, rule.action));
    }
    for (const Node port : filled_list(reader, is_cluster_policy() ? "protocols" : "ports", most_items())) {
      rule.ports.push_back(is_cluster_policy() ? read_protocol(port) : read_port(port));
    }
    check_named_ports(reader, rule);
    reader.finish();
    return rule;
  }

  RuleAction read_action(ObjectReader& reader) {
    const std::optional<std::size_t> choice = is_cluster_policy() ? reader.choice("action", {"Accept", "Deny", "Pass"})
                                              : kind_ == AdminKind::baseline_admin_network_policy
                                                  ? reader.choice("action", {"Allow", "Deny"})
                                                  : reader.choice("action", {"Allow", "Deny", "Pass"});
    return static_cast<RuleAction>(choice.value_or(0));
  }

  static void check_named_ports(ObjectReader& reader, const AdminRule& rule) {
    const auto has_no_ports = [](const AdminPeer& peer) {
      return peer.kind == AdminPeer::Kind::networks || peer.kind == AdminPeer::Kind::nodes ||
             peer.kind == AdminPeer::Kind::domain_names;
    };
    const auto named =
        std::find_if(rule.ports.begin(), rule.ports.end(), [](const PortRule& p) { return !p.name.empty(); });
    if (named != rule.ports.end() && std::any_of(rule.peers.begin(), rule.peers.end(), has_no_ports)) {
      reader.diagnostics().add({.severity = Severity::error,
                                .code = "named-port-without-pods",
                                .message = "a named port cannot be combined with networks, nodes or domainNames, which "
                                           "name no ports",
                                .span = named->span,
                                .object = reader.object(),
                                .field = reader.node().path(),
                                .help = "make two rules of it"});
    }
  }

  AdminPeer read_peer(Node node, Direction direction, RuleAction action) {
    ObjectReader reader(node, name_, diagnostics_);
    AdminPeer peer;
    peer.span = node.span();
    std::vector<std::string_view> known(std::begin(kSelectors), std::end(kSelectors));
    if (direction == Direction::egress) {
      known.insert(known.end(), {"nodes", "networks"});
      if (kind_ != AdminKind::baseline_admin_network_policy) {
        known.push_back("domainNames");
      }
    }
    const std::vector<std::string_view> set = fields_set(reader, known);
    const std::string asked = fmt::format("a peer must set exactly one of {}", fmt::join(known, ", "));
    if (set.empty() && is_cluster_policy() && node.is_mapping() && node.size() > 0 && has_unknown_key(node, known)) {
      warn("unknown-peer",
           fmt::format(
               "this peer has no field that is known ({}) and fails closed: {}", fmt::join(known, ", "),
               action == RuleAction::allow ? "the rule accepts nothing by it" : "the rule matches everything by it"),
           node);
      peer.kind = AdminPeer::Kind::unknown;
      return peer;
    }
    reader.finish();
    if (set.size() == 1) {
      read_peer_field(reader, set.front(), action, peer);
    } else if (node.is_null() || node.is_mapping()) {
      reader.error(set.empty() ? "empty-peer" : "conflicting-peer", asked, node,
                   set.empty() ? "`namespaces: {}` is every pod" : "make list items of them: they are ORed");
    }
    return peer;
  }

  static bool has_unknown_key(Node node, const std::vector<std::string_view>& known) {
    for (const Node member : node) {
      if (std::find(known.begin(), known.end(), member.key()) == known.end()) {
        return true;
      }
    }
    return false;
  }

  void read_peer_field(ObjectReader& reader, std::string_view field, RuleAction action, AdminPeer& peer) {
    const Node value = reader.get(field);
    if (field == "namespaces") {
      peer.namespace_selector = selector(value);
    } else if (field == "pods") {
      peer.kind = AdminPeer::Kind::pods;
      read_pods(value, peer.namespace_selector, peer.pod_selector);
    } else if (field == "nodes") {
      peer.kind = AdminPeer::Kind::nodes;
      peer.node_selector = selector(value);
    } else if (field == "networks") {
      peer.kind = AdminPeer::Kind::networks;
      read_networks(reader, peer);
    } else {
      peer.kind = AdminPeer::Kind::domain_names;
      if (action != RuleAction::allow) {
        reader.error("domain-names-not-allowed",
                     fmt::format("domainNames are for {} rules only", to_string(RuleAction::allow, kind_)), value);
      }
      read_domain_names(reader, peer);
    }
  }

  /// Items of a set, as texts: the API server refuses one that comes twice.
  void check_unique(ObjectReader& reader, const std::vector<Node>& items) {
    std::vector<std::string_view> seen;
    for (const Node item : items) {
      if (std::find(seen.begin(), seen.end(), item.text()) != seen.end()) {
        reader.error("duplicate-item", fmt::format("{} is listed twice", printable(item.text(), 80)), item);
      }
      seen.push_back(item.text());
    }
  }

  void read_networks(ObjectReader& reader, AdminPeer& peer) {
    const std::vector<Node> items = filled_list(reader, "networks", kMostNetworks);
    check_unique(reader, items);
    for (const Node item : items) {
      if (const std::optional<Cidr> cidr = read_cidr(item, name_, diagnostics_)) {
        peer.networks.push_back(*cidr);
        peer.item_spans.push_back(item.span());
      }
    }
  }

  void read_domain_names(ObjectReader& reader, AdminPeer& peer) {
    const std::vector<Node> items = filled_list(reader, "domainNames", kMostNetworks);
    check_unique(reader, items);
    for (const Node item : items) {
      std::optional<std::string> text = config::as_string(item, name_, diagnostics_);
      if (!text) {
        continue;
      }
      if (!is_domain_name(*text)) {
        reader.error("bad-domain-name", fmt::format("\"{}\" is no domain name", printable(*text, 80)), item,
                     "two labels or more, `*.` in front of them for one label or more");
        continue;
      }
      std::transform(text->begin(), text->end(), text->begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      if (text->back() == '.') {
        text->pop_back();
      }
      peer.domain_names.push_back(std::move(*text));
      peer.item_spans.push_back(item.span());
    }
  }

  /// Reports unless exactly one field is set; returns it.
  static std::string_view only_field(ObjectReader& reader, std::span<const std::string_view> fields,
                                     std::string_view what) {
    const std::vector<std::string_view> set = fields_set(reader, fields);
    reader.finish();
    if (set.size() == 1) {
      return set.front();
    }
    if (reader.node().is_null() || reader.node().is_mapping()) {
      reader.error("bad-port", fmt::format("{} must set exactly one of {}", what, fmt::join(fields, ", ")));
    }
    return {};
  }

  PortRule read_port(Node node) {
    constexpr std::array<std::string_view, 3> kFields = {"portNumber", "portRange", "namedPort"};
    ObjectReader reader(node, name_, diagnostics_);
    PortRule port;
    port.span = node.span();
    const std::string_view field = only_field(reader, kFields, "a port");
    if (field == "namedPort") {
      read_port_name(reader.get(field), port);
    } else if (!field.empty()) {
      ObjectReader value(reader.get(field), name_, diagnostics_);
      if (const auto protocol = value.choice("protocol", {"TCP", "UDP", "SCTP"})) {
        port.protocol = kProtocols[*protocol];
      }
      if (field == "portNumber") {
        port.first = port_number(value, "port");
        port.last = port.first;
      } else {
        read_range(value, port);
      }
      value.finish();
    }
    return port;
  }

  PortRule read_protocol(Node node) {
    constexpr std::array<std::string_view, 4> kFields = {"tcp", "udp", "sctp", "destinationNamedPort"};
    constexpr std::array<std::string_view, 1> kPort = {"destinationPort"};
    constexpr std::array<std::string_view, 2> kPortFields = {"number", "range"};
    ObjectReader reader(node, name_, diagnostics_);
    PortRule port;
    port.span = node.span();
    const std::string_view field = only_field(reader, kFields, "an item of protocols");
    if (field == "destinationNamedPort") {
      read_port_name(reader.get(field), port);
      return port;
    }
    if (field.empty()) {
      return port;
    }
    port.protocol = field == "tcp" ? IpProtocol::tcp : field == "udp" ? IpProtocol::udp : IpProtocol::sctp;
    ObjectReader protocol(reader.get(field), name_, diagnostics_);
    if (only_field(protocol, kPort, field).empty()) {
      return port;
    }
    ObjectReader destination(protocol.get("destinationPort"), name_, diagnostics_);
    const std::string_view form = only_field(destination, kPortFields, "destinationPort");
    if (form == "number") {
      port.first = port_number(destination, "number");
      port.last = port.first;
    } else if (form == "range") {
      ObjectReader range(destination.get("range"), name_, diagnostics_);
      read_range(range, port);
      range.finish();
    }
    return port;
  }

  void read_port_name(Node node, PortRule& port) {
    const std::optional<std::string> text = config::as_string(node, name_, diagnostics_);
    if (!text) {
      return;
    }
    if (text->empty()) {
      diagnostics_.error("bad-port-name", "a port's name must not be empty", node.span());
      return;
    }
    if (const auto problem = invalid_port_name(*text)) {
      warn("bad-port-name",
           fmt::format("no container port can be named \"{}\": a name {}", printable(*text, 80), *problem), node);
    }
    port.name = *text;
    port.has_any_protocol = true;
  }

  Port port_number(ObjectReader& reader, std::string_view key) {
    const Node node = reader.require(key);
    const auto number = node.is_null() ? std::nullopt : config::as_integer(node, 1, 65'535, name_, diagnostics_);
    return Port(static_cast<std::uint16_t>(number.value_or(1)));
  }

  /// v1alpha2 wants start below end, v1alpha1 not above it.
  void read_range(ObjectReader& range, PortRule& port) {
    const std::size_t errors_before = diagnostics_.error_count();
    port.first = port_number(range, "start");
    port.last = port_number(range, "end");
    const bool is_empty = is_cluster_policy() ? port.first >= port.last : port.first > port.last;
    if (is_empty && diagnostics_.error_count() == errors_before) {
      range.error("bad-port-range",
                  fmt::format("start {} must be {} end {}", port.first.number(),
                              is_cluster_policy() ? "below" : "at most", port.last.number()),
                  {}, is_cluster_policy() && port.first == port.last ? "write `number` for a single port" : "");
    }
  }

  const cluster::Object& object_;
  AdminKind kind_;
  std::string name_;
  Diagnostics& diagnostics_;
};

}  // namespace

bool is_admin_policy(const cluster::Object& object) {
  return object.group() == kGroup && kind_of(object.kind).has_value();
}

std::optional<AdminPolicy> read_admin_policy(const cluster::Object& object, Diagnostics& diagnostics) {
  return AdminReader(object, kind_of(object.kind).value(), diagnostics).read();
}

void warn_of_equal_priorities(const PolicySet& policies, Diagnostics& diagnostics) {
  const std::vector<AdminPolicy>& all = policies.admin_policies;
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].tier == all[i - 1].tier && all[i].priority == all[i - 1].priority) {
      diagnostics.add({.severity = Severity::warning,
                       .code = "equal-priority",
                       .message = fmt::format("{} and {} have priority {} in the {} tier: which applies where both "
                                              "match is undefined",
                                              printable(all[i - 1].full_name()), printable(all[i].full_name()),
                                              all[i].priority, to_string(all[i].tier)),
                       .span = all[i].priority_span,
                       .object = all[i].full_name(),
                       .field = "spec.priority",
                       .help = "give each policy of a tier a priority of its own; where the two disagree the verdict "
                               "is unknown"});
    }
  }
}

}  // namespace podwire::policy
