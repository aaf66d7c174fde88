// The yardstick of packets_bench: a bare event loop that does the same hops and nothing else. Ports in one array,
// packets in another, busy-until links, next hop by arithmetic; no kinds, no drops, no statistics, no checks, no
// connections.
//
// Pending events lie in a binary heap of 16-byte events (what one writes first) or in des::EventSet (so that the
// difference to the network is the model's alone). With cores, each packet books one core at either end and touches one
// 128-byte record of its flow there, and a delivered packet goes back the way it came: the least that a pod path does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

#include "models/topology/underlay.hpp"
#include "sim/des/event_set.hpp"

namespace podwire::bench {

/// A binary heap behind des::EventSet's interface. Ties come in any order.
class BareHeap {
 public:
  void push(const des::Event& event) {
    heap_.push({event.time().ps(), std::uint64_t{event.kind().value()} << 32 | event.argument()});
  }
  bool pop_before(Time limit, des::Event& event) {
    if (heap_.empty() || heap_.top().time >= limit.ps()) {
      return false;
    }
    const Item item = heap_.top();
    heap_.pop();
    event = des::Event(Time::from_ps(item.time), des::EventSource(),
                       des::Kind(static_cast<std::uint32_t>(item.what >> 32)), static_cast<std::uint32_t>(item.what));
    return true;
  }

