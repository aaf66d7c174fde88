// A subject's labels are its workloads' owner's selector (which the API does not let change), else all stable labels
// that its pods share. Where these select pods of another workload too, further stable labels are added, then keys that
// the others have and it lacks are excluded; what is left over cannot be told apart and becomes one subject.
#include "models/analysis/suggest_subjects.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace podwire::analysis {
namespace {

using cluster::Cluster;
using cluster::WorkloadId;
using Labels = std::map<std::string, std::string>;

// Set by release tools for each version, beside what controllers set for each revision. Sources: kubernetes.io,
// "Recommended Labels"; helm.sh, "Labels and Annotations"; Argo Rollouts' rollouts-pod-template-hash.
constexpr std::string_view kOfReleases[] = {"app.kubernetes.io/version", "helm.sh/chart", "chart", "release-revision",
                                            "rollouts-pod-template-hash"};

// What all pods of a workload have; nothing when none of them can be selected.
std::optional<Labels> shared_labels(const Cluster& cluster, const cluster::Workload& workload,
                                    std::set<std::string>& keys) {
  std::optional<Labels> shared;
  for (const cluster::PodId pod : workload.pods) {
    const cluster::PodShape& shape = cluster.shape(pod);
    if (shape.is_host_network) {
      return std::nullopt;
    }
    Labels labels;
    for (const cluster::Label& label : cluster.label_sets[shape.labels]) {
      labels.emplace(cluster.strings[label.key], cluster.strings[label.value]);
      keys.emplace(cluster.strings[label.key]);
    }
    if (!shared) {
      shared = std::move(labels);
    } else {
      std::erase_if(*shared, [&](const auto& entry) {
        const auto at = labels.find(entry.first);
        return at == labels.end() || at->second != entry.second;
      });
    }
  }
  if (shared) {
    std::erase_if(*shared, [](const auto& entry) { return !is_stable_label(entry.first); });
  }
  return shared;
}

bool selects(const Labels& selector, const Labels& labels) {
  return std::includes(labels.begin(), labels.end(), selector.begin(), selector.end());
}

// Every label of a pod of the workload counts for what another's selector matches, stable or not; stable ones are
// enough here, because selectors are made of these alone.
struct Candidate {
  WorkloadId workload;
  Labels labels;
  Labels selector;
  std::set<std::string> keys;  // that any pod of it has, shared or not
};

// The workloads of one namespace.
class Namespace {
 public:
  explicit Namespace(std::vector<Candidate> candidates) : candidates_(std::move(candidates)) {}

