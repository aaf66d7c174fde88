// When requests arrive: an open loop, which asks at its own times whatever becomes of earlier requests.
//
// The n-th gap (Poisson) or the common phase (constant) is a draw of (seed, workload, n), so that every policy set
// meets the same arrivals. Closed loops and recorded traces get processes of their own.
#pragma once

#include <cstdint>

#include "models/workload/spec.hpp"
#include "sim/base/time.hpp"
#include "sim/random/draw.hpp"

namespace podwire::workload {

class ArrivalProcess {
 public:
  /// `workload` names the loop in draws.
  ArrivalProcess(std::uint64_t seed, std::uint32_t workload, const Arrivals& arrivals);

  /// The next arrival's time; the first is after the start of the run. Constant: (n + phase) / rate with one phase in
  /// [0, 1) for the loop, so that several loops of one rate do not march in step.
  Time next();
  /// How many next() has given.
  std::uint32_t count() const { return count_; }

 private:
  random::Stream gaps_;
  std::uint32_t workload_;
  bool is_poisson_;
  Duration mean_gap_;
  Duration phase_;
  Time last_;
  std::uint32_t count_ = 0;
};

}  // namespace podwire::workload
