// What containers declare: peers in texts, environments as the kubelet makes them, names as pods look them up, and the
// workloads that a scenario makes of them.
#include "app/scenario/declared.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "app/scenario/load.hpp"
#include "app/scenario/strip_dump.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::scenario {
namespace {

using Lines = std::vector<std::string>;

Lines texts_of(std::string_view value) {
  Lines texts;
  for (const PeerText& peer : peers_of_value(value)) {
    texts.push_back((peer.is_certain ? "" : "? ") + peer.text());
  }
  return texts;
}

TEST(PeerText, ReadsWhatClientsWriteWithoutCredentials) {
  const std::pair<const char*, Lines> cases[] = {
      {"http://api.shop:8080/v1?key=1", {"http://api.shop:8080"}},
      {"http://api", {"http://api"}},
      {"postgres://u:p@ss@db.data:5432/x", {"postgres://db.data:5432"}},  // the last @ ends the credentials
      {"jdbc:postgresql://db:5432/x?user=u", {"jdbc:postgresql://db:5432"}},
      {"jdbc:sqlserver://db:1433;databaseName=x;password=p", {"jdbc:sqlserver://db:1433"}},
      {"jdbc:oracle:thin:u/p@db:1521:sid", {"jdbc:oracle://db:1521"}},
      {"mongodb://u:p@m-0.m:27017,m-1.m/x", {"mongodb://m-0.m:27017", "mongodb://m-1.m"}},
      {"http://etcd-0:2379,http://etcd-1:2379", {"http://etcd-0:2379", "http://etcd-1:2379"}},
      {"kafka-0.kafka:9092,kafka-1.kafka:9092", {"kafka-0.kafka:9092", "kafka-1.kafka:9092"}},
      {"user:secret@tcp(catalogue-db:3306)/socksdb", {"mysql://catalogue-db:3306"}},
      {"dns:///api.shop:50051", {"dns:///api.shop:50051"}},
      {"host=db port=5433 user=u password=p dbname=x", {"? postgres://db:5433"}},
      {"Server=tcp:db.data,1433;Database=x;Password=p", {"db.data:1433"}},
      {"--amqp=amqp://guest:guest@queue", {"amqp://queue"}},
      {"redis-cart:6379", {"? redis-cart:6379"}},
      {"zipkin.jaeger.svc.cluster.local", {"zipkin.jaeger.svc.cluster.local"}},
      {"[fd00::7]:80", {"[fd00::7]:80"}},
      {"10.0.0.7:443", {"10.0.0.7:443"}},
      {"until nc -z cache:6379; do curl http://api.shop/x; done", {"? cache:6379", "http://api.shop"}},
  };
  for (const auto& [value, expected] : cases) {
    EXPECT_EQ(texts_of(value), expected) << value;
  }
}

TEST(PeerText, ListenAddressesTimesVersionsAndSecretsAreNoPeers) {
  for (const char* value : {"0.0.0.0:8080",
                            ":8080",
                            "[::]:80",
                            "localhost:6379",
                            "http://localhost:9411/x",
                            "127.0.0.1:80",
                            "http://[::1]:80",
                            "12:30",
                            "1.2.3:80",
                            "hunter2",
                            "It is reachable.",
                            ".svc",
                            "user:hunter2",
                            "api:99999",
                            "api:0",
                            "token=abc",
                            "",
                            " ",
                            "http://",
                            "http://<script>",
                            "file:///etc/passwd",
                            "unix:///run/x.sock",
                            "a secret://x phrase",
                            "-Xms64m -Xmx128m",
                            "shop_session-id=x",
                            "http://:8080",
                            "http://-x:80",
                            "http://a..b",
                            "//",
                            "@tcp(",
                            "jdbc:",
                            "dns:",
                            "=:=",
                            "://",
                            "${FRONTEND_ADDR}:80",
                            "http://$(HOST):80"}) {
    EXPECT_EQ(texts_of(value), Lines()) << value;
  }
}

TEST(PeerText, WhatIsKeptOfADumpReadsAsTheSamePeers) {
  // Every text of random pieces of peers: what peer_of_value() keeps names the same peers, and never a credential.
  const unsigned seed = 7;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const Lines pieces = {"http://", "postgres://", "hunter2", "@", ":",       "8080",    "api",   ".shop",
                        ".svc",    ",",           "/x",      "?", "=",       "--db",    "jdbc:", "[",
                        "]",       ";",           "tcp(",    ")", "fd00::7", "10.0.0.7"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t n = random() % 9; n > 0; --n) {
      text += pieces[random() % pieces.size()];
    }
    const std::string kept = peer_of_value(text);
    std::vector<PeerText> peers = peers_of_value(text);
    EXPECT_EQ(peers_of_value(kept), peers) << text << " → " << kept;
  }
}