  std::vector<Subject> subjects(const Cluster& cluster) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      narrow(i);
    }
    std::vector<Subject> subjects;
    std::vector<bool> is_taken(candidates_.size());
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (is_taken[i]) {
        continue;
      }
      Subject subject;
      std::vector<std::string> names;
      for (std::size_t j = i; j < candidates_.size(); ++j) {
        if (j == i || (!is_taken[j] && candidates_[j].labels == candidates_[i].labels)) {
          is_taken[j] = true;
          subject.workloads.push_back(candidates_[j].workload);
          names.push_back(cluster.workload_name(candidates_[j].workload));
        }
      }
      const cluster::Workload& first = cluster.workloads[candidates_[i].workload.index()];
      subject.name_space = first.name_space;
      subject.name = first.name;
      subject.text = fmt::format("{}", fmt::join(names, " and "));
      subject.selector = requirements(i);
      subject.is_selectable = is_exact_ && (!subject.selector.empty() || names.size() == candidates_.size());
      subjects.push_back(std::move(subject));
    }
    return subjects;
  }

 private:
  std::size_t others(const Labels& selector, std::size_t i) const {
    return static_cast<std::size_t>(std::count_if(candidates_.begin(), candidates_.end(), [&](const Candidate& c) {
      return c.labels != candidates_[i].labels && selects(selector, c.labels);
    }));
  }

  // Adds the label that shuts out most others, as long as one does.
  void narrow(std::size_t i) {
    Candidate& it = candidates_[i];
    for (std::size_t left = others(it.selector, i); left > 0;) {
      std::size_t least = left;
      const std::pair<const std::string, std::string>* best = nullptr;
      for (const auto& label : it.labels) {
        Labels tried = it.selector;
        if (tried.insert(label).second && others(tried, i) < least) {
          least = others(tried, i);
          best = &label;
        }
      }
      if (best == nullptr) {
        return;
      }
      it.selector.insert(*best);
      left = least;
    }
  }

  StableSelector requirements(std::size_t i) {
    const Candidate& it = candidates_[i];
    is_exact_ = true;
    StableSelector selector;
    for (const auto& [key, value] : it.selector) {
      selector.push_back({.key = key, .op = cluster::SelectorOperator::in, .values = {value}, .span = {}});
    }
    // Who is still selected has all of its labels and more: the more is what it must not have.
    std::set<std::string> excluded;
    for (const Candidate& other : candidates_) {
      if (other.labels == it.labels || !selects(it.selector, other.labels)) {
        continue;
      }
      bool is_excluded = std::any_of(other.labels.begin(), other.labels.end(),
                                     [&](const auto& label) { return excluded.contains(label.first); });
      for (auto label = other.labels.begin(); !is_excluded && label != other.labels.end(); ++label) {
        if (!it.keys.contains(label->first)) {
          excluded.insert(label->first);
          is_excluded = true;
        }
      }
      is_exact_ = is_exact_ && is_excluded;
    }
    for (const std::string& key : excluded) {
      selector.push_back({.key = key, .op = cluster::SelectorOperator::does_not_exist, .values = {}, .span = {}});
    }
    return selector;
  }

  std::vector<Candidate> candidates_;
  bool is_exact_ = true;  // whether the selector made last selects its subject alone
};

// matchLabels of the owner's selector, where the layers have the owner and all of its pods carry them.
Labels owner_selector(const cluster::Object* owner, const Labels& labels) {
  Labels selector;
  if (owner != nullptr) {
    const config::Node spec = owner->node.find("spec");
    const config::Node match = spec.find("selector").find("matchLabels");
    for (const config::Node label : match.is_mapping() ? match : spec.find("selector")) {
      if (label.is_scalar() && is_stable_label(label.key())) {
        selector.emplace(label.key(), label.text());
      }
    }
  }
  return !selector.empty() && selects(selector, labels) ? selector : labels;
}

}  // namespace

bool is_stable_label(std::string_view key) {
  return !flows::is_of_controller(key) &&
         std::find(std::begin(kOfReleases), std::end(kOfReleases), key) == std::end(kOfReleases);
}

Subjects::Subjects(const Cluster& cluster, const cluster::ObjectStore* objects)
    : by_workload_(cluster.workloads.size(), kNone) {
  std::map<std::string, const cluster::Object*> owners;
  if (objects != nullptr) {
    for (const cluster::Object& object : objects->objects()) {
      owners[object.full_name()] = &object;
    }
  }
  std::vector<std::vector<Candidate>> by_namespace(cluster.namespaces.size());
  for (std::size_t w = 0; w < cluster.workloads.size(); ++w) {
    const cluster::Workload& workload = cluster.workloads[w];
    std::set<std::string> keys;
    auto labels = shared_labels(cluster, workload, keys);
    if (!labels) {
      continue;
    }
    std::string kind(cluster::to_string(workload.kind));
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    const auto owner =
        owners.find(fmt::format("{}/{}/{}", cluster.namespaces[workload.name_space.index()].name, kind, workload.name));
    Labels selector = owner_selector(owner == owners.end() ? nullptr : owner->second, *labels);
    by_namespace[workload.name_space.index()].push_back({.workload = WorkloadId(w),
                                                         .labels = std::move(*labels),
                                                         .selector = std::move(selector),
                                                         .keys = std::move(keys)});
  }
  for (std::vector<Candidate>& candidates : by_namespace) {
    for (Subject& subject : Namespace(std::move(candidates)).subjects(cluster)) {
      for (const WorkloadId workload : subject.workloads) {
        by_workload_[workload.index()] = static_cast<std::uint32_t>(subjects_.size());
      }
      subjects_.push_back(std::move(subject));
    }
  }
}

}  // namespace podwire::analysis
