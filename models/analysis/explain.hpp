// explain: one connection, from a name to a name and port, through the Service translation to every kind of pod pair it
// may end at, with both directions' reasons. Rendering is left to app/report.
//
// Policies see the packet after translation (destination pod and container port), so a Service is explained at its
// backends. Replicas that policies cannot tell apart are one path, with their number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/analysis/entry_points.hpp"
#include "models/cluster/cluster.hpp"
#include "models/policy/engine.hpp"

namespace podwire::analysis {

/// DST:PORT as a user writes it: `backend/service/api:80`, `backend/api:8080/UDP`, `10.1.2.3:443`, `[fd00::1]:53/UDP`,
/// `backend/api:http`.
struct DestinationText {
  std::string name;  // what stands before the port, without brackets
  IpProtocol protocol = IpProtocol::tcp;
  Port port;
  std::string port_name;  // when the port is a name
};

/// Takes DST:PORT[/PROTOCOL] apart. Errors: missing-port, bad-port, bad-protocol.
std::optional<DestinationText> parse_destination(std::string_view text, Span span, Diagnostics& diagnostics);

/// What becomes of a connection as far as policies and Services say.
enum class Answer : std::uint8_t {
  allowed,
  denied,
  unknown,     // an unmodelled object may decide
  depends,     // some paths are allowed and some are not
  no_backend,  // a Service without a usable endpoint or without that port; a name without pods
  external,    // ExternalName: the name leaves the cluster, policies judge the address it resolves to
  unresolved,  // the name that was dialled does not resolve, so that nothing is dialled
};
std::string_view to_string(Answer answer);

/// Pods (or addresses) that fare alike, shown by one of each side. The numbers are of pods that no policy can tell
/// apart; from a node's own traffic there are two paths to them, one to a pod on that node and one elsewhere.
struct ExplainedPath {
  policy::Peer source;
  policy::Peer destination;
  std::string source_name;       // "frontend/web-0", or an address
  std::string destination_name;  // "backend/api-2", or an address
  std::uint32_t source_pods = 1;
  std::uint32_t destination_pods = 1;
  Port port;                            // at the destination, after translation
  std::optional<IpFamily> family = {};  // two pods by name that fare otherwise in the other family: this is this one
  bool is_listening = true;             // a pod that nothing answers on refuses what policies allow
  policy::Explanation egress;
  policy::Explanation ingress;
  policy::Action action = policy::Action::allow;  // of both together
};

struct ConnectionExplanation {
  std::string source_name;       // as resolved: "frontend/web[Deployment]"
  std::string destination_name;  // "backend/api" of a Service, "backend/api[Deployment]" …
  IpProtocol protocol = IpProtocol::tcp;
  Port port;  // as asked for
  cluster::ServiceId service;
  Answer answer = Answer::denied;
  std::vector<ExplainedPath> paths;
  std::vector<std::string> notes;  // "Service backend/api sends TCP 80 to port 8080 of its 2 backends" …
};

/// Names outside the cluster and their addresses, as a scenario declares them; names in lower case.
using OutsideNames = std::map<std::string, std::vector<IpAddress>>;

/// Explains SRC → DST:PORT. A source is a workload, a pod or an address; a Service is none. An ExternalName is followed
/// to the Service it names in the cluster, or to the addresses that `outside` gives; without either it is `external`.
/// With `entries` a client outside reaches a Service as they say: through a node, whose address the pod then sees,
/// unless externalTrafficPolicy is Local; without, with its own address. Errors: those of resolve_name and
/// parse_destination; not-a-source, unknown-port-name.
std::optional<ConnectionExplanation> explain(policy::PolicyEngine& engine, std::string_view source,
                                             std::string_view destination, Span span, Diagnostics& diagnostics,
                                             const OutsideNames& outside = {}, const EntryPoints* entries = nullptr);

}  // namespace podwire::analysis
