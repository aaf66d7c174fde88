#include "app/scenario/declared_workloads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Cluster;

constexpr std::size_t kMostWorkloads = 10'000;  // as in the file
constexpr double kMostRequests = 4e9;           // likewise
constexpr std::size_t kLongestName = 63;

class Expander {
 public:
  Expander(const ClusterState& state, Diagnostics& diagnostics)
      : cluster_(state.cluster), declared_(state.declared), diagnostics_(diagnostics) {}

  std::vector<WorkloadFile> expand(const WorkloadFile& file) {
    std::vector<WorkloadFile> made;
    is_looked_at_.assign(cluster_.workloads.size(), file.only_from.empty());
    const std::size_t errors = diagnostics_.error_count();
    for (const Text& name : file.only_from) {
      look_at(name);
    }
    for (const analysis::DeclaredConnection& connection : declared_.connections) {
      if (is_looked_at_[connection.source.index()] && !connection.is_lookup) {
        if (auto one = play(file, connection)) {
          made.push_back(std::move(*one));
        }
      }
    }
    for (const UnresolvedPeer& peer : declared_.unresolved) {
      if (is_looked_at_[peer.source.index()]) {
        warn("unresolved-peer",
             fmt::format("{} of {} names {}: {}", printable(peer.name, 80), cluster_.workload_name(peer.source),
                         printable(peer.text, 200), peer.reason),
             peer.span, peer.help);
      }
    }
    if (made.empty() && diagnostics_.error_count() == errors) {
      diagnostics_.error("no-declared-connection",
                         fmt::format("workload \"{}\": no container that it looks at declares a connection",
                                     printable(file.spec.name)),
                         file.span,
                         "declared are URLs and HOST:PORT in env, command and args whose host is a Service or pod of "
                         "the input (docs/scenario.md, Declared connections)");
    }
    return made;
  }

 private:
  /// A namespace, a workload or a pod, whose workload is then meant.
  void look_at(const Text& name) {
    if (name.text.find('/') == std::string::npos) {
      if (const cluster::NamespaceId home = cluster_.find_namespace(name.text); home.is_valid()) {
        for (std::size_t w = 0; w < cluster_.workloads.size(); ++w) {
          is_looked_at_[w] = is_looked_at_[w] || cluster_.workloads[w].name_space == home;
        }
      } else {
        std::vector<std::string> known;
        for (const cluster::Namespace& name_space : cluster_.namespaces) {
          known.push_back(name_space.name);
        }
        diagnostics_.error("unknown-object", fmt::format("there is no namespace \"{}\"", printable(name.text)),
                           name.span, suggestion(name.text, known));
      }
      return;
    }
    const auto named = cluster::resolve_name(cluster_, name.text, true, name.span, diagnostics_);
    if (!named) {
      return;
    }
    if (named->kind == cluster::NamedTarget::Kind::workload) {
      is_looked_at_[named->workload.index()] = true;
    } else if (named->kind == cluster::NamedTarget::Kind::pod) {
      is_looked_at_[cluster_.pods[named->pod.index()].workload.index()] = true;
    } else {
      diagnostics_.error("bad-source", fmt::format("\"{}\" starts no container", printable(name.text)), name.span,
                         "name a namespace, a workload or a pod");
    }
  }

  /// The value may hold a secret, so the line is not shown.
  void warn(std::string code, std::string message, Span span, std::string help) {
    diagnostics_.add({.severity = Severity::warning,
                      .code = std::move(code),
                      .message = std::move(message),
                      .span = span,
                      .help = std::move(help),
                      .hides_source_line = true});
  }

  /// As the file would name the source.
  std::string source_name(cluster::WorkloadId id) const {
    const cluster::Workload& workload = cluster_.workloads[id.index()];
    const std::string& home = cluster_.namespaces[workload.name_space.index()].name;
    const auto running = std::find_if(workload.pods.begin(), workload.pods.end(), [&](cluster::PodId pod) {
      return cluster_.pods[pod.index()].phase == cluster::PodPhase::running &&
             !cluster_.pods[pod.index()].ip.is_unspecified();
    });
    if (running == workload.pods.end()) {
      return "";
    }
    if (workload.kind == cluster::WorkloadKind::pod) {
      return fmt::format("{}/pod/{}", home, cluster_.pod_name(*running));
    }
    std::string kind(to_string(workload.kind));
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return fmt::format("{}/{}/{}", home, kind, workload.name);
  }

