// Meshes of probes played in time: each probe is one request of one pod to one address or name and port, through DNS,
// Service translation, policies and conntrack, and ends as allowed, denied, refused or unknown.
//
//   TCP   the handshake; allowed when it completes
//   UDP   one datagram and the application's answer
//   SCTP  INIT and INIT ACK
//
// Mesh k is played after change k of the timeline, mesh 0 before the first: when every node (its policies and its
// Service rules) and CoreDNS have applied all changes made before it, or at an offset after its change. The next change
// is made when the mesh is over. Probes of a mesh start one after another, a millisecond apart, so that they neither
// queue on a node's cores nor share a bucket of anything; one that hears nothing is given up after 900 ms, before a SYN
// would be repeated. Left out: repeated probes, probes from outside the cluster.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/control/timeline.hpp"
#include "models/dns/zone.hpp"
#include "models/policy/engine.hpp"
#include "models/workload/play.hpp"
#include "models/workload/spec.hpp"
#include "sim/base/time.hpp"

namespace podwire::workload {

inline constexpr Duration kProbeGap = Duration::from_ms(1);
inline constexpr Duration kProbeTimeout = Duration::from_ms(900);

struct Probe {
  cluster::PodId source;
  IpAddress address = {};           // dialled directly; unspecified: `host` is resolved
  std::optional<std::size_t> host;  // into ProbeInput::hosts
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
};

enum class ProbeVerdict : std::uint8_t {
  allowed,
  denied,   // nothing came back, or a policy's rejection did
  refused,  // no policy stands in the way, but nothing listens there
  unknown,  // an object that is not modelled may decide
};
/// "allowed" …
std::string_view to_string(ProbeVerdict verdict);

struct ProbeAnswer {
  ProbeVerdict verdict = ProbeVerdict::denied;
  Outcome outcome = Outcome::connect_timeout;
  IpAddress server = {};  // where the packets went, after translation; unspecified: none was sent
  Port server_port = {};
  std::string rule = {};  // that lost its packets, or the reason why they were: "default deny ingress (x/deny)"
  std::string where = {};
  Span span = {};
};

struct Mesh {
  std::vector<Probe> probes;
  std::optional<Duration> at;  // after its change, ready or not; none: once the change is in force everywhere
};

struct ProbeInput {
  policy::PolicyEngine* engine = nullptr;
  const control::TimelineInput* timeline = nullptr;  // `made` of its changes is not read; null: one mesh
  std::vector<std::string> hosts;
  std::vector<Mesh> meshes;  // one more than there are changes
  UnderlaySpec underlay;
  std::uint64_t seed = 1;
  dns::ExternalRecords externals = {};
};

struct PlayedMesh {
  Duration changed;  // when its change was made; zero for the first
  Duration begun;
  std::vector<ProbeAnswer> answers;  // as Mesh::probes
};

struct ProbeRun {
  std::vector<PlayedMesh> meshes;
  std::uint64_t events = 0;
  std::uint64_t fingerprint = 0;
  std::vector<std::string> notes;
};

/// Plays all meshes in one run. Same input, same result.
ProbeRun play_probes(const ProbeInput& input);

}  // namespace podwire::workload
