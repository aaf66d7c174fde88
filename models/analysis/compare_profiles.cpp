#include "models/analysis/compare_profiles.hpp"

#include <algorithm>
#include <compare>
#include <map>
#include <utility>

namespace podwire::analysis {

namespace {

constexpr std::uint32_t kNone = 0xffff'ffff;

/// Where a pair stands among the rows: external sources first, by destination; then by source, external destinations
/// first.
struct Place {
  bool is_from_inside = false;
  std::uint32_t workload = 0;  // of the source, or of an external source's destination
  std::uint32_t pod = kNone;
  bool is_to_inside = false;
  std::uint32_t other_workload = kNone;
  std::uint32_t other_pod = kNone;
  auto operator<=>(const Place&) const = default;
};

struct Range {
  IpAddress first;
  IpAddress last;
  std::size_t column = 0;
  ComparedCell cell;
};

struct Pair {
  std::string source;
  std::string destination;
  std::vector<ComparedCell> cells;  // between ends in the cluster, by column
  std::vector<Range> ranges;        // with external addresses
};

/// Reach under several engines, by pair.
class Columns {
 public:
  explicit Columns(std::size_t count) : count_(count) {}

  void fill(std::size_t column, policy::PolicyEngine& engine, const ReachOptions& options) {
    reach(engine, options, [&](const ReachRow& row) { add(column, row); });
  }

  std::vector<ComparedRow> rows() {
    std::vector<ComparedRow> rows;
    for (auto& [place, pair] : pairs_) {
      if (pair.ranges.empty()) {
        rows.push_back({.source = pair.source, .destination = pair.destination, .cells = pair.cells, .fields = {}});
      } else {
        cut(place.is_from_inside, pair, rows);
      }
    }
    return rows;
  }

 private:
  void add(std::size_t column, const ReachRow& row) {
    const ReachEnd& own = row.source.is_external() ? row.destination : row.source;
    const ReachEnd& other = row.source.is_external() ? row.source : row.destination;
    Place place{.is_from_inside = !row.source.is_external(),
                .workload = own.workload.value(),
                .pod = own.pod.is_valid() ? own.pod.value() : kNone};
    if (!other.is_external()) {
      place.is_to_inside = true;
      place.other_workload = other.workload.value();
      place.other_pod = other.pod.is_valid() ? other.pod.value() : kNone;
    }
    Pair& pair = pairs_[place];
    ComparedCell cell{.ports = *row.ports, .is_unknown = row.is_unknown, .varies = row.varies};
    if (row.families_differ()) {
      cell.ipv4 = *row.ipv4;
      cell.ipv6 = *row.ipv6;
    }
    pair.source = row.source.name;
    pair.destination = row.destination.name;
    if (other.is_external()) {
      pair.ranges.push_back(
          {.first = other.range.first, .last = other.range.second, .column = column, .cell = std::move(cell)});
    } else {
      pair.cells.resize(count_);
      pair.cells[column] = std::move(cell);
    }
  }

  /// One row for each longest run of addresses that every column judges alike.
  void cut(bool is_from_inside, const Pair& pair, std::vector<ComparedRow>& rows) const {
    std::vector<IpAddress> firsts;
    std::vector<IpAddress> lasts;
    for (const Range& range : pair.ranges) {
      firsts.push_back(range.first);
      lasts.push_back(range.last);
    }
    for (const Range& range : pair.ranges) {
      // A piece ends before each beginning and begins after each end, within the ranges that hold those places.
      for (const Range& other : pair.ranges) {
        if (other.first < range.first && range.first <= other.last) {
          lasts.push_back(range.first.minus_one());
        }
        if (other.first <= range.last && range.last < other.last) {
          firsts.push_back(range.last.plus(1));
        }
      }
    }
    for (std::vector<IpAddress>* all : {&firsts, &lasts}) {
      std::sort(all->begin(), all->end());
      all->erase(std::unique(all->begin(), all->end()), all->end());
    }
    std::vector<Range> pieces;  // `column` is not used
    std::vector<std::vector<ComparedCell>> cells;
    for (const IpAddress first : firsts) {
      const IpAddress last = *std::lower_bound(lasts.begin(), lasts.end(), first);
      std::vector<ComparedCell> here(count_);
      for (const Range& range : pair.ranges) {
        if (range.first <= first && first <= range.last) {
          here[range.column] = range.cell;
        }
      }
      const bool continues = !pieces.empty() && pieces.back().first.family() == first.family() &&
                             pieces.back().last.plus(1) == first && cells.back() == here;
      if (continues) {
        pieces.back().last = last;
      } else {
        pieces.push_back({.first = first, .last = last, .column = 0, .cell = {}});
        cells.push_back(std::move(here));
      }
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::string name = pieces[i].first.to_string() + "-" + pieces[i].last.to_string() + "[External]";
      rows.push_back({.source = is_from_inside ? pair.source : name,
                      .destination = is_from_inside ? name : pair.destination,
                      .cells = std::move(cells[i]),
                      .fields = {}});
    }
  }

  std::size_t count_;
  std::map<Place, Pair> pairs_;
};

/// A profile with one value of another.
struct Exchange {
  std::size_t other = 0;  // whose value it is
  std::string path;
  cni::Profile profile;
};

std::vector<Exchange> exchanges_between(std::span<const cni::Profile> profiles) {
  std::vector<Exchange> exchanges;
  for (std::size_t i = 1; i < profiles.size(); ++i) {
    for (const std::string& path : cni::verdict_differences(profiles[0], profiles[i])) {
      Exchange& exchange = exchanges.emplace_back(Exchange{.other = i, .path = path, .profile = profiles[0]});
      cni::copy_policy_value(exchange.profile, profiles[i], path);
    }
  }
  return exchanges;
}

}  // namespace

bool ComparedRow::differs() const {
  return std::adjacent_find(cells.begin(), cells.end(), std::not_equal_to<>()) != cells.end();
}

std::vector<ComparedRow> compare_profiles(const cluster::Cluster& cluster, const policy::PolicySet& policies,
                                          std::span<const cni::Profile> profiles, const ReachOptions& options) {
  const std::vector<Exchange> exchanges = exchanges_between(profiles);
  Columns columns(profiles.size() + exchanges.size());
  const auto fill = [&](std::size_t column, const cni::Profile& profile) {
    policy::PolicyEngine engine(cluster, policies, profile);
    columns.fill(column, engine, options);
  };
  for (std::size_t i = 0; i < profiles.size(); ++i) {
    fill(i, profiles[i]);
  }
  for (std::size_t e = 0; e < exchanges.size(); ++e) {
    fill(profiles.size() + e, exchanges[e].profile);
  }
  std::vector<ComparedRow> rows = columns.rows();
  for (ComparedRow& row : rows) {
    for (std::size_t e = 0; e < exchanges.size(); ++e) {
      const ComparedCell& mixed = row.cells[profiles.size() + e];
      const std::string& path = exchanges[e].path;
      if (mixed != row.cells[0] && mixed == row.cells[exchanges[e].other] &&
          std::find(row.fields.begin(), row.fields.end(), path) == row.fields.end()) {
        row.fields.push_back(path);
      }
    }
    row.cells.resize(profiles.size());
  }
  // A value exchanged may have had a connection that no profile has.
  std::erase_if(rows, [](const ComparedRow& row) {
    return std::all_of(row.cells.begin(), row.cells.end(), [](const ComparedCell& c) { return c == ComparedCell(); });
  });
  return rows;
}

}  // namespace podwire::analysis
