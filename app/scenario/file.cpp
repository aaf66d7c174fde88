#include "app/scenario/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "app/scenario/events.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

constexpr std::size_t kMostSeeds = 10'000;
constexpr std::size_t kMostRuns = 100'000;  // policy sets × seeds
constexpr std::size_t kMostPolicySets = 1'000;
constexpr std::size_t kMostWorkloads = 10'000;
constexpr std::size_t kMostEvents = 1'000;
constexpr std::size_t kMostExpectations = 1'000'000;

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::vector<Text> with_spans(const std::vector<config::Node>& nodes) {
  std::vector<Text> texts;
  for (const config::Node node : nodes) {
    texts.push_back({std::string(node.text()), node.span()});
  }
  return texts;
}

// Names become file names and columns of tables.
bool is_plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 63;
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kLongest && is_word(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_word(c) || c == '-' || c == '_' || c == '.'; });
}

void check_name(std::string_view kind, const std::string& name, Span span, Diagnostics& diagnostics) {
  if (!is_plain_name(name)) {
    diagnostics.error("bad-name", fmt::format("\"{}\" cannot name a {}", printable(name, 80), kind), span,
                      "use up to 63 letters, digits, '-', '_' and '.', a letter or digit first");
  }
}

PolicySetFile read_policy_set(const std::string& name, Section& section) {
  PolicySetFile set;
  set.name = name;
  set.span = section.node().key_span().is_known() ? section.node().key_span() : section.span();
  check_name("policy set", name, set.span, section.diagnostics());
  set.starts_from_cluster = section.choice("base", {"cluster", "none"}).value_or(0) == 0;
  set.apply = with_spans(section.texts("apply"));
  set.remove = with_spans(section.texts("delete"));
  set.namespaces = with_spans(section.texts("namespaces"));
  if (!set.namespaces.empty() && set.apply.empty()) {
    section.error("missing-key", "namespaces says where policies are stamped, and apply names none",
                  section.get("namespaces"));
  }
  section.finish();
  return set;
}

std::vector<std::uint64_t> read_seeds(Section& section) {
  const config::Node node = section.get("seeds");
  if (node.is_null()) {
    return {1};
  }
  std::vector<std::uint64_t> seeds;
  const auto add = [&](config::Node item) {
    std::string problem;
    const auto parsed = item.is_scalar() ? parse_seeds(item.text(), problem) : std::nullopt;
    if (parsed) {
      seeds.insert(seeds.end(), parsed->begin(), parsed->end());
    } else {
      section.error("bad-value", problem.empty() ? "seeds are whole numbers" : problem, item,
                    "for example 1, 1..3 or [1, 5, 9]");
    }
  };
  if (node.is_sequence()) {
    for (const config::Node item : node) {
      add(item);
    }
  } else {
    add(node);
  }
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : seeds) {
    if (!seen.insert(seed).second) {
      section.error("duplicate-name", fmt::format("seed {} is named twice", seed), node);
      break;
    }
  }
  if (seeds.size() > kMostSeeds) {
    section.error("out-of-range", fmt::format("{} seeds; at most {} are played", seeds.size(), kMostSeeds), node);
  }
  return seeds.empty() ? std::vector<std::uint64_t>{1} : seeds;
}

RunFile read_run(Section section) {
  RunFile run;
  run.warmup = section.duration("warmup").value_or(run.warmup);
  run.duration = section.duration("duration").value_or(run.duration);
  if (run.duration == Duration::zero()) {
    section.error("out-of-range", "a run of no duration measures nothing", section.get("duration"));
  }
  if (run.warmup.seconds() + run.duration.seconds() > 60.0 * 86'400) {
    section.error("out-of-range", "warm-up and duration together exceed 60 days", section.get("duration"));
  }
  run.seeds = read_seeds(section);
  // A hundred samples of the measured time, unless a long warm-up would make very many of them.
  constexpr std::int64_t kDefaultSamples = 100;
  constexpr std::int64_t kMostSamples = 100'000;
  const Duration whole = run.warmup + run.duration;
  run.sample = std::max({run.duration / kDefaultSamples, whole / kMostSamples, Duration::from_ps(1)});
  if (const auto sample = section.duration("sample")) {
    run.sample = *sample;
    if (run.sample > Duration::zero() && whole / run.sample > kMostSamples) {
      section.error("out-of-range", fmt::format("sample: more than {} samples of one run", kMostSamples),
                    section.get("sample"), "sample less often; 0 samples nothing");
    }
  }
  section.finish();
  return run;
}

