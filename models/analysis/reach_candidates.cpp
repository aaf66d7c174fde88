#include "models/analysis/reach_candidates.hpp"

#include <algorithm>
#include <numeric>

namespace podwire::analysis {

using policy::GroupId;
using policy::PortSetId;
using policy::PortSets;

void ReachCandidates::Index::finish(std::size_t count) {
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  begins.assign(count + 1, 0);
  for (const auto& [key, end] : entries) {
    ++begins[key + 1];
  }
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
}

std::span<const std::pair<std::uint32_t, std::uint32_t>> ReachCandidates::Index::of(std::uint32_t key) const {
  if (key + 1 >= begins.size()) {
    return {};
  }
  return std::span(entries).subspan(begins[key], begins[key + 1] - begins[key]);
}

void ReachCandidates::add_end(bool is_always) {
  is_always_.push_back(is_always);
}

void ReachCandidates::add_variant(const policy::PodEntry& entry) {
  const auto end = static_cast<std::uint32_t>(is_always_.size() - 1);
  is_always_.back() = is_always_.back() || entry.is_stranger;
  by_peer_.entries.emplace_back(entry.peer.value(), end);
  if (entry.second.is_valid()) {
    by_peer_.entries.emplace_back(entry.second.value(), end);
  }
  PortSetId open = PortSets::kAll;
  if (entry.ingress.is_valid()) {
    by_group_.entries.emplace_back(entry.ingress.value(), end);
    open = has_tiers(entry.ingress) ? PortSets::kAll : rows_.granted_to_anyone(entry.ingress);
  }
  if (open != PortSets::kEmpty) {
    std::vector<std::uint32_t>& ends = open_[open];
    if (ends.empty() || ends.back() != end) {
      ends.push_back(end);
      ++open_count_;
    }
  }
}

void ReachCandidates::finish() {
  by_peer_.finish(compiled_.peers.size());
  by_group_.finish(compiled_.groups.size());
  for (std::uint32_t e = 0; e < is_always_.size(); ++e) {
    if (is_always_[e]) {
      always_.push_back(e);
    }
  }
  rounds_.assign(is_always_.size(), 0);
}

void ReachCandidates::start(std::uint32_t source) {
  source_ = source;
  ++round_;
  touched_.clear();
  touch(source);
}

/// Where the egress side leads to many and the ingress side to few, the latter alone is asked.
void ReachCandidates::look(const policy::PodEntry& from) {
  const auto touch_all = [this](const std::vector<std::uint32_t>& ends) {
    std::for_each(ends.begin(), ends.end(), [this](std::uint32_t e) { touch(e); });
  };
  if (looks_at_all_ || is_always_[source_]) {
    for (std::uint32_t e = 0; e < is_always_.size(); ++e) {
      touch(e);
    }
    return;
  }
  touch_all(always_);
  const bool is_told_by_egress = from.egress.is_valid() && !has_tiers(from.egress) &&
                                 rows_.peers_touched().size() <= open_count_ + rows_.groups_touched().size();
  const PortSetId anyone = is_told_by_egress ? rows_.given_to_anyone() : PortSets::kAll;
  if (is_told_by_egress) {
    for (const policy::PeerId peer : rows_.peers_touched()) {
      for (const auto& [key, e] : by_peer_.of(peer.value())) {
        touch(e);
      }
    }
  }
  if (anyone == PortSets::kEmpty) {
    return;
  }
  for (const auto& [ports, ends] : open_) {
    if (compiled_.port_sets.intersect(anyone, ports) != PortSets::kEmpty) {
      touch_all(ends);
    }
  }
  for (const GroupId group : rows_.groups_touched()) {
    for (const auto& [key, e] : by_group_.of(group.value())) {
      touch(e);
    }
  }
}

std::span<const std::uint32_t> ReachCandidates::candidates() {
  if (touched_.size() * 16 < is_always_.size()) {
    std::sort(touched_.begin(), touched_.end());
    return touched_;
  }
  touched_.clear();
  for (std::uint32_t e = 0; e < is_always_.size(); ++e) {
    if (rounds_[e] == round_) {
      touched_.push_back(e);
    }
  }
  return touched_;
}

}  // namespace podwire::analysis
