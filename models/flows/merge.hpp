// Records to connections: answers are left out, and what both ends report of one connection within a window is one
// connection, so that each counts once and what one end let pass and the other dropped is known as dropped.
//
// A connection is held for the window after its first record, in time as the log tells it; what comes later counts as
// another. Clocks of nodes may differ: records may be out of order by the window. A log that jumps back further (files
// one after another) begins anew. Memory: a fixed number of connections; the oldest goes when there is no room.
// Left out: what a connection's answers tell.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/flows/flow.hpp"
#include "models/flows/mapping.hpp"

namespace podwire::flows {

struct Connection {
  Nanoseconds first = kNoTime;
  Nanoseconds last = kNoTime;
  End source = {};
  End destination = {};
  FlowProtocol protocol = FlowProtocol::tcp;
  std::uint16_t destination_port = 0;
  std::int16_t icmp_type = -1;
  // What policies did: at the source, at the destination, and where the log does not say which.
  Recorded egress = Recorded::unknown;
  Recorded ingress = Recorded::unknown;
  Recorded overall = Recorded::unknown;
  bool dropped_otherwise = false;  // for a reason that is no policy
  bool is_contradictory = false;   // one side both let it pass and dropped it
  std::uint32_t drop_reason = 0;   // index into Merger::reasons()
  std::uint32_t records = 1;
  std::uint32_t file = 0;  // of the first record
  std::uint64_t line = 0;
  bool is_dropped_by_policy() const {
    return egress == Recorded::dropped || ingress == Recorded::dropped || overall == Recorded::dropped;
  }
  bool is_dropped() const { return is_dropped_by_policy() || dropped_otherwise; }
};

struct MergeStatistics {
  std::uint64_t records = 0;
  std::uint64_t replies = 0;          // marked as answers
  std::uint64_t assumed_replies = 0;  // taken for answers by an earlier record or by their ports
  std::uint64_t merged = 0;           // further records of a connection
  std::uint64_t connections = 0;
  std::uint64_t restarts = 0;  // the log jumped back
  std::uint64_t evicted = 0;   // connections given out early for want of room
};

struct MergeOptions {
  Nanoseconds window = 10 * kSecond;
  std::size_t most_held = std::size_t{1} << 17;
};

class Merger {
 public:
  using Sink = std::function<void(const Connection&)>;
  /// `cluster` tells which ports pods answer on; it must outlive the merger, as must what the sink uses.
  Merger(const cluster::Cluster& cluster, Sink sink, MergeOptions options = {});

  void add(const Flow& flow, const End& source, const End& destination, std::uint32_t file, std::uint64_t line);
  /// Gives out what is held.
  void finish();

  const MergeStatistics& statistics() const { return statistics_; }
  /// Texts of drops, as the log has them; "" first.
  const std::vector<std::string>& reasons() const { return reasons_; }

 private:
  struct Key {
    End source;
    End destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::int16_t icmp_type = -1;
    FlowProtocol protocol = FlowProtocol::tcp;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Held {
    Key key;
    Connection connection;
    bool is_known = false;  // in by_key_
  };

  bool is_reply(const Flow& flow, const Key& key);
  bool answers_on(const End& end, FlowProtocol protocol, std::uint16_t port) const;
  void note(Connection& connection, const Flow& flow);
  void hold(const Key& key, Connection connection, bool is_known);
  void give_out();
  std::uint32_t reason_of(std::string_view text);

  const cluster::Cluster& cluster_;
  Sink sink_;
  MergeOptions options_;
  MergeStatistics statistics_;
  std::vector<std::string> reasons_ = {""};
  std::vector<Held> ring_;  // of a power of two
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  boost::unordered_flat_map<Key, std::uint64_t, KeyHash> by_key_;
  Nanoseconds now_ = kNoTime;
};

}  // namespace podwire::flows
