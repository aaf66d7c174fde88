// Namespaces: those defined, and those that objects merely mention.
//
// The automatic label kubernetes.io/metadata.name always carries the true name, whatever the manifest says
// (k8s.io/kubernetes pkg/apis/core/v1/defaults.go, SetDefaults_Namespace).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "models/cluster/build.hpp"
#include "models/cluster/kinds.hpp"

namespace podwire::cluster {
namespace {

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

// A few names, and how many more.
std::string shortened(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  return names.size() <= kShown
             ? fmt::format("{}", fmt::join(names, ", "))
             : fmt::format("{} and {} more", fmt::join(names.begin(), end, ", "), names.size() - kShown);
}

}  // namespace

void read_namespaces(BuildState& state) {
  struct Draft {
    const Object* object = nullptr;
    Span mentioned;
  };
  std::map<std::string, Draft> drafts;
  std::string_view last;  // objects of a namespace often come in a row
  for (const Object& object : state.store.objects()) {
    if (object.kind == "Namespace" && object.group().empty()) {
      drafts[object.name].object = &object;
    } else if (!object.name_space.empty() && object.name_space != last) {
      last = object.name_space;
      drafts.try_emplace(object.name_space, Draft{.mentioned = object.span});
    }
  }
  if (state.adds_dns_service || state.adds_dns_workload) {
    drafts.try_emplace(std::string(kDnsNamespace));
  }

  ReadContext context = state.reading();
  std::vector<std::string> assumed;
  for (const auto& [name, draft] : drafts) {
    Namespace made{.name = name, .labels = {}, .is_assumed = draft.object == nullptr, .span = draft.mentioned};
    const Label automatic{.key = context.strings.intern(kNameLabel), .value = context.strings.intern(name)};
    if (draft.object != nullptr) {
      made.span = draft.object->span;
      made.labels = read_labels(draft.object->node.find("metadata").find("labels"), draft.object->full_name(), context,
                                {automatic});
    } else {
      made.labels = context.label_sets.intern({automatic});
      if (draft.mentioned.is_known()) {
        assumed.push_back(name);
      }
    }
    state.cluster.namespaces.push_back(std::move(made));
  }
  if (!assumed.empty()) {
    state.assume("namespaces", fmt::format("assumed {} that objects mention and no manifest defines: {}",
                                           assumed.size() == 1 ? "a namespace" : "namespaces", shortened(assumed)));
  }
}

}  // namespace podwire::cluster
