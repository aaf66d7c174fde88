// Plays the timeline of a run: when a change is made pods come and go, and when CoreDNS has heard of it names change.
// What nodes do about policies and Service rules needs no event: they look at their place in the log.
#pragma once

#include "models/control/timeline.hpp"
#include "models/dns/zone.hpp"
#include "models/workload/clients.hpp"

namespace podwire::workload {

class Changes {
 public:
  /// Schedules everything. All arguments outlive it.
  Changes(des::Simulator& simulator, const control::Timeline& timeline, dataplane::Network& network, dns::Zone& zone,
          Clients& clients);
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

 private:
  void on_made(std::uint32_t version);
  void on_named(std::uint32_t version);

  const control::Timeline& timeline_;
  dataplane::Network& network_;
  dns::Zone& zone_;
  Clients& clients_;
};

}  // namespace podwire::workload
