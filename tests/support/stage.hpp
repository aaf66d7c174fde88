// A small cluster on which workloads are played: manifests and policies written in the test, workloads put together by
// short functions, and each counted request's row read back from the record file of the run.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/policy/engine.hpp"
#include "models/workload/play.hpp"
#include "sim/config/render.hpp"
#include "sim/record/run_reader.hpp"

namespace podwire::test {

struct StageOptions {
  std::string profile = "spec";
  std::uint32_t nodes = 2;
  bool adds_dns = true;
  void (*adjust)(cni::Profile&) = nullptr;  // changes to the profile
};

/// A request's row as /requests has it: nanoseconds, -1 for what never came.
struct RequestRow {
  std::int64_t workload, ordinal, outcome, client, server, arrived, resolved, dialled, established, ended;
  bool operator==(const RequestRow&) const = default;
  workload::Outcome how() const { return static_cast<workload::Outcome>(outcome); }
};

struct Played {
  workload::RunResult result;
  std::vector<RequestRow> rows;  // by workload, then ordinal
};

/// A path in the temporary folder of its own, removed with the object.
class ScratchFile {
 public:
  explicit ScratchFile(std::string_view name) {
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("podwire-stage-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    std::filesystem::create_directories(folder_);
    path = folder_ / name;
  }
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  std::filesystem::path path;

 private:
  std::filesystem::path folder_;
};

inline std::vector<RequestRow> read_rows(const std::filesystem::path& path) {
  auto file = record::RunFile::open(path);
  PODWIRE_CHECK(file.has_value(), "test", file.diagnostics().all().front().message);
  const auto column = [&](const char* name) {
    return std::move(file.value().integers(std::string("/requests/") + name)).value();
  };
  const std::vector<std::int64_t> columns[] = {
      column("workload"), column("ordinal"),  column("outcome"), column("client"),      column("server"),
      column("arrived"),  column("resolved"), column("dialled"), column("established"), column("ended")};
  std::vector<RequestRow> rows;
  for (std::size_t i = 0; i < columns[0].size(); ++i) {
    rows.push_back({columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i], columns[5][i],
                    columns[6][i], columns[7][i], columns[8][i], columns[9][i]});
  }
  std::sort(rows.begin(), rows.end(), [](const RequestRow& a, const RequestRow& b) {
    return std::tie(a.workload, a.ordinal) < std::tie(b.workload, b.ordinal);
  });
  return rows;
}

class Stage {
 public:
  explicit Stage(const std::string& manifests, StageOptions options = {})
      : profile(std::move(cni::load_builtin(options.profile)).value()) {
    if (options.adjust != nullptr) {
      options.adjust(profile);
    }
    add(store_, manifests, "manifests.yaml");
    cluster::ClusterOptions cluster_options;
    cluster_options.node_count = options.nodes;
    cluster_options.adds_dns = options.adds_dns;
    auto built = cluster::build_cluster(store_, cluster_options);
    diagnostics_.append(built.diagnostics());
    check();
    cluster = std::make_unique<cluster::Cluster>(std::move(built).value());
    policies = read_policies("");
  }

  /// The policy set that a text describes.
  policy::PolicySet read_policies(const std::string& text) {
    policy_stores_.push_back(std::make_unique<cluster::ObjectStore>());
    add(*policy_stores_.back(), text, "policies.yaml");
    auto read = policy::read_policies(*policy_stores_.back());
    diagnostics_.append(read.diagnostics());
    check();
    policy::PolicySet set = std::move(read).value();
    set.name = "test";
    return set;
  }

  cluster::PodId pod(std::string_view name_space, std::string_view name) const {
    const cluster::PodId id = cluster->find_pod(cluster->find_namespace(name_space), name);
    PODWIRE_CHECK(id.is_valid(), "test", "the pod exists");
    return id;
  }
  IpAddress ip(std::string_view name_space, std::string_view name) const {
    return cluster->pods[pod(name_space, name).index()].ip;
  }
  cluster::ServiceId service(std::string_view name_space, std::string_view name) const {
    const cluster::ServiceId id = cluster->find_service(cluster->find_namespace(name_space), name);
    PODWIRE_CHECK(id.is_valid(), "test", "the Service exists");
    return id;
  }

