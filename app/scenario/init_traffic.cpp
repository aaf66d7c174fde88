// See the header. Assumed for every workload, because flows do not tell: one request and one answer a connection, their
// sizes, and that the server takes no time.
#include "app/scenario/init_traffic.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "app/scenario/choose_traffic.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

using flows::FlowProtocol;
using Kind = TrafficEnd::Kind;

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// "3320s" as people write it: "55m20s".
std::string duration_text(std::int64_t seconds) {
  std::string text;
  constexpr std::array<std::pair<std::int64_t, char>, 4> kUnits = {{{86'400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
  for (const auto& [length, letter] : kUnits) {
    if (seconds >= length) {
      text += fmt::format("{}{}", seconds / length, letter);
      seconds %= length;
    }
  }
  return text.empty() ? "0s" : text;
}

/// Three digits, rounded up so that a loop that ticks has its request within the run: "4.34/h".
std::string rate_text(double per_second) {
  constexpr std::array<std::pair<double, char>, 4> kUnits = {{{1, 's'}, {60, 'm'}, {3600, 'h'}, {86'400, 'd'}}};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && per_second * kUnits[unit].first < 1) {
    ++unit;
  }
  const double value = per_second * kUnits[unit].first;
  double step = 0.01;
  while (value / step >= 1000) {
    step *= 10;
  }
  double rounded = step * static_cast<double>(static_cast<std::uint64_t>(value / step));
  while (rounded < value * (1 - 1e-12)) {
    rounded += step;
  }
  std::string text = fmt::format("{:.2f}", rounded);
  text.erase(text.find_last_not_of('0') + 1);
  text.erase(text.find_last_not_of('.') + 1);
  return fmt::format("{}/{}", text, kUnits[unit].second);
}

std::string between(const TrafficTally& tally) {
  return tally.first == tally.last
             ? fmt::format("at {}", flows::format_time(tally.first))
             : fmt::format("between {} and {}", flows::format_time(tally.first), flows::format_time(tally.last));
}

std::string port_text(const TrafficKey& key) {
  return fmt::format("{}/{}", key.port, to_string(static_cast<IpProtocol>(key.protocol)));
}

// Only IPv6 needs it.
std::string quoted(const std::string& text) {
  const bool is_plain = text.find('[') == std::string::npos && text.find("::") == std::string::npos;
  return is_plain ? text : fmt::format("\"{}\"", text);
}

class TrafficWriter {
 public:
  TrafficWriter(const RecordedTraffic& traffic, const TrafficChoice& choice, const InitTrafficOptions& options)
      : traffic_(traffic), choice_(choice), options_(options) {}

  InitTraffic write() const {
    return {.listens = listens(), .rest = workloads() + expect(), .facts = facts(), .workloads = choice_.chosen.size()};
  }

 private:
  std::string listens() const {
    std::map<std::string, std::vector<std::string>> ports;
    for (const ChosenPair& it : choice_.chosen) {
      if (it.needs_listener) {
        ports[traffic_end_name(traffic_.cluster(), it.pair->key.destination)].push_back(port_text(it.pair->key));
      }
    }
    CommentedYaml yaml;
    if (!ports.empty()) {
      yaml.line(2, "listens:", "assumed: what flows reached answers; no manifest says that these do");
    }
    for (auto& [listener, list] : ports) {
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
      yaml.line(3, fmt::format("- {{workload: {}, ports: [{}]}}", listener, fmt::join(list, ", ")));
    }
    return yaml.take();
  }

  std::string window() const { return duration_text(static_cast<std::int64_t>(choice_.window + 0.5)); }

  std::string source() const {
    return fmt::format("{} of {} between {} and {} ({})", counted(traffic_.connections(), "flow"),
                       printable(fmt::format("{}", fmt::join(options_.inputs, ", ")), 200),
                       flows::format_time(traffic_.first()), flows::format_time(traffic_.last()), window());
  }

  static std::string from_basis(const TrafficPair& pair) {
    std::string text = fmt::format("detected from {} {}", counted(pair.passed.count, "flow"), between(pair.passed));
    if (pair.key.source.kind == Kind::public_network) {
      text += "; assumed: the log does not tell public addresses";
    } else if (pair.key.source.kind == Kind::outside && pair.passed.has_more_addresses) {
      text += "; this address stands for its network";
    }
    if (pair.without_verdict > 0) {
      text += fmt::format("; assumed: {} without a recorded verdict passed", pair.without_verdict);
    }
    if (pair.dropped.count > 0) {
      text += fmt::format("; {} more recorded as dropped by policy", pair.dropped.count);
    }
    return text;
  }

  void workload(CommentedYaml& yaml, const ChosenPair& it) const {
    yaml.line(2, "- name: " + it.name);
    if (it.pair->key.protocol == FlowProtocol::udp) {
      yaml.line(3, "kind: udp", "detected");
    }
    yaml.line(3, "from: " + quoted(it.from), from_basis(*it.pair));
    yaml.line(3, "to: " + quoted(it.to), it.to_basis);
    yaml.line(3, "rate: " + rate_text(it.rate),
              it.rate > it.observed
                  ? fmt::format("assumed: raised from {}, so that a run has one", rate_text(it.observed))
                  : fmt::format("detected: {} in {}", it.pair->passed.count, window()));
    if (it.is_constant) {
      yaml.line(3, "arrivals: constant", "assumed: so few that chance might leave none");
    }
  }

  std::string beyond() const {
    return fmt::format("{} of {}, the smallest; --max-workloads {} takes them all",
                       counted(choice_.beyond_pairs, "pair"), counted(choice_.beyond_flows, "flow"),
                       choice_.passed_pairs);
  }

  std::string workloads() const {
    CommentedYaml yaml;
    const bool has_any = !choice_.chosen.empty();
    yaml.line(1, has_any ? "workloads:" : "workloads: []",
              traffic_.connections() == 0 ? "no flow was recorded" : "from " + source());
    if (!choice_.has_window && has_any) {
      yaml.comment(2, "assumed: the flows have nearly one time; rates are as if they came within a second");
    }
    if (has_any) {
      yaml.comment(2,
                   "assumed for all: a connection carries one request of 300B and its answer of 1KiB (64B each with "
                   "udp), and the server takes no time; request, response and server say it otherwise");
    }
    for (const std::string& note : options_.notes) {
      yaml.comment(2, "log: " + note);
    }
    if (choice_.beyond_pairs > 0) {
      yaml.comment(2, "left out: " + beyond());
    }
    for (const LeftOutTraffic& entry : choice_.left_out) {
      yaml.comment(2, fmt::format("not played: {}: {}", counted(entry.count, "flow"), entry.text()));
    }
    for (const ChosenPair& it : choice_.chosen) {
      workload(yaml, it);
    }
    if (has_any) {
      yaml.line(1, fmt::format("run: {{warmup: 1s, duration: {}}}", duration_text(choice_.duration)), run_basis());
    }
    return yaml.take();
  }

  std::string run_basis() const {
    if (choice_.is_shortened) {
      return fmt::format("assumed: of the {} observed so much as plays in seconds", window());
    }
    return static_cast<double>(choice_.duration) < choice_.window + 1
               ? "assumed: as long as was observed"
               : fmt::format("assumed: longer than the {} observed", window());
  }

  // Without the first two characters of its comments this is a list that `expect` takes.
  std::string expect() const {
    CommentedYaml yaml;
    if (choice_.dropped.empty()) {
      return "";
    }
    yaml.comment(1, fmt::format("Recorded as dropped by policy: {} of {}. To have `podwire run` check that the "
                                "policies of the dump deny them, take the \"# \" away from the lines below",
                                counted(choice_.dropped_pairs, "pair"), counted(choice_.dropped_flows, "flow")));
    yaml.comment(1, "expect:");
    for (const DroppedPair& it : choice_.dropped) {
      yaml.comment(1, fmt::format("  - {{policySet: current, from: {}, to: {}, port: {}, verdict: denied}}  # detected "
                                  "from {} {}",
                                  quoted(it.from), quoted(it.to), port_text(it.pair->key),
                                  counted(it.pair->dropped.count, "flow"), between(it.pair->dropped)));
    }
    if (choice_.dropped.size() < choice_.dropped_pairs) {
      yaml.comment(1,
                   fmt::format("  # and {}", counted(choice_.dropped_pairs - choice_.dropped.size(), "further pair")));
    }
    return yaml.take();
  }

  std::vector<InitFact> facts() const {
    std::vector<InitFact> facts;
    const auto tell = [&](std::string topic, std::string value, std::string basis) {
      facts.push_back(
          {.topic = std::move(topic), .value = std::move(value), .basis = std::move(basis), .is_assumed = false});
    };
    tell("traffic",
         fmt::format("{} of {}", counted(choice_.chosen.size(), "workload"), counted(choice_.chosen_flows, "flow")),
         traffic_.connections() == 0 ? "detected: no flow was recorded"
                                     : fmt::format("detected from {}; sizes and service times are assumed", source()));
    if (choice_.dropped_pairs > 0) {
      tell("dropped by policy",
           fmt::format("{} of {}", counted(choice_.dropped_pairs, "pair"), counted(choice_.dropped_flows, "flow")),
           "detected; written as expectations in comments, for you to turn on");
    }
    if (choice_.beyond_pairs > 0) {
      tell("left out", counted(choice_.beyond_flows, "flow"), beyond());
    }
    for (const LeftOutTraffic& entry : choice_.left_out) {
      tell("not played", counted(entry.count, "flow"), entry.text());
    }
    return facts;
  }

  const RecordedTraffic& traffic_;
  const TrafficChoice& choice_;
  const InitTrafficOptions& options_;
};

}  // namespace

InitTraffic plan_traffic(const RecordedTraffic& traffic, const std::vector<flows::StrangerName>& strangers,
                         const InitTrafficOptions& options) {
  const TrafficChoice choice = choose_traffic(traffic, strangers, options.most_workloads);
  return TrafficWriter(traffic, choice, options).write();
}

std::vector<std::string> log_notes(const std::string& name, flows::LogFormat format,
                                   const flows::LogStatistics& statistics) {
  const std::string log = printable(name, 200);
  std::vector<std::string> notes;
  if (!statistics.problem.empty()) {
    notes.push_back(fmt::format("{} was not read to its end: {}", log, printable(statistics.problem)));
  }
  if (statistics.damaged > 0) {
    notes.push_back(fmt::format("{}: {} of {} cannot be read; the first, line {}: {}", log, statistics.damaged,
                                counted(statistics.lines, "line"), statistics.first_damaged.front().line,
                                printable(statistics.first_damaged.front().reason)));
  }
  if (statistics.lost_events > 0) {
    notes.push_back(fmt::format("{}: {} lost before they were recorded, so rates are too low", log,
                                counted(statistics.lost_events, "event")));
  }
  if (format == flows::LogFormat::goldmane) {
    notes.push_back(
        fmt::format("{}: Calico's records are sums of connections and count as one each, so rates are too low", log));
  }
  return notes;
}

}  // namespace podwire::scenario
