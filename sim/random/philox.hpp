// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11), from Random123.
// One function, so that the library's headers stay in one translation unit; its known-answer vectors are in the tests.
#pragma once

#include <array>
#include <cstdint>

namespace podwire::random {

/// The 128 bits that belong to a counter under a key. Pure.
std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key);

}  // namespace podwire::random
