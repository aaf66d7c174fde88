// The fingerprint of a run: one 64-bit number that two runs share exactly when (but for chance) the same things
// happened to the same parties at the same times.
//
// Items are hashed one by one and summed, so the order of adding does not matter: any -j, partition, preset, compiler
// or event set gives the same sum. Models feed it outcomes, deliveries and drops, never internal events.
#pragma once

#include <cstdint>

#include "sim/base/time.hpp"

namespace podwire::des {

/// An order-insensitive hash over (what, when, who, detail) items.
class Fingerprint {
 public:
  /// `what` names the sort of item (an enum of the model), `who` the party, `detail` what else must match.
  void add(std::uint32_t what, Time when, std::uint64_t who, std::uint64_t detail = 0) {
    std::uint64_t h = mix(what + 0x9e37'79b9'7f4a'7c15u);
    h = mix(h ^ static_cast<std::uint64_t>(when.ps()));
    h = mix(h + who);
    sum_ += mix(h ^ detail);
    ++items_;
  }
  /// Adds what another partition of the same run collected.
  void add(const Fingerprint& other) {
    sum_ += other.sum_;
    items_ += other.items_;
  }
  std::uint64_t items() const { return items_; }
  std::uint64_t value() const { return mix(sum_ ^ mix(items_)); }
  bool operator==(const Fingerprint&) const = default;

 private:
  // Stafford's "Mix13" finaliser of SplitMix64: a bijection whose output bits each depend on every input bit.
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t sum_ = 0;
  std::uint64_t items_ = 0;
};

}  // namespace podwire::des
