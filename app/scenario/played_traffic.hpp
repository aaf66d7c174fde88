// What a run's requests connected, as recorded flows would tell it: for suggestions out of simulated traffic.
#pragma once

#include <cstdint>
#include <functional>

#include "app/scenario/load.hpp"
#include "models/flows/merge.hpp"
#include "models/workload/play.hpp"

namespace podwire::scenario {

/// Hands out, for each loop of requests, its connections and their number: those answered as passed, those whose
/// handshake got no answer as dropped, and the lookups before them likewise. Other outcomes say nothing of policies.
/// Destinations are those that the target names: a Service, pods, an address, or what a host name resolves to.
void each_played(const PolicySetPlan& plan, const workload::RunResult& result, const dns::ExternalRecords& externals,
                 const std::function<void(const flows::Connection&, std::uint64_t count)>& visit);

/// Hands out a connection for each pair of ends that the policy set's workloads ask for, whatever becomes of it, and
/// for the lookups before.
void each_asked(const PolicySetPlan& plan, const dns::ExternalRecords& externals,
                const std::function<void(const flows::Connection&)>& visit);

}  // namespace podwire::scenario