 private:
  struct Item {
    std::int64_t time;
    std::uint64_t what;
    bool operator<(const Item& other) const { return time > other.time; }
  };
  static_assert(sizeof(Item) == 16);
  std::priority_queue<Item> heap_;
};

struct BareOptions {
  std::uint32_t flows = 0;     // flow f starts at host f modulo hosts
  std::uint64_t packets = 0;   // each flow sends so many, `interval` apart; 0: one that goes to and fro for ever
  Duration interval;           // between a flow's packets
  std::uint32_t bytes = 1030;  // of each packet
  std::uint32_t cores = 0;     // of each host; 0: hosts take no time
  Duration work;               // of a core, for a packet
};

template <class Events>
class BareLoop {
 public:
  BareLoop(const topology::Underlay& underlay, const BareOptions& options) : options_(options) {
    hosts_ = underlay.host_count() - 1;
    for (const topology::PortSpec& spec : underlay.ports()) {
      Port& port = ports_.emplace_back();
      port.ps_per_byte = 8'000'000'000'000 / spec.link.rate.bps();
      port.propagation = spec.link.propagation.ps();
      port.leads_to_host = spec.to_host.is_valid() ? 1 : 0;
      if (spec.to_switch.is_valid()) {
        port.route = underlay.route_of(spec.to_switch);
      }
    }
    for (std::uint32_t h = 0; h < hosts_; ++h) {
      routes_.push_back(underlay.route_to(topology::HostId(h)));
    }
    cores_.resize(std::size_t{hosts_} * options.cores);
    flows_.resize(2 * std::size_t{options.flows});
    for (std::uint32_t f = 0; f < options.flows; ++f) {
      flows_[2 * f].packets_left = options.packets;
      const std::int64_t start = static_cast<std::int64_t>((f * 2'654'435'761u) % 8'000) * 1'000;
      events_.push(des::Event(Time::from_ps(start), des::EventSource(f), kSend, f));
    }
  }
  /// Plays what is before `end`; returns the hops so far.
  std::uint64_t run_until(Time end) {
    des::Event event;
    while (events_.pop_before(end, event)) {
      now_ = event.time().ps();
      switch (event.kind().value()) {
        case kSend.value():
          send(event.argument());
          break;
        case kHop.value():
          hop(event.argument());
          break;
        case kArrive.value():
          arrive(event.argument());
          break;
        default:
          deliver(event.argument());
      }
    }
    return hops_;
  }

 private:
  static constexpr des::Kind kSend{0};
  static constexpr des::Kind kHop{1};
  static constexpr des::Kind kArrive{2};
  static constexpr des::Kind kDeliver{3};

  struct alignas(64) Port {
    std::int64_t idle_at = 0;
    std::int64_t ps_per_byte = 0;
    std::int64_t propagation = 0;
    topology::SwitchRoute route;
    std::uint32_t leads_to_host = 0;
  };
  struct alignas(32) Packet {
    std::uint32_t port = 0;
    std::uint32_t flow = 0;  // twice the flow's number, and 1 on the way back
    std::uint16_t to = 0;
    std::uint16_t hash = 0;
    std::uint32_t bytes = 0;
  };
  struct alignas(128) Flow {  // one end's
    std::uint64_t packets_left = 0;
    std::uint64_t seen = 0;
  };

  std::uint32_t host_of(std::uint32_t end) const { return (end / 2 + (end % 2) * 17) % hosts_; }
  void at(std::int64_t time, std::uint32_t source, des::Kind kind, std::uint32_t packet) {
    events_.push(des::Event(Time::from_ps(time), des::EventSource(source), kind, packet));
  }
  std::int64_t book_core(std::uint32_t host, std::uint32_t hash, std::uint32_t& core) {
    core = host * options_.cores + hash % options_.cores;
    cores_[core] = std::max(cores_[core], now_) + options_.work.ps();
    return cores_[core];
  }
  void send(std::uint32_t f) {
    Flow& flow = flows_[2 * std::size_t{f}];
    launch(2 * f);
    if (options_.packets != 0 && --flow.packets_left > 0) {
      at(now_ + options_.interval.ps(), f, kSend, f);
    }
  }
  void launch(std::uint32_t end) {
    std::uint32_t id = static_cast<std::uint32_t>(packets_.size());
    if (free_.empty()) {
      packets_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    const std::uint32_t from = host_of(end);
    packets_[id] = {.port = from,
                    .flow = end,
                    .to = static_cast<std::uint16_t>(host_of(end ^ 1u)),
                    .hash = static_cast<std::uint16_t>(end * 40'503u),
                    .bytes = options_.bytes};
    if (options_.cores == 0) {
      hop(id);
      return;
    }
    ++flows_[end].seen;
    std::uint32_t core = 0;
    const std::int64_t ready = book_core(from, packets_[id].hash, core);
    at(ready, core_sources_ + core, kHop, id);
  }
  void hop(std::uint32_t id) {
    Packet& packet = packets_[id];
    const std::uint32_t from = packet.port;
    Port& port = ports_[from];
    port.idle_at = std::max(port.idle_at, now_) + port.ps_per_byte * packet.bytes;
    const std::int64_t arrival = port.idle_at + port.propagation;
    ++hops_;
    if (port.leads_to_host != 0) {
      at(arrival, from, kArrive, id);
      return;
    }
    const topology::HostRoute route = routes_[packet.to];
    packet.port = route.leaf == port.route.leaf ? route.down_port
                  : port.route.count == 0       ? port.route.first + route.leaf
                                          : port.route.first + (std::uint32_t{packet.hash} * port.route.count >> 16);
    at(arrival, from, kHop, id);
  }
  void arrive(std::uint32_t id) {
    const Packet& packet = packets_[id];
    if (options_.cores == 0) {
      free_.push_back(id);
      return;
    }
    ++flows_[packet.flow ^ 1u].seen;
    std::uint32_t core = 0;
    const std::int64_t ready = book_core(packet.to, packet.hash, core);
    at(ready, core_sources_ + core, kDeliver, id);
  }
  void deliver(std::uint32_t id) {
    const std::uint32_t end = packets_[id].flow ^ 1u;
    free_.push_back(id);
    launch(end);
  }

  static constexpr std::uint32_t core_sources_ = 1u << 20;
  BareOptions options_;
  std::uint32_t hosts_ = 0;
  std::int64_t now_ = 0;
  std::uint64_t hops_ = 0;
  Events events_;
  std::vector<Port> ports_;
  std::vector<topology::HostRoute> routes_;
  std::vector<std::int64_t> cores_;
  std::vector<Flow> flows_;
  std::vector<Packet> packets_;
  std::vector<std::uint32_t> free_;
};

}  // namespace podwire::bench
