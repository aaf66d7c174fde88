// Manifests in, verdicts out: a small cluster and its policies read from text, for tests that say one situation a line.
// Ends are "namespace/pod" or an address; a port is "80" (TCP) or "53/UDP".
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "models/cluster/cluster.hpp"
#include "models/cni/profile.hpp"
#include "models/policy/engine.hpp"
#include "models/policy/policy.hpp"
#include "sim/config/render.hpp"

namespace podwire::test {

/// A Namespace document; `labels` as in flow style: "team: web, env: prod".
inline std::string name_space(const std::string& name, const std::string& labels = "") {
  return "---\n{apiVersion: v1, kind: Namespace, metadata: {name: " + name + ", labels: {" + labels + "}}}\n";
}

/// A Pod document; `ports` are items of a container's list ("{name: http, containerPort: 80}"), `spec` and `status`
/// further members.
inline std::string pod(const std::string& where, const std::string& name, const std::string& labels,
                       const std::string& ports = "", const std::string& spec = "", const std::string& status = "") {
  return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: " + where + ", labels: {" + labels +
         "}}\nspec: {containers: [{name: main, image: main, ports: [" + ports + "]}]" +
         (spec.empty() ? "" : ", " + spec) + "}\nstatus: {" + status + "}\n";
}

/// A NetworkPolicy document with its spec in block style, indented by two.
inline std::string network_policy(const std::string& where, const std::string& name, const std::string& spec) {
  return "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
         ", namespace: " + where + "}\nspec:\n" + spec + "\n";
}

class PolicyLab {
 public:
  explicit PolicyLab(std::string manifests, const std::string& profile_name = "spec",
                     cluster::ClusterOptions options = {})
      : PolicyLab(std::move(manifests), cni::load_builtin(profile_name).value(), std::move(options)) {}

  PolicyLab(std::string manifests, cni::Profile profile, cluster::ClusterOptions options = {})
      : profile_(std::move(profile)) {
    Diagnostics diagnostics;
    store_.add_layer(sources_, {.path = "-", .shown_as = "lab.yaml", .text = std::move(manifests), .span = {}}, {},
                     diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources_);
    auto cluster = cluster::build_cluster(store_, options);
    EXPECT_TRUE(cluster.has_value()) << config::render(cluster.diagnostics(), sources_);
    cluster_ = std::make_unique<cluster::Cluster>(std::move(cluster).value());
    auto policies = policy::read_policies(store_);
    EXPECT_TRUE(policies.has_value()) << config::render(policies.diagnostics(), sources_);
    policies_ = std::move(policies).value();
    engine_ = std::make_unique<policy::PolicyEngine>(*cluster_, policies_, profile_);
  }

  policy::Peer end(std::string_view name) const {
    if (const auto ip = IpAddress::parse(name)) {
      return {.node = cluster_->node_at(*ip), .ip = *ip};
    }
    const std::size_t slash = name.find('/');
    const cluster::PodId pod =
        cluster_->find_pod(cluster_->find_namespace(name.substr(0, slash)), name.substr(slash + 1));
    EXPECT_TRUE(pod.is_valid()) << "no pod " << name;
    return {.pod = pod};
  }

  policy::Verdict egress(std::string_view source, std::string_view destination, std::string_view port) {
    const auto [protocol, number] = parse_port(port);
    return engine_->verdict(policy::Direction::egress, end(source), end(destination), protocol, number);
  }
  policy::Verdict ingress(std::string_view source, std::string_view destination, std::string_view port) {
    const auto [protocol, number] = parse_port(port);
    return engine_->verdict(policy::Direction::ingress, end(destination), end(source), protocol, number);
  }
  /// Both directions.
  bool allows(std::string_view source, std::string_view destination, std::string_view port) {
    return egress(source, destination, port).is_allowed() && ingress(source, destination, port).is_allowed();
  }

  policy::Explanation explain_egress(std::string_view source, std::string_view destination, std::string_view port) {
    const auto [protocol, number] = parse_port(port);
    return engine_->explain(policy::Direction::egress, end(source), end(destination), protocol, number);
  }
  policy::Explanation explain_ingress(std::string_view source, std::string_view destination, std::string_view port) {
    const auto [protocol, number] = parse_port(port);
    return engine_->explain(policy::Direction::ingress, end(destination), end(source), protocol, number);
  }

  /// The text that a span covers.
  std::string_view written_at(const Span& span) const {
    return span.is_known() ? sources_.text(span.source).substr(span.begin, span.end - span.begin) : std::string_view();
  }
  std::string place(const Span& span) const { return sources_.place(span); }

  policy::PolicyEngine& engine() { return *engine_; }
  const cluster::Cluster& cluster() const { return *cluster_; }

 private:
  static std::pair<IpProtocol, Port> parse_port(std::string_view text) {
    const std::size_t slash = text.find('/');
    const IpProtocol protocol =
        slash == std::string_view::npos ? IpProtocol::tcp : *parse_protocol(text.substr(slash + 1));
    return {protocol, Port(static_cast<std::uint16_t>(std::stoi(std::string(text.substr(0, slash)))))};
  }

  SourceMap sources_;
  cluster::ObjectStore store_;
  std::unique_ptr<cluster::Cluster> cluster_;
  policy::PolicySet policies_;
  cni::Profile profile_;
  std::unique_ptr<policy::PolicyEngine> engine_;
};

}  // namespace podwire::test
