// The kinds of Kubernetes objects that podwire knows by name: what they are called (kubectl's plurals and short names),
// where they live, and what podwire does with them.
//
// An object's kind is judged by group and kind, never by version. Groups that a kind has lived in (extensions, apps …)
// count as one: the canonical group is the one of today. Kinds that are not listed here cannot change a verdict as far
// as we know; they are skipped and counted, but for those that no API server has and those called …NetworkPolicy.
// Sources: kubectl api-resources of 1.31; the projects' CRDs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "models/cluster/cluster.hpp"

namespace podwire::cluster {

enum class KindRole : std::uint8_t {
  cluster,        // read by build_cluster
  policy,         // left in the store for models/policy
  known,          // known by name only: skipped and counted
  unmodelled,     // not modelled, and may change verdicts
  mesh_wide,      // the same; in the mesh's root namespace (istio-system) it reaches every namespace
  not_an_object,  // a file for a tool (kustomization, scenario): skipped, may lack a name
};

struct KindInfo {
  std::string_view kind;         // "Deployment"
  std::string_view singular;     // "deployment"
  std::string_view plural;       // "deployments"
  std::string_view short_names;  // "deploy", several separated by spaces
  std::string_view groups;       // "apps extensions": the canonical one first; "" is the core group
  bool is_namespaced = true;
  KindRole role = KindRole::known;

  /// The group of today.
  std::string_view group() const { return groups.substr(0, groups.find(' ')); }
};

/// The entry for a group and kind as a manifest names them, or null.
const KindInfo* find_kind(std::string_view group, std::string_view kind);

/// The entry that kubectl's word means (kind, singular, plural or short name, any case), or null. Kinds of several
/// groups: the first in the table.
const KindInfo* find_kind_by_word(std::string_view word);

/// "v1" → "", "apps/v1" → "apps".
std::string_view group_of(std::string_view api_version);

/// Why no API server has such a kind, and what was meant.
struct KindProblem {
  std::string message;
  std::string help;
};

/// Groups that Kubernetes defines itself are closed: what no version of them has cannot be there, and is nearly always
/// misspelt. Nothing where the kind exists, or may: of other groups nobody knows what they hold, and a kind that
/// resembles no known one is left to be counted.
std::optional<KindProblem> invalid_kind(std::string_view group, std::string_view kind);

/// Whether a kind that podwire does not know is, by its name, about who may talk to whom: "…NetworkPolicy".
bool is_unknown_policy(std::string_view group, std::string_view kind);

/// The WorkloadKind that "Deployment" … "Pod" names; nothing for other kinds.
std::optional<WorkloadKind> workload_kind(std::string_view kind);

}  // namespace podwire::cluster
