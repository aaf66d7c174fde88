// Two sweeps of reach merged, and what each difference rests on; see diff.hpp.
#include "models/analysis/diff.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "models/analysis/diff_delta.hpp"
#include "models/analysis/diff_pods.hpp"
#include "models/analysis/diff_rules.hpp"
#include "models/analysis/reach.hpp"

namespace podwire::analysis {

using policy::Direction;
using policy::Peer;
using policy::PolicyEngine;
using policy::PortSet;

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// A workload on either side or on both; its names are those of a cluster or a sweep.
struct Place {
  std::string_view name_space;
  cluster::WorkloadKind kind = cluster::WorkloadKind::pod;
  std::string_view workload;
  std::string_view name = {};  // as reach writes it
  std::size_t before = kNone;  // ends of the sweeps
  std::size_t after = kNone;
  std::optional<MatchedPods> pods = {};
  std::optional<bool> has_same_labels = {};
  std::uint64_t connections = 0;  // of an added or a removed one
  bool is_on_both() const { return before != kNone && after != kNone; }
  auto key() const { return std::tie(name_space, kind, workload); }
};

/// The address after `last` in its own family: IPv6 has a hole where IPv4 lies.
IpAddress next_of_family(IpAddress last) {
  const IpAddress next = last.plus(1);
  return next.is_v4() && !last.is_v4() ? IpAddress::v4(255, 255, 255, 255).plus(1) : next;
}

class Diff {
 public:
  /// `visit` says whether to go on.
  Diff(PolicyEngine& before, PolicyEngine& after, const DiffOptions& options, std::function<bool(const DiffRow&)> visit)
      : before_(before),
        after_(after),
        options_(options),
        visit_(std::move(visit)),
        // What one side alone says of IPv6 is compared with the other's silence.
        sweep_before_(before,
                      {.includes_external = options.includes_external, .includes_ipv6 = name_ipv6(before, after)}),
        sweep_after_(after,
                     {.includes_external = options.includes_external, .includes_ipv6 = name_ipv6(before, after)}),
        rules_(before, after),
        deltas_(before, after) {
    collect(before_, sweep_before_, &Place::before);
    collect(after_, sweep_after_, &Place::after);
    place_of_before_.resize(sweep_before_.size());
    place_of_after_.resize(sweep_after_.size());
    for (std::size_t p = 0; p < places_.size(); ++p) {
      indexes_.push_back({places_[p].before, places_[p].after});
      if (places_[p].before != kNone) {
        place_of_before_[places_[p].before] = p;
      }
      if (places_[p].after != kNone) {
        place_of_after_[places_[p].after] = p;
      }
    }
    summary_.ends_before = sweep_before_.size();
    summary_.ends_after = sweep_after_.size();
    has_both_families_ = {sweep_before_.has_family(IpFamily::v4) && sweep_after_.has_family(IpFamily::v4),
                          sweep_before_.has_family(IpFamily::v6) && sweep_after_.has_family(IpFamily::v6)};
    summary_.families_differ = sweep_before_.size() > 0 && sweep_after_.size() > 0 &&
                               (sweep_before_.has_family(IpFamily::v4) != sweep_after_.has_family(IpFamily::v4) ||
                                sweep_before_.has_family(IpFamily::v6) != sweep_after_.has_family(IpFamily::v6));
  }

  DiffSummary run() {
    for (std::size_t p = 0; p < places_.size() && goes_on_ && options_.includes_external; ++p) {
      outside(p, Direction::ingress);
    }
    for (std::size_t p = 0; p < places_.size() && goes_on_; ++p) {
      if (options_.includes_external) {
        outside(p, Direction::egress);
      }
      destinations(p);
    }
    for (const Place& place : places_) {
      if (!place.is_on_both()) {
        summary_.workloads.push_back({.kind = place.before == kNone ? ChangeKind::added : ChangeKind::removed,
                                      .name = std::string(place.name),
                                      .connections = place.connections});
      }
    }
    return std::move(summary_);
  }

  bool found_some() const { return found_some_; }

 private:
  static bool name_ipv6(const PolicyEngine& before, const PolicyEngine& after) {
    return names_ipv6(before.policies()) || names_ipv6(after.policies());
  }

