// What CoreDNS knows: the kubernetes plugin's zone, made from one snapshot of the cluster, and the outside names that
// the scenario declares. Answers are memoised: a question asked before costs one probe of a hash table.
//
// Rules of the names (coredns plugin/kubernetes parse.go, kubernetes.go, handler.go; kubernetes/dns
// specification 1.1.0):
//   <svc>.<ns>.svc.<zone>             ClusterIP; every ready endpoint of a headless Service; the CNAME of an
//   ExternalName <host>.<svc>.<ns>.svc.<zone>      a ready endpoint by its hostname, else by its address with dashes
//   _<port>._<proto>.<svc>.<ns>.svc   SRV; addresses too, as CoreDNS answers them
//   <a-b-c-d>.<ns>.pod.<zone>         the address itself (mode `pods insecure`, kubeadm's)
// NXDOMAIN and NODATA differ: a name that exists without the type asked for is NODATA.
// Each answer tells how long it may be kept (kubeadm's Corefile, kubernetes cmd/kubeadm addons dns manifests): records
// of the cluster 30 s (`ttl 30` of the kubernetes plugin), forwarded ones what the outside server said, no less than 5
// s and no more than 30 s (plugin/cache with `cache 30` rewrites every answer that passes); an outside server that is
// asked directly says its own. Left out: wildcards (gone from CoreDNS), zone transfers, DNSSEC, `endpoint_pod_names`,
// stub domains, what the cache plugin keeps (it changes no in-cluster latency beyond what the CPU figure holds; a kept
// answer's TTL counts down).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/cluster/cluster.hpp"
#include "models/dns/names.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/time.hpp"

namespace podwire::dns {

inline constexpr Duration kClusterTtl = Duration::from_s(30);     // of records of the cluster's zone
inline constexpr Duration kLeastCachedTtl = Duration::from_s(5);  // of forwarded answers
inline constexpr Duration kMostCachedTtl = Duration::from_s(30);
inline constexpr Duration kOutsideTtl = Duration::from_s(300);  // of outside names whose TTL nobody declares: a guess

enum class RecordType : std::uint8_t { a, aaaa, srv, ptr, txt, cname };
std::string_view to_string(RecordType type);

/// RFC 1035 and 2136 codes.
enum class Rcode : std::uint8_t { noerror = 0, servfail = 2, nxdomain = 3, refused = 5 };
std::string_view to_string(Rcode rcode);

struct ServiceRecord {
  std::uint16_t weight = 100;
  Port port;
  std::string target;
};

/// One complete answer. Immutable once made.
struct Answer {
  Rcode rcode = Rcode::noerror;
  bool is_authoritative = true;      // from the zone
  bool is_forwarded = false;         // an upstream server had to be asked
  bool is_assumed = false;           // an outside name that nobody declared: taken not to exist
  std::vector<std::string> cnames;   // the chain's targets in order
  std::vector<IpAddress> addresses;  // of the type asked for
  std::vector<ServiceRecord> services;
  std::vector<std::string> texts;      // PTR targets or TXT strings
  Duration ttl = kClusterTtl;          // the least of its records
  std::uint32_t message_bytes = 0;     // names uncompressed, as CoreDNS sends them
  std::uint32_t compressed_bytes = 0;  // what it sends when the uncompressed message does not fit
  bool has_records() const { return !cnames.empty() || !addresses.empty() || !services.empty() || !texts.empty(); }
  bool is_no_data() const { return rcode == Rcode::noerror && addresses.empty() && services.empty() && texts.empty(); }
};

using AnswerId = Id<struct AnswerTag>;

/// What the outside servers know of one name.
struct ExternalRecord {
  std::vector<IpAddress> addresses = {};
  Duration ttl = kOutsideTtl;
  ExternalRecord() = default;
  ExternalRecord(std::initializer_list<IpAddress> list) : addresses(list) {}
  ExternalRecord(std::vector<IpAddress> list, Duration time) : addresses(std::move(list)), ttl(time) {}
};

/// Outside names, as a scenario declares them. Names normalised.
using ExternalRecords = std::map<std::string, ExternalRecord>;

class Zone {
 public:
  /// `cluster` outlives the zone. O(Services).
  Zone(const cluster::Cluster& cluster, NameTable& names, ExternalRecords externals = {});

  /// From now on answers are those of `cluster`, a later state with the same Services under the same ids; it outlives
  /// the zone. Answers already given stay as they are.
  void update(const cluster::Cluster& cluster);

  /// Whose answer is asked for: a CoreDNS pod's, or that of the servers outside, which know no cluster name.
  enum class Scope : std::uint8_t { cluster, outside };

  /// The answer to (name, type); memoised. The id is good for ever, a reference got by answer() until the next call.
  AnswerId resolve(NameId name, RecordType type, Scope scope = Scope::cluster);
  const Answer& answer(AnswerId id) const { return answers_[id.index()]; }

  /// Answers that stand for what a server says without looking: REFUSED (too many forwards), SERVFAIL (no upstream).
  AnswerId refused() const { return AnswerId(0u); }
  AnswerId servfail() const { return AnswerId(1u); }

  /// Undeclared outside names that were asked for, sorted: taken not to exist, and to be shown as assumed.
  std::vector<std::string> assumed_names() const;

  const std::string& domain() const { return domain_; }
  std::size_t memory_bytes() const;

 private:
  /// What a name below the zone asks for.
  struct Request {
    bool is_pod = false;
    std::string_view name_space, service, endpoint, port, protocol;
  };
  enum class Parsed : std::uint8_t { request, no_data, no_such_name };
  Parsed parse(std::string_view below_zone, Request& request) const;

  Answer make(std::string_view name, RecordType type, int links) const;
  Answer make_in_zone(std::string_view name, RecordType type, int links) const;
  Answer make_service(const cluster::Service& service, const Request& request, RecordType type, int links) const;
  Answer make_alias(const cluster::Service& service, RecordType type, int links) const;
  Answer make_pod(const Request& request, RecordType type) const;
  Answer make_reverse(std::string_view name, RecordType type) const;
  Answer make_external(std::string_view name, RecordType type) const;
  void measure(std::string_view name, Answer& answer, RecordType type) const;

  const cluster::Cluster* cluster_;
  NameTable& names_;
  std::string domain_;
  ExternalRecords externals_;
  boost::unordered_flat_map<std::string, cluster::ServiceId> services_;  // "svc.ns"
  boost::unordered_flat_map<std::string, cluster::NamespaceId> namespaces_;
  boost::unordered_flat_map<std::uint64_t, AnswerId> by_question_;
  std::vector<Answer> answers_;
  std::vector<NameId> assumed_;
};

/// An endpoint's label: its hostname, else its address with dashes for dots and colons.
std::string endpoint_label(const cluster::Backend& backend);

}  // namespace podwire::dns
