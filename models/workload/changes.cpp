// See the header. The two kinds of events have sources of their own, so that nothing else is numbered anew.
#include "models/workload/changes.hpp"

namespace podwire::workload {

Changes::Changes(des::Simulator& simulator, const control::Timeline& timeline, dataplane::Network& network,
                 dns::Zone& zone, Clients& clients)
    : timeline_(timeline), network_(network), zone_(zone), clients_(clients) {
  const des::Kind made = simulator.on<&Changes::on_made>(*this, "change");
  const des::Kind named = simulator.on<&Changes::on_named>(*this, "change of names");
  const des::EventSource source = simulator.add_sources(2);
  for (control::Version version = 1; version <= timeline.change_count(); ++version) {
    simulator.at(timeline.made(version), source, made, version);
    if (timeline.change(version).concerns_endpoints) {
      simulator.at(timeline.names_applied(version), source.plus(1), named, version);
    }
  }
}

void Changes::on_made(std::uint32_t version) {
  network_.apply_change();
  clients_.apply_change(*timeline_.view(version).cluster);
}

void Changes::on_named(std::uint32_t version) {
  zone_.update(*timeline_.view(version).cluster);
}

}  // namespace podwire::workload