  void collect(PolicyEngine& engine, const ReachSweep& sweep, std::size_t Place::*index) {
    const cluster::Cluster& cluster = engine.cluster();
    std::vector<Place> found;
    found.reserve(sweep.size());
    for (std::size_t i = 0; i < sweep.size(); ++i) {
      const ReachSweep::End end = sweep.end(i);
      const cluster::Workload& workload = cluster.workloads[end.workload.index()];
      Place place{.name_space = cluster.namespaces[workload.name_space.index()].name,
                  .kind = workload.kind,
                  .workload = workload.name,
                  .name = end.name};
      place.*index = i;
      found.push_back(std::move(place));
    }
    const auto is_before = [](const Place& a, const Place& b) { return a.key() < b.key(); };
    if (!std::is_sorted(found.begin(), found.end(), is_before)) {
      std::sort(found.begin(), found.end(), is_before);
    }
    // The second side's places join those of the first.
    std::vector<Place> both;
    both.reserve(std::max(places_.size(), found.size()));
    auto first = places_.begin();
    for (Place& place : found) {
      for (; first != places_.end() && is_before(*first, place); ++first) {
        both.push_back(std::move(*first));
      }
      if (first != places_.end() && first->key() == place.key()) {
        (*first).*index = place.*index;
        both.push_back(std::move(*first++));
      } else {
        both.push_back(std::move(place));
      }
    }
    std::move(first, places_.end(), std::back_inserter(both));
    places_ = std::move(both);
  }

  const MatchedPods& pods(Place& place) {
    if (!place.pods) {
      place.pods =
          match_pods(before_, sweep_before_.end(place.before).workload, after_, sweep_after_.end(place.after).workload);
    }
    return *place.pods;
  }

  bool has_same_labels(Place& place) {
    if (!place.has_same_labels) {
      place.has_same_labels = have_same_labels(pods(place), before_.cluster(), after_.cluster());
    }
    return *place.has_same_labels;
  }

  /// The places where one side or the other may find something for the loaded source, in order.
  void find_candidates(const Place& from) {
    const auto list = [](std::size_t index, const ReachSweep& sweep, const std::vector<std::size_t>& place_of,
                         std::vector<std::size_t>& out) {
      out.clear();
      if (index == kNone) {
        return;
      }
      for (const std::uint32_t d : sweep.touched()) {
        out.push_back(place_of[d]);
      }
      if (!std::is_sorted(out.begin(), out.end())) {  // names are in the order of places, mostly
        std::sort(out.begin(), out.end());
      }
    };
    list(from.before, sweep_before_, place_of_before_, touched_before_);
    list(from.after, sweep_after_, place_of_after_, touched_after_);
    candidates_.clear();
    std::set_union(touched_before_.begin(), touched_before_.end(), touched_after_.begin(), touched_after_.end(),
                   std::back_inserter(candidates_));
  }

  void destinations(std::size_t source) {
    Place& from = places_[source];
    if (from.before != kNone) {
      sweep_before_.load_source(from.before);
    }
    if (from.after != kNone) {
      sweep_after_.load_source(from.after);
    }
    find_candidates(from);
    for (std::size_t i = 0; i < candidates_.size() && goes_on_; ++i) {
      const std::size_t d = candidates_[i];
      const bool is_before = from.before != kNone && indexes_[d].before != kNone;
      const bool is_after = from.after != kNone && indexes_[d].after != kNone;
      const auto old_ports = is_before ? sweep_before_.ports_to(indexes_[d].before) : ReachSweep::Ports();
      const auto new_ports = is_after ? sweep_after_.ports_to(indexes_[d].after) : ReachSweep::Ports();
      if (fare_alike(old_ports, new_ports)) {
        continue;  // nearly all
      }
      Place& to = places_[d];
      if (!from.is_on_both() || !to.is_on_both()) {
        one_sided(from, to, is_before ? old_ports : new_ports, is_before);
      } else if (old_ports.ports != nullptr && new_ports.ports != nullptr) {
        pair(from, to, old_ports, new_ports);
      }
    }
  }

