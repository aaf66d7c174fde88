// Builds the presets' graphs and compiles their routes; see the header for the numbering of ports that makes routes
// compact.
#include "models/topology/underlay.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <utility>

#include "sim/base/check.hpp"

namespace podwire::topology {

namespace {

struct EdgePort {
  std::uint32_t port = 0;
};
using AdjacencyList = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, EdgePort>;

// Leaves whose routes are checked at construction; the tests check all of them.
constexpr std::uint32_t kCheckedLeaves = 4;

}  // namespace

/// Vertices: machines in their order, then switches in theirs.
struct Underlay::Graph {
  AdjacencyList list;
};

Underlay::Underlay(const UnderlayOptions& options) : options_(options), graph_(std::make_unique<Graph>()) {
  if (options_.preset == Preset::single_switch) {
    options_.leaves = 1;
    options_.spines = 0;
  }
  PODWIRE_CHECK(options_.hosts >= 1 && options_.hosts <= 65'000, "topology", "an underlay has 1 to 65,000 nodes");
  PODWIRE_CHECK(options_.leaves >= 1 && options_.leaves < 0xffff, "topology", "an underlay has 1 to 65,534 leaves");
  PODWIRE_CHECK(options_.leaves == 1 || options_.spines >= 1, "topology", "leaves are joined by at least one spine");
  PODWIRE_CHECK(options_.spines < 0xffff, "topology", "an underlay has at most 65,534 spines");
  if (options_.leaves == 1) {
    options_.spines = 0;
  }
  build_machines();
  build_fabric();
  build_graph();
  check_routes();
}

Underlay::Underlay(Underlay&&) noexcept = default;
Underlay& Underlay::operator=(Underlay&&) noexcept = default;
Underlay::~Underlay() = default;

/// Ports 0 … H-1 are the machines' NICs, H … 2H-1 the leaves' ports down to them, both in the machines' order.
void Underlay::build_machines() {
  const std::uint32_t count = options_.hosts + 1;
  const std::uint32_t block = (options_.hosts + options_.leaves - 1) / options_.leaves;
  hosts_.resize(count);
  ports_.resize(std::size_t{2} * count);
  for (std::uint32_t h = 0; h < count; ++h) {
    const bool is_gateway = h == options_.hosts;
    const std::uint32_t leaf = is_gateway ? 0 : h / block;
    const LinkSpec& link = is_gateway ? options_.edge_link : options_.host_link;
    hosts_[h] = {.down_port = count + h, .leaf = static_cast<std::uint16_t>(leaf)};
    ports_[h] = {.link = link, .from_host = HostId(h), .from_switch = {}, .to_host = {}, .to_switch = SwitchId(leaf)};
    ports_[count + h] = {
        .link = link, .from_host = {}, .from_switch = SwitchId(leaf), .to_host = HostId(h), .to_switch = {}};
  }
}

/// Then each leaf's ports up, in the spines' order; then each spine's ports down, in the leaves' order.
void Underlay::build_fabric() {
  const std::uint32_t leaves = options_.leaves;
  const std::uint32_t spines = options_.spines;
  switches_.resize(std::size_t{leaves} + spines);
  for (std::uint32_t l = 0; l < leaves; ++l) {
    switches_[l] = {.first = static_cast<std::uint32_t>(ports_.size()),
                    .count = static_cast<std::uint16_t>(spines),
                    .leaf = static_cast<std::uint16_t>(l)};
    for (std::uint32_t s = 0; s < spines; ++s) {
      ports_.push_back({.link = options_.fabric_link,
                        .from_host = {},
                        .from_switch = SwitchId(l),
                        .to_host = {},
                        .to_switch = SwitchId(leaves + s)});
    }
  }
  for (std::uint32_t s = 0; s < spines; ++s) {
    switches_[leaves + s] = {.first = static_cast<std::uint32_t>(ports_.size()), .count = 0, .leaf = 0xffff};
    for (std::uint32_t l = 0; l < leaves; ++l) {
      ports_.push_back({.link = options_.fabric_link,
                        .from_host = {},
                        .from_switch = SwitchId(leaves + s),
                        .to_host = {},
                        .to_switch = SwitchId(l)});
    }
  }
}

void Underlay::build_graph() {
  const std::size_t machines = hosts_.size();
  graph_->list = AdjacencyList(machines + switches_.size());
  for (std::uint32_t p = 0; p < ports_.size(); ++p) {
    const PortSpec& port = ports_[p];
    const std::size_t from = port.from_host.is_valid() ? port.from_host.index() : machines + port.from_switch.index();
    const std::size_t to = port.to_host.is_valid() ? port.to_host.index() : machines + port.to_switch.index();
    boost::add_edge(from, to, EdgePort{p}, graph_->list);
  }
}

/// The compiled routes of a few leaves against the graph: a wrong numbering is found when it is made.
void Underlay::check_routes() const {
  const std::uint32_t step = std::max(1u, options_.leaves / kCheckedLeaves);
  const std::uint32_t block = (options_.hosts + options_.leaves - 1) / options_.leaves;
  for (std::uint32_t leaf = 0; leaf < options_.leaves && leaf * block < options_.hosts; leaf += step) {
    const HostId to(leaf * block);
    for (std::uint32_t s = 0; s < switch_count(); s += std::max(1u, switch_count() / kCheckedLeaves)) {
      const std::vector<PortId> shortest = shortest_next_ports(SwitchId(s), to);
      const PortId first = next_port(SwitchId(s), to, 0);
      const PortId last = next_port(SwitchId(s), to, 0xffff);
      PODWIRE_CHECK(!shortest.empty() && first == shortest.front() && last == shortest.back() &&
                        last.value() - first.value() + 1 == shortest.size(),
                    "topology", "compiled routes are the shortest paths");
    }
  }
}

PortId Underlay::next_port(SwitchId at, HostId to, std::uint16_t hash) const {
  const SwitchRoute& route = switches_[at.index()];
  const HostRoute& host = hosts_[to.index()];
  if (host.leaf == route.leaf) {
    return PortId(host.down_port);
  }
  return PortId(route.count == 0 ? route.first + host.leaf : route.first + (std::uint32_t{hash} * route.count >> 16));
}

std::vector<PortId> Underlay::path(HostId from, HostId to, std::uint16_t hash) const {
  PODWIRE_CHECK(from != to, "topology", "a machine reaches itself without a link");
  std::vector<PortId> ports = {nic(from)};
  while (ports_[ports.back().index()].to_switch.is_valid()) {
    ports.push_back(next_port(ports_[ports.back().index()].to_switch, to, hash));
  }
  return ports;
}

std::vector<PortId> Underlay::shortest_next_ports(SwitchId at, HostId to) const {
  // Links go both ways, so distances from `to` are distances to it. Machines do not forward, and have one link.
  const AdjacencyList& list = graph_->list;
  std::vector<std::uint32_t> distance(boost::num_vertices(list), 0);
  boost::breadth_first_search(
      list, boost::vertex(to.index(), list),
      boost::visitor(boost::make_bfs_visitor(boost::record_distances(distance.data(), boost::on_tree_edge()))));
  const std::size_t from = hosts_.size() + at.index();
  std::vector<PortId> ports;
  for (const auto edge : boost::make_iterator_range(boost::out_edges(boost::vertex(from, list), list))) {
    if (distance[boost::target(edge, list)] + 1 == distance[from]) {
      ports.emplace_back(list[edge].port);
    }
  }
  std::sort(ports.begin(), ports.end());
  return ports;
}

std::string Underlay::switch_name(SwitchId id) const {
  if (options_.preset == Preset::single_switch) {
    return "switch";
  }
  return id.value() < options_.leaves ? "leaf-" + std::to_string(id.value())
                                      : "spine-" + std::to_string(id.value() - options_.leaves);
}

}  // namespace podwire::topology
