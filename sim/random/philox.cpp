#include "sim/random/philox.hpp"

// The library's macros and C casts do not meet our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wexpansion-to-defined"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

namespace podwire::random {

std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key) {
  const r123::Philox4x32 generator;
  const r123::Philox4x32::ctr_type in = {{counter[0], counter[1], counter[2], counter[3]}};
  const r123::Philox4x32::key_type with = {{key[0], key[1]}};
  const r123::Philox4x32::ctr_type out = generator(in, with);
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace podwire::random
