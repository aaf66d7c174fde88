// One end's half of a flow: 128 bytes that hold all that the node at that end decided once, so that each packet asks
// nobody. The first cache line is what every packet touches, the second what set-up, reports and conntrack's clock use.
//
// The initiator's half is made when a socket is opened; the responder's half when the first packet is let in. They know
// each other by handle. The dataplane owns halves; the transport keeps its own record beside them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/dataplane/conntrack_state.hpp"
#include "models/dataplane/endpoint.hpp"
#include "models/dataplane/packet.hpp"
#include "models/dataplane/pool.hpp"
#include "models/policy/engine.hpp"
#include "models/service/service_table.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/time.hpp"

namespace podwire::dataplane {

/// What opens a flow: the 5-tuple as the application sees it, and who it is for draws and reports.
struct FlowSpec {
  End source;
  IpAddress destination;  // as dialled: perhaps a Service's
  IpProtocol protocol = IpProtocol::tcp;
  Port source_port;
  Port destination_port;
  std::uint64_t identity = 0;  // names the flow in draws (backend, loss)
  std::uint32_t account = 0;   // drops are counted under it
  bool is_traced = false;
};

/// Bits of Flow::flags.
enum FlowFlag : std::uint16_t {
  kFlowInitiator = 1 << 0,
  kFlowResolved = 1 << 1,      // translation and destination are known
  kFlowTranslated = 1 << 2,    // a Service's address was rewritten
  kFlowEncapsulated = 1 << 3,  // its packets between nodes wear the overlay's header
  kFlowSubject = 1 << 4,       // this end is a pod that policies may isolate; not of a pod that dials itself directly
  kFlowJudged = 1 << 5,        // `verdict` holds for `verdict_version`
  kFlowTracked = 1 << 6,       // this half carries its machine's conntrack entry, when there is one
  kFlowLocal = 1 << 7,         // both ends on one machine
  kFlowTraced = 1 << 8,
  kFlowClosing = 1 << 9,     // its owner is gone; waits for packets that only it can identify
  kFlowConfirmed = 1 << 10,  // a packet of it was let through: later ones are known
  kFlowUdp = 1 << 11,        // datagrams without a handshake's state: UDP, and SCTP's INIT and its answer
  kFlowDone = 1 << 12,       // a responder's UDP half that its owner has closed: kept while the other end lives
  kFlowReplied = 1 << 13,    // UDP: conntrack has seen both directions
  kFlowAged = 1 << 14,       // UDP: its entry is older than one timeout
  kFlowGone = 1 << 15,       // its pod was deleted: nothing leaves it and nothing reaches it
};

/// A Flow::verdict_version of no view: the next packet is judged like the first.
inline constexpr std::uint32_t kAskAgain = 0xffff'ffff;

struct alignas(64) Flow {
  // ---- touched by every packet
  FlowHandle peer;                // the other half; none until it exists
  std::uint16_t host = 0;         // the machine of this end
  std::uint16_t remote_host = 0;  // where its packets go
  std::uint16_t hash = 0;         // of the tuple in this direction
  std::uint16_t flags = 0;        // FlowFlag bits
  std::uint32_t out_cost = 0;     // picoseconds of the core for an outgoing packet of a known flow
  std::uint32_t out_latency = 0;  // picoseconds on top
  std::uint32_t in_cost = 0;      // the same for an incoming one
  std::uint32_t in_latency = 0;
  std::uint16_t ordinal = 0;  // packets sent, modulo 65,536
  std::uint16_t unbound = 0;  // packets under way that carry no target handle
  ConntrackState tracking = ConntrackState::none;
  std::uint8_t generation = 0;
  std::uint16_t mtu = 0;  // largest IP packet on the way
  IpProtocol protocol = IpProtocol::tcp;
  Time last_seen;  // of its conntrack entry
  std::uint64_t identity = 0;
  Time due;  // of the entry's place in conntrack's queue
  // ---- the rest
  std::uint32_t account = 0;
  std::uint32_t verdict_version = 0;
  policy::Verdict verdict;  // egress for an initiator, ingress for a responder
  IpAddress remote_ip;      // after translation
  End local;
  cluster::PodId remote_pod;  // none when the remote is no pod
  service::ServicePortId service_port;
  Port local_port;
  Port remote_port;  // after translation
  Port dialled_port;
};
static_assert(sizeof(Flow) == 128);

inline constexpr std::size_t kCompanionBytes = 128;

/// The halves, each with room beside it for what its owner (the transport) keeps of the same end: what a delivery
/// touches lies side by side.
class FlowPool {
 public:
  explicit FlowPool(std::uint32_t limit) : places_(limit) {}
  Flow& operator[](std::uint32_t index) { return places_[index].flow; }
  const Flow& operator[](std::uint32_t index) const { return places_[index].flow; }
  void* companion(std::uint32_t index) { return places_[index].companion; }
  const void* companion(std::uint32_t index) const { return places_[index].companion; }
  std::uint32_t allocate() { return places_.allocate(); }
  void release(std::uint32_t index) { places_.release(index); }
  std::uint32_t size() const { return places_.size(); }
  std::uint32_t live() const { return places_.live(); }
  std::size_t memory_bytes() const { return places_.memory_bytes(); }

 private:
  struct Place {
    Flow flow;
    alignas(64) std::byte companion[kCompanionBytes] = {};
  };
  Pool<Place, 10> places_;
};

}  // namespace podwire::dataplane