  std::string unique_name(const WorkloadFile& file, const analysis::DeclaredConnection& connection) {
    std::string host = connection.destination;
    if (const std::size_t slash = host.find('/'); host.ends_with(" (Service)") && slash != std::string::npos) {
      host = host.substr(slash + 1, host.size() - slash - 1 - std::string_view(" (Service)").size()) + "." +
             host.substr(0, slash);
    } else {
      host = connection.host;
    }
    std::string name = fmt::format("{}.{}.{}.{}", file.spec.name, cluster_.workloads[connection.source.index()].name,
                                   host, connection.port.number());
    std::replace(name.begin(), name.end(), ':', '-');
    name.resize(std::min(name.size(), kLongestName));
    const std::string stem = name;
    for (std::size_t number = 2; !names_.insert(name).second; ++number) {
      const std::string end = fmt::format("-{}", number);
      name = stem.substr(0, std::min(stem.size(), kLongestName - end.size())) + end;
    }
    return name;
  }

  std::optional<WorkloadFile> play(const WorkloadFile& file, const analysis::DeclaredConnection& connection) {
    const analysis::DeclaredPlace& place = connection.places.front();
    const std::string source = source_name(connection.source);
    if (source.empty()) {
      warn("no-running-pod",
           fmt::format("{} has no running pod: {} is not played", cluster_.workload_name(connection.source),
                       printable(place.text, 200)),
           place.span, "");
      return std::nullopt;
    }
    if (connection.is_outside) {
      warn("outside-name",
           fmt::format("{} names {}, which is outside the cluster: it is not played", printable(place.name, 80),
                       printable(place.text, 200)),
           place.span, "give its addresses in cluster.dns.externals");
      return std::nullopt;
    }
    WorkloadFile one = file;
    one.is_declared = false;
    one.only_from.clear();
    one.spec.name = unique_name(file, connection);
    one.from = {source, file.span};
    std::string_view scheme = "tcp";
    if (connection.protocol == IpProtocol::udp) {
      one.spec.kind = workload::RequestKind::udp_probe;
      one.spec.request = one.spec.response = Bytes(64);
      scheme = "udp";
    } else if (one.spec.kind == workload::RequestKind::http) {
      scheme = "http";
    }
    const bool is_v6 = connection.host.find(':') != std::string::npos;
    one.to = {fmt::format("{}://{}{}{}:{}", scheme, is_v6 ? "[" : "", connection.host, is_v6 ? "]" : "",
                          connection.port.number()),
              file.span};
    return one;
  }

  const Cluster& cluster_;
  const DeclaredTraffic& declared_;
  Diagnostics& diagnostics_;
  std::vector<bool> is_looked_at_;  // by workload
  std::set<std::string> names_;
};

}  // namespace

void expand_declared(ScenarioFile& file, const ClusterState& state, Diagnostics& diagnostics) {
  if (std::none_of(file.workloads.begin(), file.workloads.end(), [](const WorkloadFile& w) { return w.is_declared; })) {
    return;
  }
  Expander expander(state, diagnostics);
  std::vector<WorkloadFile> workloads;
  double requests = 0.0;
  for (WorkloadFile& written : file.workloads) {
    std::vector<WorkloadFile> made;
    if (written.is_declared) {
      made = expander.expand(written);
      file.groups.push_back({.name = written.spec.name, .first = workloads.size(), .count = made.size()});
    } else {
      made.push_back(std::move(written));
    }
    for (WorkloadFile& one : made) {
      requests += one.spec.arrivals.per_second * (file.run.warmup + file.run.duration).seconds();
      workloads.push_back(std::move(one));
    }
  }
  file.workloads = std::move(workloads);
  if (file.workloads.size() > kMostWorkloads || requests > kMostRequests) {
    diagnostics.error("out-of-range",
                      fmt::format("{} workloads with about {:.1e} requests, declared ones among them; at most {} and "
                                  "{:.0e} are taken",
                                  file.workloads.size(), requests, kMostWorkloads, kMostRequests),
                      {}, "look at fewer sources with `from`, or lower the rate");
  }
}

}  // namespace podwire::scenario
