// Services, their addresses, their backends, and what pods listen on.
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

using testing::cluster_of;
using testing::codes_of;
using testing::deployment;
using testing::service;
using testing::workload;
using Names = std::vector<std::string>;

std::string a_service(const std::string& name, const std::string& spec, const std::string& name_space = "shop") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + name_space + "}\nspec: {" +
         spec + "}\n";
}

Names backends(const ServicePort& port) {
  Names shown;
  for (const Backend& backend : port.backends) {
    shown.push_back(backend.ip.to_string() + ":" + std::to_string(backend.port.number()) +
                    (backend.is_ready ? "" : " not ready"));
  }
  return shown;
}

TEST(Services, SelectorFindsThePodsAndTargetPortsResolvePerPod) {
  const Cluster cluster =
      cluster_of({deployment("web", 2) + deployment("other", 1) +
                  a_service("web",
                            "selector: {app: web}, ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 81, "
                            "targetPort: 9000}, {name: c, port: 82}, {name: d, port: 83, targetPort: nobody}]")});
  const Service& web = service(cluster, "shop", "web");
  // Two pods of web on nodes 1 and 2 (other comes first, on node 0).
  EXPECT_EQ(backends(web.ports[0]), (Names{"10.244.1.2:8080", "10.244.2.2:8080"}));
  EXPECT_EQ(backends(web.ports[1]), (Names{"10.244.1.2:9000", "10.244.2.2:9000"}));
  EXPECT_EQ(backends(web.ports[2]), (Names{"10.244.1.2:82", "10.244.2.2:82"}));
  EXPECT_TRUE(web.ports[3].backends.empty());
}

TEST(Services, NamedTargetPortMayDifferFromPodToPodAndCountsTheProtocol) {
  const auto pod = [](const std::string& name, const std::string& port) {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
           ", namespace: shop, labels: {app: web}}\nspec: {containers: [{name: c, ports: [" + port + "]}]}\n";
  };
  const Cluster cluster =
      cluster_of({pod("a", "{name: http, containerPort: 1000}") + pod("b", "{name: http, containerPort: 2000}") +
                  pod("c", "{name: http, containerPort: 3000, protocol: UDP}") +
                  a_service("web", "selector: {app: web}, ports: [{port: 80, targetPort: http}]")});
  EXPECT_EQ(backends(service(cluster, "shop", "web").ports[0]), (Names{"10.244.0.2:1000", "10.244.1.2:2000"}));
}

TEST(Services, OtherNamespacesPodsAreNotSelected) {
  const Cluster cluster =
      cluster_of({deployment("web", 1) + a_service("web", "selector: {app: web}, ports: [{port: 80}]", "elsewhere")});
  EXPECT_TRUE(service(cluster, "elsewhere", "web").ports[0].backends.empty());
}

TEST(Services, ReadinessFinishedAndTerminatingPods) {
  const auto pod = [](const std::string& name, const std::string& status, const std::string& metadata = "") {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: shop, labels: {app: web}" +
           metadata + "}\nspec: {nodeName: n1, containers: []}\nstatus: " + status + "\n";
  };
  const std::string pods =
      pod("a", "{phase: Running, podIP: 10.244.0.2}") +
      pod("b", "{phase: Running, podIP: 10.244.0.3, conditions: [{type: Ready, status: \"False\"}]}") +
      pod("c", "{phase: Succeeded, podIP: 10.244.0.4}") + pod("d", "{phase: Pending}") +
      pod("e", "{phase: Running, podIP: 10.244.0.5}", ", deletionTimestamp: \"2024-01-01T00:00:00Z\"");
  const Cluster cluster =
      cluster_of({pods + a_service("web", "selector: {app: web}, ports: [{port: 80}]") +
                  a_service("all", "selector: {app: web}, publishNotReadyAddresses: true, ports: [{port: 80}]")});
  EXPECT_EQ(backends(service(cluster, "shop", "web").ports[0]),
            (Names{"10.244.0.2:80", "10.244.0.3:80 not ready", "10.244.0.5:80 not ready"}));
  EXPECT_TRUE(service(cluster, "shop", "web").ports[0].backends[2].is_terminating);
  EXPECT_EQ(backends(service(cluster, "shop", "all").ports[0]),
            (Names{"10.244.0.2:80", "10.244.0.3:80", "10.244.0.5:80"}));
}