  void pair(Place& from, Place& to, const ReachSweep::Ports& old_ports, const ReachSweep::Ports& new_ports) {
    const bool may_be_unknown = old_ports.is_unknown || new_ports.is_unknown;
    Delta delta = delta_of(old_ports, new_ports);
    if (delta.varies) {
      deltas_.compare_pods(&from == &to, pods(from), pods(to), delta);
      if (const auto family = delta.family(); family && old_ports.ports != nullptr && new_ports.ports != nullptr) {
        delta.before = old_ports.in(*family);
        delta.after = new_ports.in(*family);
      }
    } else if (old_ports.families_differ() || new_ports.families_differ()) {
      Delta by_pod;  // pods of one family may be new beside those of both: any pair will not do for an example
      deltas_.compare_pods(&from == &to, pods(from), pods(to), by_pod);
      delta.example = by_pod.example;
    } else {
      for (const PodPair& source : pods(from).pairs) {
        const auto& others = pods(to).pairs;
        const auto other = std::find_if(others.begin(), others.end(), [&](const PodPair& pod) {
          return &from != &to || (pod.before != source.before && pod.after != source.after);
        });
        if (other != others.end()) {
          delta.example = example_of(source, *other);
          break;
        }
      }
    }
    emit(delta, {.name = std::string(from.name)}, {.name = std::string(to.name)},
         !may_be_unknown || (has_same_labels(from) && has_same_labels(to)));
  }

  /// A pair that exists on one side only.
  void one_sided(Place& from, Place& to, const ReachSweep::Ports& ports, bool is_before) {
    if (ports.ports == nullptr || (ports.ports->empty() && !ports.is_unknown)) {
      return;
    }
    from.connections += from.is_on_both() ? 0 : 1;
    to.connections += to.is_on_both() || &from == &to ? 0 : 1;
    emit_one_sided({.name = std::string(from.name)}, {.name = std::string(to.name)}, ports, is_before);
  }

  void emit_one_sided(DiffEnd source, DiffEnd destination, const ReachSweep::Ports& ports, bool is_before) {
    DiffRow row{.cause = is_before          ? DiffCause::workload_removed
                         : ports.is_unknown ? DiffCause::unknown
                                            : DiffCause::workload_added,
                .source = std::move(source),
                .destination = std::move(destination),
                .varies = ports.varies};
    (is_before ? row.before : row.after) = *ports.ports;
    (is_before ? row.closed : row.opened) = *ports.ports;
    (is_before ? row.is_unknown_before : row.is_unknown_after) = ports.is_unknown;
    row.reasons = [] { return std::vector<RuleChange>(); };
    hand_out(row);
  }

  bool is_compared(const ReachSweep::Range& range) const {
    return range.addresses.first.family() == IpFamily::v4 ? has_both_families_.first : has_both_families_.second;
  }

  static DiffEnd external_end(IpAddress first, IpAddress last) {
    return {
        .name = first.to_string() + "-" + last.to_string() + "[External]", .is_external = true, .range = {first, last}};
  }

  void emit_outside(const Place& place, Direction direction, IpAddress first, IpAddress last, const Delta& delta,
                    bool is_alike) {
    const DiffEnd end{.name = std::string(place.name)};
    if (direction == Direction::ingress) {
      emit(delta, external_end(first, last), end, is_alike);
    } else {
      emit(delta, end, external_end(first, last), is_alike);
    }
  }

