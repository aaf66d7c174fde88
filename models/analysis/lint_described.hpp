// Pods that the input lacks, as selectors describe them: "pods app=web of shop" are whatever pods of that namespace
// have these labels, with any others beside them. What is said of them must hold for all of them. Internal to this
// folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/analysis/lint_context.hpp"

namespace podwire::analysis {

/// True only when every set of labels that `a` matches is matched by `b`; false when that cannot be told requirement by
/// requirement.
bool implies(const cluster::LabelSelector& a, const cluster::LabelSelector& b);
/// True only when no set of labels is matched by both; false when that cannot be told requirement by requirement.
bool excludes(const cluster::LabelSelector& a, const cluster::LabelSelector& b);

/// Whether the selector may match the namespace. Labels of a namespace that no Namespace object defines are not known,
/// but for its name.
bool may_match(const LintContext& context, const cluster::LabelSelector& selector, cluster::NamespaceId name_space);
/// Whether pods may have addresses in the block: taken to be private (RFC 1918 and 4193) or of the cluster's own range.
bool may_hold_pods(const cluster::Cluster& cluster, const policy::IpBlock& block);
/// Whether the two may share a port on some pod; a name may be any number.
bool may_overlap(const policy::PortRule& a, const policy::PortRule& b);

/// Whether what isolates `other` may let `subject` in after all, by labels of the subject's namespace that the input
/// does not define.
bool hinges_on_unknown_labels(LintContext& context, policy::Direction direction, const PodKind& other,
                              const PodKind& subject);

/// "pods app=web of shop", "pods of shop".
std::string described(const cluster::LabelSelector& selector, std::string_view name_space);

}  // namespace podwire::analysis
