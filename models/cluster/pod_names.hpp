// Names of expanded pods, in the form that the controllers give: a function of the workload and the ordinal, and back.
//
// The five characters that Kubernetes draws at random are here a permutation of the ordinal, so that names of a
// workload never collide and a name leads back to its pod without a table. Alphabet: k8s.io/apimachinery pkg/util/rand
// (no vowels, no 0, 1, 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podwire::cluster {

/// "x2x7p": five characters, different for each ordinal below 14,348,907 under one salt.
std::string pod_suffix(std::uint64_t salt, std::uint32_t ordinal);
/// The ordinal that pod_suffix gave `suffix` for, or nothing.
std::optional<std::uint32_t> ordinal_of(std::uint64_t salt, std::string_view suffix);

/// Ten characters that stand for a pod template ("7d77fb55cc").
std::string template_hash(std::uint64_t salt);

/// FNV-1a over the text, for salts.
std::uint64_t name_salt(std::string_view name_space, std::string_view name);

}  // namespace podwire::cluster