void check_limit(Section& section, std::string_view what, std::size_t count, std::size_t most) {
  if (count > most) {
    section.error("out-of-range", fmt::format("{} {}; at most {} are taken", count, what, most));
  }
}

template <class Item>
void check_unique(Section& section, std::string_view kind, const std::vector<Item>& items) {
  std::set<std::string_view> names;
  for (const Item& item : items) {
    if (!item.spec.name.empty() && !names.insert(item.spec.name).second) {
      section.diagnostics().error("duplicate-name",
                                  fmt::format("{} \"{}\" is named twice", kind, printable(item.spec.name)), item.span);
    }
  }
}

// An open loop has rate × time requests, whatever the machine: better refused now than after a night.
void check_request_count(Section& section, const ScenarioFile& file) {
  constexpr double kMostRequests = 4e9;
  double requests = 0.0;
  for (const WorkloadFile& workload : file.workloads) {
    requests += workload.spec.arrivals.per_second * (file.run.warmup + file.run.duration).seconds();
  }
  for (const WorkloadFile& workload : file.workloads) {
    const double counted = workload.spec.arrivals.per_second * file.run.duration.seconds();
    if (counted < 1.0 && !section.diagnostics().has_errors()) {
      section.diagnostics().warning("few-requests",
                                    fmt::format("workload \"{}\" has {:.2g} requests in {:g}s on average",
                                                printable(workload.spec.name), counted, file.run.duration.seconds()),
                                    workload.span, "raise its rate or run.duration");
    }
  }
  if (requests > kMostRequests) {
    section.error(
        "out-of-range",
        fmt::format("a run would play about {:.1e} requests; at most {:.0e} are taken", requests, kMostRequests), {},
        "lower the rates or run.duration");
  }
}

void refuse_later_keys(Section& spec) {
  if (const config::Node node = spec.get("sweep"); node.is_present()) {
    spec.error("not-supported-yet", "sweep is not supported yet", node, "give one value at a time with --set");
  }
}

/// Whether the rest is worth reading: a file without kind or apiVersion that has a spec is a scenario all the same, and
/// its other problems are told in one go.
bool has_scenario_identity(Section& root) {
  const config::Node kind = root.require("kind");
  const config::Node version = root.require("apiVersion");
  if (!kind.is_null() && kind.text() != "Scenario") {
    root.error("not-a-scenario", fmt::format("kind is \"{}\", not Scenario", printable(kind.text(), 60)), kind,
               "`podwire reach` and `podwire explain` take manifests; `podwire run` takes a scenario");
    return false;
  }
  if (!version.is_null() && version.text() != "podwire/v1") {
    root.error("unknown-version", fmt::format("apiVersion is \"{}\"", printable(version.text(), 60)), version,
               "this program reads podwire/v1");
    return false;
  }
  return (!kind.is_null() && !version.is_null()) || root.get("spec").is_present();
}

}  // namespace

bool is_scenario(config::Node root) {
  return root.find("kind").text() == "Scenario" || root.find("apiVersion").text().starts_with("podwire/");
}

std::optional<std::pair<IpProtocol, Port>> parse_port(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto number = parse_count(text.substr(0, slash));
  auto protocol = std::optional(IpProtocol::tcp);
  if (slash != std::string_view::npos) {
    std::string upper(text.substr(slash + 1));
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); });
    protocol = parse_protocol(upper);
  }
  if (!number || *number == 0 || *number > 65'535 || !protocol) {
    return std::nullopt;
  }
  return std::pair(*protocol, Port(static_cast<std::uint16_t>(*number)));
}

