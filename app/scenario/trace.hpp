// `podwire explain --trace`: which connection is played, and the playing of it.
//
// Of a workload the first running pod is the client; a Service is dialled at its own address, as clients do; a workload
// as the destination is dialled at its first pod that is not the client. Where an explanation has many paths one is
// played; which backend a Service gives follows from the seed, as in a run.
#pragma once

#include <optional>
#include <string>

#include "app/scenario/load.hpp"
#include "app/scenario/lookup.hpp"
#include "models/analysis/explain.hpp"
#include "models/workload/trace.hpp"

namespace podwire::scenario {

struct TraceRequest {
  std::string source;                 // as on the command line, `external` resolved to an address
  std::optional<HostText> host = {};  // a destination that names a host
  std::string destination;            // else
  const analysis::ConnectionExplanation* explanation = nullptr;  // of the same words
  std::uint64_t seed = 1;
};

/// Plays one connection of a policy set. Errors: not-a-client (no running pod), not-traceable (a Service without an
/// address to dial; nobody to dial).
std::optional<workload::TraceRun> trace(const Scenario& scenario, policy::PolicyEngine& engine,
                                        const TraceRequest& request, Span span, Diagnostics& diagnostics);

}  // namespace podwire::scenario
