// Who can hold a socket: a pod, a node itself, or an address outside the cluster.
#pragma once

#include <cstdint>

#include "models/cluster/cluster.hpp"
#include "sim/base/id.hpp"

namespace podwire::dataplane {

using ExternalId = Id<struct ExternalTag>;  // an outside address that Network::external was told of

/// One end of conversations. A hostNetwork pod is a pod here; that it shares its node's address is the cluster's
/// knowledge.
class End {
 public:
  enum class Kind : std::uint8_t { none, pod, node, external };

  constexpr End() = default;
  static constexpr End pod(cluster::PodId id) { return End(Kind::pod, id.value()); }
  static constexpr End node(cluster::NodeId id) { return End(Kind::node, id.value()); }
  static constexpr End external(ExternalId id) { return End(Kind::external, id.value()); }

  constexpr Kind kind() const { return kind_; }
  constexpr bool is_valid() const { return kind_ != Kind::none; }
  constexpr cluster::PodId pod_id() const { return kind_ == Kind::pod ? cluster::PodId(index_) : cluster::PodId(); }
  constexpr cluster::NodeId node_id() const {
    return kind_ == Kind::node ? cluster::NodeId(index_) : cluster::NodeId();
  }
  constexpr ExternalId external_id() const { return kind_ == Kind::external ? ExternalId(index_) : ExternalId(); }
  constexpr auto operator<=>(const End&) const = default;

 private:
  constexpr End(Kind kind, std::uint32_t index) : kind_(kind), index_(index) {}
  Kind kind_ = Kind::none;
  std::uint32_t index_ = 0;
};

}  // namespace podwire::dataplane