  /// Plays under `policies`; `input` says what else is special.
  workload::RunResult play(const std::vector<workload::WorkloadSpec>& workloads, workload::RunInput input) {
    policy::PolicyEngine engine(*cluster, policies, profile);
    input.engine = &engine;
    input.workloads = workloads;
    if (input.duration == Duration::zero()) {
      input.duration = Duration::from_s(1);
    }
    return workload::play(input);
  }
  /// Plays with a record file and reads its rows back.
  Played play_rows(const std::vector<workload::WorkloadSpec>& workloads, workload::RunInput input = {}) {
    const ScratchFile file("run.h5");
    input.record_path = file.path;
    Played played{play(workloads, input), {}};
    played.rows = read_rows(file.path);
    return played;
  }

  cni::Profile profile;
  std::unique_ptr<cluster::Cluster> cluster;
  policy::PolicySet policies;

 private:
  void add(cluster::ObjectStore& store, const std::string& text, const std::string& name) {
    if (!text.empty()) {
      store.add_layer(sources_, {.path = "-", .shown_as = name, .text = text, .span = {}}, {}, diagnostics_);
    }
    check();
  }
  void check() const {
    PODWIRE_CHECK(!diagnostics_.has_errors(), "test",
                  config::render(diagnostics_, sources_, {.short_form = true}).c_str());
  }

  SourceMap sources_;
  Diagnostics diagnostics_;
  cluster::ObjectStore store_;
  std::vector<std::unique_ptr<cluster::ObjectStore>> policy_stores_;
};

// ---- workloads, put together

inline workload::Target at_address(IpAddress address, std::uint16_t port, IpProtocol protocol = IpProtocol::tcp) {
  workload::Target to;
  to.kind = workload::Target::Kind::address;
  to.name = address.to_string();
  to.address = address;
  to.protocol = protocol;
  to.port = Port(port);
  return to;
}
inline workload::Target at_pods(std::vector<cluster::PodId> pods, std::uint16_t port) {
  workload::Target to;
  to.kind = workload::Target::Kind::pods;
  to.name = "pods";
  to.pods = std::move(pods);
  to.port = Port(port);
  return to;
}
inline workload::Target at_service(cluster::ServiceId service, std::uint16_t port) {
  workload::Target to;
  to.kind = workload::Target::Kind::service;
  to.name = "service";
  to.service = service;
  to.port = Port(port);
  return to;
}
inline workload::Target at_host(const std::string& host, std::uint16_t port) {
  workload::Target to;
  to.name = host;
  to.host = host;
  to.port = Port(port);
  return to;
}
inline workload::Source from_pods(std::vector<cluster::PodId> pods) {
  workload::Source from;
  from.name = "clients";
  from.pods = std::move(pods);
  return from;
}
inline workload::Source from_outside(IpAddress address) {
  workload::Source from;
  from.name = address.to_string();
  from.external = address;
  return from;
}

/// 20 requests a second at even distances, 300 bytes asked, 1 KiB answered at once, 500 ms of patience.
inline workload::WorkloadSpec loop(workload::Source from, workload::Target to,
                                   workload::RequestKind kind = workload::RequestKind::http) {
  workload::WorkloadSpec spec;
  spec.name = "loop";
  spec.kind = kind;
  spec.from = std::move(from);
  spec.to = std::move(to);
  spec.arrivals = {.kind = workload::Arrivals::Kind::constant, .per_second = 20.0};
  spec.request = Bytes(300);
  spec.response = Bytes(1024);
  spec.timeout = Duration::from_ms(500);
  return spec;
}

}  // namespace podwire::test
