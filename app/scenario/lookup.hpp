// A host name as one pod's resolver would resolve it, without a clock: the candidates of its search list, what the
// cluster's DNS answers to each, and whether policies let the questions through.
//
// The walk is glibc's (models/dns/search.hpp), the file that of the pod's dnsPolicy and dnsConfig. Every question is
// taken to reach the server; whether policies drop it is said beside, since then nothing is answered at all. Left out:
// caches, /etc/hosts, the further name servers of a file (asked when the first is silent), other resolvers' walks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/analysis/explain.hpp"
#include "models/cluster/cluster.hpp"
#include "models/dns/search.hpp"
#include "models/dns/zone.hpp"
#include "models/policy/engine.hpp"

namespace podwire::scenario {

/// One candidate name: its questions for A and AAAA.
struct LookupQuery {
  std::string name;
  dns::QueryOutcome outcome = dns::QueryOutcome::not_found;
  std::vector<std::string> cnames;
  std::vector<IpAddress> addresses;  // IPv4 first
  bool is_assumed = false;           // outside the cluster and declared by nobody: taken not to exist
};
/// "found", "not found", "no data" …
std::string_view to_string(dns::QueryOutcome outcome);

struct Lookup {
  std::string host;    // as typed
  cluster::PodId pod;  // whose resolver it is
  IpAddress server;    // that is asked first; unspecified: none
  std::vector<LookupQuery> queries;
  dns::LookupStatus status = dns::LookupStatus::timeout;
  /// Whether policies let the questions pass; none where the server is outside the cluster's knowledge.
  std::optional<analysis::ConnectionExplanation> udp;
  std::optional<analysis::ConnectionExplanation> tcp;
  bool is_dns_missing = false;    // no kube-dns among the objects: it is taken to answer, and nobody knows behind what
  bool asks_cluster_dns = false;  // the first server is the cluster's DNS
  bool asks_over_tcp = false;     // `options use-vc`; else TCP is for answers that do not fit
  bool is_found() const { return status == dns::LookupStatus::found; }
  const LookupQuery& answer() const { return queries.back(); }
  /// Not one question gets an answer: policies drop them.
  bool is_cut_off() const {
    const auto& asked = asks_over_tcp ? tcp : udp;
    return asked && (asked->answer == analysis::Answer::denied || asked->answer == analysis::Answer::no_backend);
  }
};

/// Looks names up for many pods; keeps what the cluster's DNS has. The cluster must outlive it.
class HostResolver {
 public:
  HostResolver(const cluster::Cluster& cluster, const dns::ExternalRecords& externals);
  /// As the pod's resolver would, without a word on policies (`udp` and `tcp` stay empty).
  Lookup resolve(cluster::PodId pod, std::string_view host);

 private:
  const cluster::Cluster& cluster_;
  dns::NameTable names_;
  dns::Zone zone_;
};

/// A destination that names a host as a client would: `http://backend-api:80/health`, `tcp://db.data:5432`,
/// `backend-api.backend.svc.cluster.local:80`, `backend-api:80`. Nothing for what names an object or an address.
struct HostText {
  std::string host;
  std::string port_text;  // "80", "53/UDP"; "" when there is none
};
std::optional<HostText> parse_host(std::string_view destination);

/// Resolves `host` as the first running pod of `source` would. Errors: those of cluster::resolve_name; not-a-client.
std::optional<Lookup> look_up(policy::PolicyEngine& engine, std::string_view source, std::string_view host,
                              const dns::ExternalRecords& externals, Span span, Diagnostics& diagnostics);

/// What the names stand for, without how long.
analysis::OutsideNames addresses_of(const dns::ExternalRecords& externals);

/// Names of Services that are called like the host and that the pod's resolver finds, for advice where it does not
/// resolve: "backend-api.backend".
std::vector<std::string> names_that_would_do(const cluster::Cluster& cluster, const Lookup& lookup);

/// Whether some Service has the host's first label as its name.
bool is_called_like_a_service(const cluster::Cluster& cluster, std::string_view host);

/// What to explain once a name is resolved: `backend/service/api:80` for a Service's name, else the first address.
std::string destination_of(const cluster::Cluster& cluster, const Lookup& lookup, std::string_view port_text);

}  // namespace podwire::scenario
