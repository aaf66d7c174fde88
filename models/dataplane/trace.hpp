// What a traced packet leaves behind: where it was, when, for how long and why, step by step.
//
// A flow is traced when it is opened so (FlowSpec::is_traced), and so are the answers that machines give to its
// packets. The record is made by cold functions beside the ones that play (trace.cpp): nothing here decides anything,
// and a run with traced flows has the fingerprint of one without. Steps follow each other without gaps: each begins
// where the last one ended, first waiting (for a core, or in an output queue), then at work, then delayed by what
// occupies nothing. Left out: what an application does between two packets.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cni/profile.hpp"
#include "models/dataplane/drops.hpp"
#include "models/dataplane/endpoint.hpp"
#include "models/dataplane/packet.hpp"
#include "sim/base/ip.hpp"
#include "sim/base/time.hpp"

namespace podwire::dataplane {

struct TraceStep {
  cni::Step step = cni::Step::node_cpu;
  Place place;         // a machine (with the hook, for the two policy steps) or a directed port
  cluster::PodId pod;  // of the policy steps and the delivery: whose
  Time start;
  Duration wait;     // for the core, or in the port's queue
  Duration cost;     // on the core; of a line the serialization
  Duration latency;  // on top; of a line the propagation and the card's or the switch's own delay
  Duration first;    // how much of cost and latency is due to the packet being its flow's first
  Duration took() const { return wait + cost + latency; }
  Time end() const { return start + took(); }
};

struct TracedPacket {
  PacketKind kind = PacketKind::udp;
  std::uint8_t flags = 0;  // TCP
  bool is_from_initiator = true;
  bool is_answer = false;  // of a machine, not of a socket: an ICMP error, or a stack's reset
  std::uint32_t bytes = 0;
  std::uint64_t tag = 0;  // of a datagram
  IpProtocol protocol = IpProtocol::tcp;
  std::uint32_t account = 0;
  FlowHandle flow;  // the sender's half; of an answer the receiver's
  std::uint16_t ordinal = 0;
  End from;
  End to;  // none: it led nowhere
  IpAddress from_ip = {};
  IpAddress to_ip = {};  // after translation
  Port from_port;
  Port to_port;
  IpAddress dialled_ip = {};  // of an initiator's packet to a Service; unspecified otherwise
  Port dialled_port;
  Time sent;
  std::vector<TraceStep> steps;
  bool is_lost = false;
  DropRow loss;  // for Network::describe

  /// When it came to where it got: to its socket, or to where it was lost.
  Time end() const { return steps.empty() ? sent : steps.back().end(); }
  /// At `now`: not lost, and nothing left to happen to it.
  bool is_delivered(Time now) const { return !is_lost && end() <= now; }
};

}  // namespace podwire::dataplane