TEST(Services, EndpointsAndSlicesServeThoseWithoutSelector) {
  const Cluster cluster = cluster_of(
      {deployment("web", 1) + a_service("db", "ports: [{port: 5432}]") +
       a_service("api", "ports: [{name: h, port: 80}]") +
       a_service("web", "selector: {app: web}, ports: [{port: 80, targetPort: 8080}]") +
       "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: shop}\nsubsets:\n- addresses: [{ip: "
       "203.0.113.7}]\n  notReadyAddresses: [{ip: 203.0.113.8}]\n  ports: [{port: 6543}]\n"
       "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: shop}\nsubsets:\n- addresses: [{ip: "
       "203.0.113.9}]\n  ports: [{port: 1}]\n"
       "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: api-x, namespace: shop, labels: "
       "{kubernetes.io/service-name: api}}\naddressType: IPv4\nports: [{name: h, port: 8080}, {name: other, port: 1}]\n"
       "endpoints: [{addresses: [10.244.0.2]}, {addresses: [10.0.0.2], conditions: {ready: false}}]\n"});
  EXPECT_EQ(backends(service(cluster, "shop", "db").ports[0]),
            (Names{"203.0.113.7:6543", "203.0.113.8:6543 not ready"}));
  const Service& api = service(cluster, "shop", "api");
  EXPECT_EQ(backends(api.ports[0]), (Names{"10.244.0.2:8080", "10.0.0.2:8080 not ready"}));
  EXPECT_EQ(api.ports[0].backends[0].pod, PodId(0u));  // an address that is a pod's
  EXPECT_FALSE(api.ports[0].backends[1].pod.is_valid());
  // Endpoints of a Service with a selector are the control plane's own; they are computed, not read.
  EXPECT_EQ(backends(service(cluster, "shop", "web").ports[0]), Names{"10.244.0.2:8080"});
}