  void outside(std::size_t p, Direction direction) {
    Place& place = places_[p];
    if (place.before != kNone) {
      sweep_before_.outside(place.before, direction, ranges_before_);
    }
    if (place.after != kNone) {
      sweep_after_.outside(place.after, direction, ranges_after_);
    }
    if (!place.is_on_both()) {
      outside_one_sided(place, direction, place.before != kNone);
      return;
    }
    std::erase_if(ranges_before_, [&](const auto& range) { return !is_compared(range); });
    std::erase_if(ranges_after_, [&](const auto& range) { return !is_compared(range); });
    // Both lists cover the same addresses in order.
    std::optional<Delta> run;
    IpAddress run_first;
    IpAddress run_last;
    bool is_alike = true;
    const auto flush = [&] {
      if (run && goes_on_) {
        emit_outside(place, direction, run_first, run_last, *run, is_alike);
      }
      run.reset();
    };
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < ranges_before_.size() && j < ranges_after_.size()) {
      const auto [old_first, old_last] = ranges_before_[i].addresses;
      const auto [new_first, new_last] = ranges_after_[j].addresses;
      const IpAddress first = std::max(old_first, new_first);
      const IpAddress last = std::min(old_last, new_last);
      const ReachSweep::Ports& old_ports = ranges_before_[i].ports;
      const ReachSweep::Ports& new_ports = ranges_after_[j].ports;
      const bool may_be_unknown = old_ports.is_unknown || new_ports.is_unknown;
      if (fare_alike(old_ports, new_ports)) {
        flush();  // nearly all
        i += last == old_last ? 1 : 0;
        j += last == new_last ? 1 : 0;
        continue;
      }
      is_alike = !may_be_unknown || has_same_labels(place);
      for_each_part(place, direction, first, last, old_ports, new_ports,
                    [&](IpAddress part, IpAddress end, Delta delta) {
                      if (run && run->fares_like(delta) && next_of_family(run_last) == part &&
                          run_first.family() == part.family()) {
                        run_last = end;
                        return;
                      }
                      flush();
                      run = std::move(delta);
                      run_first = part;
                      run_last = end;
                    });
      i += last == old_last ? 1 : 0;
      j += last == new_last ? 1 : 0;
    }
    flush();
  }

  /// Where pods differ, ranges that fare alike as a whole may not do so pod by pod: these are cut at every atom.
  template <class Visit>
  void for_each_part(Place& place, Direction direction, IpAddress first, IpAddress last,
                     const ReachSweep::Ports& old_ports, const ReachSweep::Ports& new_ports, Visit visit) {
    Delta whole = delta_of(old_ports, new_ports);
    if (!whole.varies) {
      if (!pods(place).pairs.empty()) {
        whole.example = example_of(pods(place).pairs.front(), direction, first);
      }
      visit(first, last, std::move(whole));
      return;
    }
    for (IpAddress part = first; true;) {
      const IpAddress end = std::min(
          {last, before_.atom_range(before_.atom_of(part)).second, after_.atom_range(after_.atom_of(part)).second});
      Delta delta = whole;
      for (const std::uint32_t shown : pods(place).shown) {
        deltas_.add_example(delta, example_of(pods(place).pairs[shown], direction, part));
      }
      visit(part, end, std::move(delta));
      if (end == last) {
        return;
      }
      part = next_of_family(end);
    }
  }

  void outside_one_sided(Place& place, Direction direction, bool is_before) {
    for (const ReachSweep::Range& range : is_before ? ranges_before_ : ranges_after_) {
      if (!goes_on_ || (range.ports.ports->empty() && !range.ports.is_unknown)) {
        continue;
      }
      ++place.connections;
      const DiffEnd end{.name = std::string(place.name)};
      DiffEnd external = external_end(range.addresses.first, range.addresses.second);
      if (direction == Direction::ingress) {
        emit_one_sided(std::move(external), end, range.ports, is_before);
      } else {
        emit_one_sided(end, std::move(external), range.ports, is_before);
      }
    }
  }

  /// `is_alike`: both ends have the same labels on both sides, as far as that matters.
  void emit(const Delta& delta, DiffEnd source, DiffEnd destination, bool is_alike) {
    const bool is_unknown = delta.is_unknown_before || delta.is_unknown_after;
    if (!delta.differs()) {
      if (!is_unknown) {
        return;
      }
      if (delta.is_unknown_before == delta.is_unknown_after && is_alike && !options_.unmodelled_differ) {
        ++summary_.unknown_alike;
        return;
      }
    }
    DiffRow row{.cause = is_unknown ? DiffCause::unknown : DiffCause::policy,
                .source = std::move(source),
                .destination = std::move(destination),
                .before = delta.before,
                .after = delta.after,
                .opened = delta.opened,
                .closed = delta.closed,
                .is_unknown_before = delta.is_unknown_before,
                .is_unknown_after = delta.is_unknown_after,
                .varies = delta.varies,
                .family = delta.family()};
    row.reasons = [this, &delta] {
      if (!delta.example) {
        return std::vector<RuleChange>();
      }
      const Example& example = *delta.example;
      const bool has_ports = !example.opened.empty() || !example.closed.empty();
      return rules_.changes(example.source_before, example.destination_before, example.source_after,
                            example.destination_after, has_ports ? example.opened : delta.opened,
                            has_ports ? example.closed : delta.closed);
    };
    hand_out(row);
  }