TEST(PeerText, LongAndDeepTextsAreBounded) {
  EXPECT_TRUE(peers_of_value(std::string(100'000, 'a') + ":80").empty());
  std::string many;
  for (int i = 0; i < 5'000; ++i) {
    many += "h" + std::to_string(i) + ":80,";
  }
  EXPECT_EQ(peers_of_value(many).size(), 100u);
}

struct DeclaredTest : testing::Test {
  test::ScratchFolder folder;
  SourceMap sources;

  Scenario loaded(const std::string& manifests) {
    LoadOptions options;
    options.reads_declared = true;
    options.keeps_objects = true;
    auto result = load(sources, {folder.write("all.yaml", manifests)}, options);
    EXPECT_TRUE(result) << config::render(result.diagnostics(), sources);
    return std::move(result).value();
  }

  /// "web → shop/api (Service) TCP 80 by BACKEND_URL".
  static Lines lines_of(const Scenario& scenario) {
    const PolicySetPlan& plan = scenario.policy_sets.front();
    Lines lines;
    for (const analysis::DeclaredConnection& c : plan.state->declared.connections) {
      std::string line = plan.cluster().workloads[c.source.index()].name + " → " + c.destination + " " +
                         std::string(to_string(c.protocol)) + " " + std::to_string(c.port.number()) + " by";
      for (const analysis::DeclaredPlace& place : c.places) {
        line += " " + place.name;
      }
      lines.push_back(line);
    }
    return lines;
  }
  static Lines unresolved(const Scenario& scenario) {
    Lines lines;
    for (const UnresolvedPeer& peer : scenario.policy_sets.front().state->declared.unresolved) {
      lines.push_back(peer.name + " " + peer.text + ": " + peer.reason);
    }
    return lines;
  }

  static std::string deployment(const std::string& name, const std::string& container) {
    return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name +
           ", namespace: shop}\nspec: {selector: {matchLabels: {app: " + name +
           "}}, template: {metadata: {labels: {app: " + name + "}}, spec: {containers: [{name: c, image: i" +
           (container.empty() ? "" : ", " + container) + "}]}}}\n";
  }
  static std::string service(const std::string& name, const std::string& rest) {
    return "---\n{apiVersion: v1, kind: Service, metadata: {name: " + name +
           ", namespace: shop}, spec: {selector: {app: " + name + "}, " + rest + "}}\n";
  }
  static std::string env(const std::string& name, const std::string& value) {
    return "env: [{name: " + name + ", value: \"" + value + "\"}]";
  }
  const std::string api = deployment("api", "") + service("api", "ports: [{port: 80, targetPort: 8080}]");
  const std::string db = deployment("db", "") + service("db", "clusterIP: None, ports: [{port: 5432}]");
};

TEST_F(DeclaredTest, AHostIsLookedUpAsItsPodsWould) {
  for (const char* host : {"api", "api.shop", "api.shop.svc", "api.shop.svc.cluster.local", "API.Shop"}) {
    const Scenario scenario = loaded(api + deployment("web", env("API", std::string("http://") + host)));
    EXPECT_EQ(lines_of(scenario), Lines{"web → shop/api (Service) TCP 80 by API"}) << host;
  }
}

TEST_F(DeclaredTest, APortIsTheSchemesOrTheServicesOnlyOne) {
  EXPECT_EQ(lines_of(loaded(db + deployment("web", env("X", "postgres://db/x")))),
            Lines{"web → shop/db (Service) TCP 5432 by X"});
  EXPECT_EQ(lines_of(loaded(api + deployment("web", env("X", "grpc://api")))),
            Lines{"web → shop/api (Service) TCP 80 by X"});
  const Scenario wrong = loaded(api + deployment("web", env("X", "api:81")));
  EXPECT_EQ(lines_of(wrong), Lines());
  EXPECT_EQ(unresolved(wrong), Lines{"X api:81: Service shop/api has no port 81/TCP"});
}

TEST_F(DeclaredTest, AHeadlessServiceIsDialledAtItsPods) {
  // No translation: 9999 is no port of the Service, and the pods' own affair.
  const Scenario scenario = loaded(db + deployment("web", env("X", "db:9999")));
  EXPECT_EQ(lines_of(scenario), Lines{"web → shop/db (Service) TCP 9999 by X"});
  const auto& ends = scenario.policy_sets.front().state->declared.connections.front().ends;
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends.front().kind, flows::EndKind::pod);
}

TEST_F(DeclaredTest, ReferencesConfigMapsAndServiceVariablesAreFollowed) {
  const std::string config =
      "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: s, namespace: shop}, data: {HOST_OF_API: api, url: "
      "\"http://api\"}}\n";
  const std::pair<const char*, Lines> cases[] = {
      {"env: [{name: H, value: api}, {name: U, value: \"http://$(H)\"}]", {"web → shop/api (Service) TCP 80 by U"}},
      {"env: [{name: U, value: \"http://$(H)\"}, {name: H, value: api}]", {}},  // not defined yet
      {"args: [\"--to=http://$(H)\"], env: [{name: H, value: api}]", {"web → shop/api (Service) TCP 80 by args[0]"}},
      {"env: [{name: U, value: \"http://$$(H)\"}, {name: H, value: api}]", {}},  // an escape
      {"envFrom: [{configMapRef: {name: s}}], command: [\"http://$(HOST_OF_API)\"]",
       {"web → shop/api (Service) TCP 80 by url command[0]"}},
      {"env: [{name: U, valueFrom: {configMapKeyRef: {name: s, key: url}}}]", {"web → shop/api (Service) TCP 80 by U"}},
      {"args: [\"$(API_SERVICE_HOST):$(API_SERVICE_PORT)\"]", {"web → shop/api (Service) TCP 80 by args[0]"}},
  };
  for (const auto& [container, expected] : cases) {
    EXPECT_EQ(lines_of(loaded(config + api + deployment("web", container))), expected) << container;
  }
}

TEST_F(DeclaredTest, SecretsAndMissingConfigMapsAreSaidToBeUnread) {
  const Scenario scenario = loaded(
      api +
      "---\n{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}, stringData: {u: \"http://api\"}}\n" +
      deployment("web",
                 "envFrom: [{configMapRef: {name: gone}}, {secretRef: {name: s}}], env: [{name: U, valueFrom: "
                 "{secretKeyRef: {name: s, key: u}}}]"));
  EXPECT_EQ(lines_of(scenario), Lines());
  Lines unread;
  for (const UnreadPeer& peer : scenario.policy_sets.front().state->declared.unread) {
    unread.push_back(peer.name + ": " + peer.from);
  }
  EXPECT_EQ(unread, (Lines{"envFrom: ConfigMap shop/gone, which is not in the input", "envFrom: Secret shop/s",
                           "U: Secret shop/s"}));
}

TEST_F(DeclaredTest, AHostVariableCountsWhereAServiceIsCalledSo) {
  EXPECT_EQ(
      lines_of(loaded(db + deployment("web", "env: [{name: DB_HOST, value: db}, {name: DB_PORT, value: \"5433\"}]"))),
      Lines{"web → shop/db (Service) TCP 5433 by DB_HOST"});
  EXPECT_EQ(lines_of(loaded(db + deployment("web", env("DB_HOST", "db")))),
            Lines{"web → shop/db (Service) TCP 5432 by DB_HOST"});
  EXPECT_EQ(lines_of(loaded(db + deployment("web", env("COLOUR", "db")))), Lines());
  EXPECT_EQ(lines_of(loaded(db + deployment("web", env("POD_HOST", "db")))), Lines());
  const Scenario other = loaded(db + deployment("web", env("DB_HOST", "nothing")));
  EXPECT_EQ(lines_of(other), Lines());
  EXPECT_EQ(unresolved(other), Lines());
}

TEST_F(DeclaredTest, ALoneWordInAVariableForPeersIsListedWhenNobodyHasIt) {
  const Scenario scenario = loaded(
      deployment("web", "env: [{name: ASSISTANT_ADDR, value: \"assistant:80\"}, {name: IMAGE, value: \"redis:7\"}]"));
  EXPECT_EQ(unresolved(scenario),
            Lines{"ASSISTANT_ADDR assistant:80: nobody has the name \"assistant\" for pods of shop/web[Deployment]"});
}

TEST_F(DeclaredTest, NobodysNamesAreListedAndLoneWordsAreNot) {
  const Scenario scenario = loaded(
      api + deployment("web",
                       "env: [{name: A, value: \"http://apii:80\"}, {name: B, value: \"api.shopp:80\"}, {name: C, "
                       "value: \"redis:7\"}, {name: D, value: \"10.96.99.99:80\"}, {name: E, value: "
                       "\"https://pay.example.com\"}]"));
  EXPECT_EQ(lines_of(scenario), Lines{"web → pay.example.com[External] TCP 443 by E"});
  EXPECT_EQ(unresolved(scenario),
            (Lines{"A http://apii:80: nobody has the name \"apii\" for pods of shop/web[Deployment]",
                   "B api.shopp:80: nobody has the name \"api.shopp\" for pods of "
                   "shop/web[Deployment]",
                   "D 10.96.99.99:80: no pod and no Service has the address 10.96.99.99"}));
}

TEST_F(DeclaredTest, AStrippedDumpDeclaresTheSame) {
  const std::string config =
      "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: s, namespace: shop}, data: {url: "
      "\"http://u:p@api/x\"}}\n";
  const Scenario scenario = loaded(
      config + api + db +
      deployment(
          "web",
          "envFrom: [{configMapRef: {name: s}}], command: [sh, -c, \"curl http://api/x && nc db:5432\"], env: "
          "[{name: DB_HOST, value: db}, {name: DB_PORT, value: \"5433\"}, {name: H, value: api}, {name: V, value: "
          "\"http://$(H):80\"}]"));
  const std::string stripped = strip_dump(*scenario.policy_sets.front().stores.front()).text;
  EXPECT_EQ(stripped.find("u:p"), std::string::npos);
  auto again = lines_of(loaded(stripped));
  EXPECT_EQ(again.size(), 3u);  // api:80, db:5432, db:5433
  EXPECT_EQ(again,
            (Lines{"web → shop/api (Service) TCP 80 by url V command[0]",
                   "web → shop/db (Service) TCP 5432 by command[0]", "web → shop/db (Service) TCP 5433 by DB_HOST"}));
}

TEST_F(DeclaredTest, AScenarioPlaysAProbeForEachConnection) {
  folder.write("m/all.yaml", api + db +
                                 deployment("web",
                                            "env: [{name: A, value: \"http://api\"}, {name: B, value: "
                                            "\"postgres://db/x\"}]"));
  const std::string file = folder.write("scenario.yaml", R"(apiVersion: podwire/v1
kind: Scenario
metadata: {name: x}
spec:
  cluster: {from: m, cni: spec}
  workloads:
    - {name: meant, fromEnv: true, rate: 3/s}
    - {name: own, from: shop/deployment/web, to: "http://api", rate: 1/s}
  expect:
    - {workload: meant, success: 100%}
)");
  auto result = load(sources, {file}, {});
  ASSERT_TRUE(result) << config::render(result.diagnostics(), sources);
  const PolicySetPlan& plan = result->policy_sets.front();
  ASSERT_EQ(plan.workloads.size(), 3u);
  EXPECT_EQ(plan.workloads[0].name, "meant.web.api.shop.80");
  EXPECT_EQ(plan.workloads[1].name, "meant.web.db.shop.5432");
  EXPECT_EQ(plan.workloads[2].name, "own");
  EXPECT_EQ(plan.workloads[0].kind, workload::RequestKind::tcp_probe);
  EXPECT_EQ(plan.workloads[0].arrivals.per_second, 3.0);
  EXPECT_EQ(plan.workloads[0].to.host, "api");
  ASSERT_EQ(plan.expectations.size(), 1u);
  EXPECT_EQ(plan.expectations[0].workload, 0u);
  EXPECT_EQ(plan.expectations[0].workload_count, 2u);
}

}  // namespace
}  // namespace podwire::scenario