TEST(Services, HeadlessHasNoAddressAndKnowsItsPodsNames) {
  const Cluster cluster = cluster_of(
      {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {serviceName: db-hl, "
       "replicas: 2, template: {metadata: {labels: {app: db}}, spec: {containers: []}}}\n" +
       a_service("db-hl", "clusterIP: None, selector: {app: db}") +
       a_service("db", "selector: {app: db}, ports: [{port: 5432}]") +
       "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop, labels: {app: db}}\nspec: {hostname: own, "
       "subdomain: db-hl, containers: []}\n"});
  const Service& headless = service(cluster, "shop", "db-hl");
  EXPECT_TRUE(headless.is_headless);
  EXPECT_TRUE(headless.cluster_ip.is_unspecified());
  ASSERT_EQ(headless.portless_backends.size(), 3u);
  EXPECT_EQ(headless.portless_backends[0].hostname, "db-0");
  EXPECT_EQ(headless.portless_backends[1].hostname, "db-1");
  EXPECT_EQ(headless.portless_backends[2].hostname, "own");
  EXPECT_EQ(service(cluster, "shop", "db").ports[0].backends[0].hostname,
            "");  // another Service than the governing one
}

TEST(Services, LiveStatefulPodsKeepTheirHostnameInOneTemplate) {
  const auto pod = [](const std::string& name) {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
           ", namespace: shop, labels: {app: db, statefulset.kubernetes.io/pod-name: " + name +
           "}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, controller: true}]}\nspec: "
           "{hostname: " +
           name + ", subdomain: db, containers: []}\n";
  };
  const Cluster cluster = cluster_of(
      {pod("db-0") + pod("db-1") + a_service("db", "clusterIP: None, selector: {app: db}, ports: [{port: 1}]")});
  EXPECT_EQ(cluster.shapes.size(), 1u);
  EXPECT_EQ(cluster.templates.size(), 1u);
  EXPECT_EQ(service(cluster, "shop", "db").ports[0].backends[1].hostname, "db-1");
}

TEST(Services, ExternalNameHasNeitherAddressNorBackends) {
  const Cluster cluster = cluster_of({a_service("out", "type: ExternalName, externalName: api.example.org")});
  EXPECT_EQ(cluster.services[0].type, ServiceType::external_name);
  EXPECT_EQ(cluster.services[0].external_name, "api.example.org");
  EXPECT_TRUE(cluster.services[0].cluster_ip.is_unspecified());
}

TEST(Services, GivenAddressesAreKeptAndOthersDoNotDependOnTheirNeighbours) {
  const std::string a = a_service("a", "ports: [{port: 1}]");
  const std::string b = a_service("b", "clusterIP: 10.96.7.7, ports: [{port: 1}]");
  const Cluster both = cluster_of({a + b});
  const Cluster alone = cluster_of({a});
  EXPECT_EQ(service(both, "shop", "b").cluster_ip, IpAddress::v4(10, 96, 7, 7));
  EXPECT_EQ(service(both, "shop", "a").cluster_ip, service(alone, "shop", "a").cluster_ip);
  EXPECT_TRUE(both.service_cidr.contains(service(both, "shop", "a").cluster_ip));
  EXPECT_EQ(both.service_at(IpAddress::v4(10, 96, 7, 7)), both.find_service(both.find_namespace("shop"), "b"));
  EXPECT_EQ(codes_of({b + a_service("c", "clusterIP: 10.96.7.7, ports: [{port: 1}]")}), Names{"duplicate-cluster-ip"});
}

TEST(Services, SmallServiceCidrRunsOut) {
  ClusterOptions options;
  options.service_cidr = Cidr::parse("10.96.0.0/30");  // .1 and .2 can be given out
  const std::string two = a_service("a", "ports: [{port: 1}]") + a_service("b", "ports: [{port: 1}]");
  EXPECT_TRUE(codes_of({two}, options).empty());
  EXPECT_EQ(codes_of({two + a_service("c", "ports: [{port: 1}]")}, options), Names{"address-space-exhausted"});
}

TEST(Services, ServiceCidrFollowsTheDumpsAddresses) {
  const Cluster cluster = cluster_of({a_service("kubernetes", "clusterIP: 10.43.0.1, ports: [{port: 443}]", "default") +
                                      a_service("web", "ports: [{port: 80}]")});
  EXPECT_EQ(cluster.service_cidr.to_string(), "10.43.0.0/16");
  EXPECT_TRUE(cluster.service_cidr.contains(service(cluster, "shop", "web").cluster_ip));
}

TEST(Dns, IsAddedWhenTheLayersBringNone) {
  ClusterOptions options;
  options.adds_dns = true;
  const Cluster cluster = cluster_of({deployment("web", 1)}, options);
  const Workload& coredns = workload(cluster, "kube-system", WorkloadKind::deployment, "coredns");
  EXPECT_TRUE(coredns.is_added);
  EXPECT_EQ(coredns.pods.size(), 2u);
  ASSERT_TRUE(cluster.dns_service.is_valid());
  const Service& kube_dns = cluster.services[cluster.dns_service.index()];
  EXPECT_EQ(kube_dns.cluster_ip.to_string(), "10.96.0.10");
  EXPECT_TRUE(kube_dns.is_added);
  ASSERT_EQ(kube_dns.ports.size(), 3u);
  EXPECT_EQ(kube_dns.ports[0].protocol, IpProtocol::udp);
  EXPECT_EQ(kube_dns.ports[0].backends.size(), 2u);
  EXPECT_TRUE(cluster.listens(coredns.pods[0], IpProtocol::udp, Port(53)));
  EXPECT_EQ(cluster.assumptions.front().topic, "dns");
  EXPECT_TRUE(cluster.find_namespace("kube-system").is_valid());
}

TEST(Dns, IsNotAddedWhenThereIsOne) {
  ClusterOptions options;
  options.adds_dns = true;
  const Cluster kube = cluster_of(
      {a_service("kube-dns", "selector: {k8s-app: kube-dns}, ports: [{port: 53, protocol: UDP}]", "kube-system")},
      options);
  EXPECT_TRUE(kube.workloads.empty());
  EXPECT_EQ(kube.services[kube.dns_service.index()].cluster_ip.to_string(), "10.96.0.10");

  const Cluster openshift =
      cluster_of({a_service("dns-default",
                            "clusterIP: 172.30.0.10, ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns}]",
                            "openshift-dns")},
                 options);
  EXPECT_EQ(openshift.service_name(openshift.dns_service), "openshift-dns/dns-default");

  const Cluster pods_only = cluster_of(
      {"apiVersion: v1\nkind: Pod\nmetadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\nspec: "
       "{containers: []}\n"},
      options);
  EXPECT_EQ(pods_only.workloads.size(), 1u);
  EXPECT_EQ(pods_only.services[0].ports[0].backends.size(), 1u);
}

TEST(Listeners, KeepTheirOrigin) {
  ClusterOptions options;
  options.listens = {{.workload = "shop/deploy/web", .protocol = IpProtocol::tcp, .port = Port(7), .span = {}}};
  const Cluster cluster = cluster_of(
      {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  template:\n    "
       "metadata: "
       "{labels: {app: web}}\n    spec:\n      initContainers:\n      - {name: sidecar, restartPolicy: Always, ports: "
       "[{containerPort: 15090}]}\n      - {name: once, ports: [{containerPort: 99}]}\n      containers:\n"
       "      - name: c\n        ports: [{containerPort: 8080, name: http}]\n"
       "        livenessProbe: {httpGet: {port: http, path: /}}\n        readinessProbe: {tcpSocket: {port: 8081}}\n"
       "        startupProbe: {grpc: {port: 8082}}\n" +
       a_service("web", "selector: {app: web}, ports: [{port: 80, targetPort: 9000}]")},
      options);
  using Origin = Cluster::ListenerOrigin;
  const auto origin = [&](std::uint16_t port) {
    return cluster.listener_origin(PodId(0u), IpProtocol::tcp, Port(port));
  };
  EXPECT_EQ(origin(8080), Origin::declared);  // also probed; the declaration comes first
  EXPECT_EQ(origin(15090), Origin::declared);
  EXPECT_EQ(origin(99), Origin::none);
  EXPECT_EQ(origin(8081), Origin::probe);
  EXPECT_EQ(origin(8082), Origin::probe);
  EXPECT_EQ(origin(9000), Origin::service_target);
  EXPECT_EQ(origin(7), Origin::scenario);
  EXPECT_EQ(origin(80), Origin::none);
  EXPECT_FALSE(cluster.listens(PodId(0u), IpProtocol::udp, Port(8080)));
}

TEST(Listeners, UnknownWorkloadIsAnError) {
  ClusterOptions options;
  options.listens = {{.workload = "shop/deploy/wbe", .protocol = IpProtocol::tcp, .port = Port(7), .span = {}}};
  EXPECT_EQ(codes_of({deployment("web", 1)}, options), Names{"unknown-object"});
}

}  // namespace
}  // namespace podwire::cluster