std::optional<std::vector<std::uint64_t>> parse_seeds(std::string_view text, std::string& problem) {
  std::vector<std::uint64_t> seeds;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dots = part.find("..");
    const auto first = parse_count(part.substr(0, dots));
    const auto last = dots == std::string_view::npos ? first : parse_count(part.substr(dots + 2));
    if (!first || !last) {
      problem = fmt::format("\"{}\" is no seed", printable(part, 60));
      return std::nullopt;
    }
    if (*last < *first) {
      problem = fmt::format("{}..{} runs backwards", *first, *last);
      return std::nullopt;
    }
    if (*last - *first >= kMostSeeds || seeds.size() + (*last - *first) >= kMostSeeds) {
      problem = fmt::format("\"{}\" names more than {} seeds", printable(part, 60), kMostSeeds);
      return std::nullopt;
    }
    for (std::uint64_t seed = *first; seed < *last; ++seed) {  // *last itself may be the largest number
      seeds.push_back(seed);
    }
    seeds.push_back(*last);
    if (comma == std::string_view::npos) {
      return seeds;
    }
    text.remove_prefix(comma + 1);
  }
}

ScenarioFile read_scenario_file(config::Node root, Settings& settings, Diagnostics& diagnostics) {
  ScenarioFile file;
  // Settings address `spec` directly, so the top level has a path that none can have.
  Section top(root, {"(top)"}, "Scenario", settings, diagnostics);
  if (!has_scenario_identity(top)) {
    return file;
  }
  Section metadata = top.section("metadata");
  file.name = metadata.string("name").value_or("");
  if (!file.name.empty()) {
    check_name("scenario", file.name, metadata.get("name").span(), diagnostics);
  }
  file.description = metadata.string("description").value_or("");
  metadata.get("labels");
  metadata.finish();
  const config::Node spec_node = top.require("spec");
  top.finish();
  if (!spec_node.is_present()) {
    return file;
  }

  Section spec(spec_node, {""}, file.name.empty() ? "Scenario" : fmt::format("Scenario \"{}\"", printable(file.name)),
               settings, diagnostics);
  refuse_later_keys(spec);
  file.cluster = read_cluster_section(spec.section("cluster", "Cluster"));
  for (auto& [name, section] : spec.entries("policySets", "Policy set")) {
    file.policy_sets.push_back(read_policy_set(name, section));
  }
  if (file.policy_sets.empty()) {
    file.policy_sets.push_back({.name = "current"});
  }
  for (Section& section : spec.items("workloads", "Workload")) {
    file.workloads.push_back(read_workload_section(section));
    if (!file.workloads.back().spec.name.empty()) {
      check_name("workload", file.workloads.back().spec.name, file.workloads.back().span, diagnostics);
    }
  }
  check_unique(spec, "workload", file.workloads);
  file.run = read_run(spec.section("run", "Run"));
  for (Section& section : spec.items("events", "Event")) {
    file.events.push_back(read_event_section(section));
    if (file.events.back().at >= file.run.duration) {
      section.error("out-of-range", "the event comes after the end of the run", section.get("at"),
                    "`at` counts from the end of the warm-up and is less than run.duration");
    }
  }
  check_limit(spec, "events", file.events.size(), kMostEvents);
  for (Section& section : spec.items("expect", "Expectation")) {
    file.expectations.push_back(read_expectation_section(section));
  }
  check_request_count(spec, file);
  check_limit(spec, "policy sets", file.policy_sets.size(), kMostPolicySets);
  check_limit(spec, "workloads", file.workloads.size(), kMostWorkloads);
  check_limit(spec, "expectations", file.expectations.size(), kMostExpectations);
  check_limit(spec, "runs (policy sets × seeds)", file.policy_sets.size() * file.run.seeds.size(), kMostRuns);
  spec.finish();
  return file;
}

}  // namespace podwire::scenario