  void hand_out(const DiffRow& row) {
    DiffTotals& totals = summary_.totals;
    found_some_ = true;
    switch (row.cause) {
      case DiffCause::unknown:
        ++totals.unknown;
        break;
      case DiffCause::workload_added:
        ++totals.workload_added;
        break;
      case DiffCause::workload_removed:
        ++totals.workload_removed;
        break;
      case DiffCause::policy:
        totals.opened += row.opened.empty() ? 0 : 1;
        totals.closed += row.closed.empty() ? 0 : 1;
        totals.both += row.opened.empty() || row.closed.empty() ? 0 : 1;
        totals.opened_outside += row.opened.empty() || !row.is_outside() ? 0 : 1;
        totals.closed_outside += row.closed.empty() || !row.is_outside() ? 0 : 1;
        ++(row.family           ? totals.changed
           : row.before.empty() ? totals.added
           : row.after.empty()  ? totals.removed
                                : totals.changed);
        break;
    }
    goes_on_ = visit_(row) && goes_on_;
  }

  PolicyEngine& before_;
  PolicyEngine& after_;
  DiffOptions options_;
  std::function<bool(const DiffRow&)> visit_;
  ReachSweep sweep_before_;
  ReachSweep sweep_after_;
  RuleChanges rules_;
  Deltas deltas_;
  std::pair<bool, bool> has_both_families_;
  struct Indexes {
    std::size_t before;
    std::size_t after;
  };
  std::vector<Place> places_;
  std::vector<Indexes> indexes_;              // of places_, apart from them: these are walked for every source
  std::vector<std::size_t> place_of_before_;  // by end
  std::vector<std::size_t> place_of_after_;
  std::vector<std::size_t> touched_before_;  // places
  std::vector<std::size_t> touched_after_;
  std::vector<std::size_t> candidates_;
  std::vector<ReachSweep::Range> ranges_before_;
  std::vector<ReachSweep::Range> ranges_after_;
  bool goes_on_ = true;
  bool found_some_ = false;
  DiffSummary summary_;
};

/// What undoing each change alone would do to the new side.
void try_reversals(PolicyEngine& before, PolicyEngine& after, const DiffOptions& options,
                   std::vector<PolicyChange>& changes) {
  // Each costs another diff: together they may cost about as much as a cluster of a thousand workloads does once or
  // twice, and larger clusters are spared.
  constexpr std::uint64_t kMostPairs = 2'000'000;
  const std::uint64_t ends = after.cluster().workloads.size();
  if (changes.size() > options.most_reversals || changes.size() * ends * ends > kMostPairs) {
    return;
  }
  for (PolicyChange& change : changes) {
    const policy::PolicySet reverted = with_reverted(before.policies(), after.policies(), change);
    PolicyEngine engine(after.cluster(), reverted, after.profile(), options.names);
    Diff comparison(engine, after, options, [](const DiffRow&) { return false; });
    comparison.run();
    change.effect = comparison.found_some() ? PolicyChange::Effect::some : PolicyChange::Effect::none;
  }
}

}  // namespace

DiffSummary diff(PolicyEngine& before, PolicyEngine& after, const DiffOptions& options,
                 const std::function<void(const DiffRow&)>& visit) {
  DiffSummary summary = Diff(before, after, options, [&](const DiffRow& row) {
                          visit(row);
                          return true;
                        }).run();
  summary.policies = policy_changes(before.policies(), after.policies());
  if (summary.totals.rows() == 0) {
    for (PolicyChange& change : summary.policies) {
      change.effect = PolicyChange::Effect::none;
    }
    return summary;
  }
  DiffOptions quiet = options;
  quiet.unmodelled_differ = false;  // both sides of a reversal have the new cluster
  try_reversals(before, after, quiet, summary.policies);
  return summary;
}

}  // namespace podwire::analysis
