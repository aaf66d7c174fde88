#include "app/scenario/expectations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace podwire::scenario {
namespace {

using Status = ExpectationResult::Status;
using workload::Outcome;
using workload::WorkloadResult;

std::string port_text(const ConnectionSpec& connection) {
  return connection.dialled.is_valid()
             ? fmt::format(":{}/{}", connection.dialled.number(), to_string(connection.protocol))
             : std::string();
}

const stats::Histogram* histogram_of(const WorkloadResult& result, Measure measure) {
  switch (measure) {
    case Measure::dns_quantile:
      return &result.dns;
    case Measure::connect_quantile:
      return &result.connect;
    case Measure::total_quantile:
      return &result.total;
    default:
      return nullptr;
  }
}

struct Measured {
  Status status = Status::passed;
  std::string text;
};

Measured measure_share(const MeasureBound& bound, std::uint64_t part, std::uint64_t whole) {
  const std::string text = fmt::format("{} {} ({} of {})", bound.name, format_share(part, whole), part, whole);
  if (whole == 0) {
    return {Status::inconclusive, fmt::format("{}: no requests", bound.name)};
  }
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return {bound.threshold.holds(share) ? Status::passed : Status::failed, text};
}

Measured measure(const MeasureBound& bound, const WorkloadResult& result) {
  if (const stats::Histogram* histogram = histogram_of(result, bound.measure)) {
    if (histogram->count() == 0) {
      // Nothing got that far: a bound on how long it takes is missed, not unknown.
      return {Status::failed, fmt::format("{}: no request got that far", bound.name)};
    }
    const auto picoseconds = histogram->percentile(bound.quantile);
    if (!picoseconds) {
      return {Status::inconclusive, fmt::format("{}: {} samples are too few", bound.name, histogram->count())};
    }
    const double seconds = Duration::from_ps(*picoseconds).seconds();
    return {bound.threshold.holds(seconds) ? Status::passed : Status::failed,
            fmt::format("{} {}", bound.name, format_seconds(seconds))};
  }
  switch (bound.measure) {
    case Measure::requests:
      return {bound.threshold.holds(static_cast<double>(result.requests)) ? Status::passed : Status::failed,
              fmt::format("{} requests", result.requests)};
    case Measure::outcome:
      return measure_share(bound, result.count(bound.outcome), result.requests);
    default:
      return measure_share(bound, result.count(Outcome::ok), result.requests);
  }
}

/// What an expectation is about: the whole run, or the requests that arrived between two changes.
WorkloadResult looked_at(const Expectation& expectation, const workload::RunResult& run) {
  const WorkloadResult& first = run.workloads[expectation.workload];
  if (expectation.workload_count == 1 && (!expectation.file->at || first.phases.empty())) {
    return first;
  }
  WorkloadResult part;
  const auto add = [&part](const auto& counts) {
    part.requests += counts.requests;
    for (std::size_t i = 0; i < workload::kOutcomeCount; ++i) {
      part.outcomes[i] += counts.outcomes[i];
    }
    part.dns.merge(counts.dns);
    part.connect.merge(counts.connect);
    part.total.merge(counts.total);
  };
  for (std::size_t w = expectation.workload; w < expectation.workload + expectation.workload_count; ++w) {
    const WorkloadResult& whole = run.workloads[w];
    if (!expectation.file->at || whole.phases.empty()) {
      add(whole);
    } else if (expectation.state < whole.phases.size()) {
      add(whole.phases[expectation.state]);
    }
  }
  return part;
}

// The commonest failure, and the drop that hit this workload most.
void explain_failures(const workload::RunResult& run, std::size_t index, std::size_t count,
                      const WorkloadResult& workload, ExpectationResult& result) {
  std::size_t worst = 0;
  for (std::size_t i = 1; i < workload::kOutcomeCount; ++i) {
    if (workload.outcomes[i] > 0 && (worst == 0 || workload.outcomes[i] > workload.outcomes[worst])) {
      worst = i;
    }
  }
  if (worst > 0) {
    result.because = fmt::format("{} of {} requests ended in {}", workload.outcomes[worst], workload.requests,
                                 workload::kOutcomeNames[worst]);
  }
  for (const workload::DropRow& drop : run.drops) {  // most packets first
    if (drop.workload.is_valid() && drop.workload.index() >= index && drop.workload.index() < index + count) {
      result.because += fmt::format("{}{} packets lost at {}: {}", result.because.empty() ? "" : "; ", drop.packets,
                                    drop.where, drop.rule.empty() ? drop.reason : drop.rule);
      result.rule = drop.span;
      break;
    }
  }
}

Status worse(Status a, Status b) {
  if (a == Status::failed || b == Status::failed) {
    return Status::failed;
  }
  return a == Status::inconclusive || b == Status::inconclusive ? Status::inconclusive : Status::passed;
}

}  // namespace

std::string_view to_string(Status status) {
  constexpr std::string_view kNames[] = {"passed", "failed", "inconclusive"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string format_seconds(double seconds) {
  constexpr std::pair<double, const char*> kUnits[] = {{1.0, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}};
  for (const auto& [size, unit] : kUnits) {
    const double value = seconds / size;
    // 0.9995 of a unit would be shown as 1000 of the next smaller one.
    if (value >= 0.9995 || size == 1e-9) {
      const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
      return seconds == 0.0 ? "0s" : fmt::format("{:.{}f}{}", value, decimals, unit);
    }
  }
  return "0s";
}

std::string format_share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) {
    return "–";
  }
  if (part == whole || part == 0) {
    return part == 0 ? "0%" : "100%";
  }
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  for (const int decimals : {1, 2, 3}) {
    const std::string text = fmt::format("{:.{}f}", percent, decimals);
    const double shown = std::strtod(text.c_str(), nullptr);
    if (shown > 0.0 && shown < 100.0) {
      return text + "%";
    }
  }
  return percent > 50 ? ">99.999%" : "<0.001%";
}

ExpectationResult check_verdict(Judges& judges, const Expectation& expectation) {
  const Judgement judgement = judges.judge(*expectation.connection);
  const Verdict expected = *expectation.file->verdict;
  ExpectationResult result;
  result.number = expectation.number;
  result.subject = fmt::format("{} → {}{}", expectation.connection->from.name, expectation.connection->to,
                               port_text(*expectation.connection));
  if (expectation.file->at) {
    result.subject += fmt::format(" from {} on", format_seconds(expectation.file->at->seconds()));
  }
  result.expected = to_string(expected);
  result.measured = judgement.measured;
  result.because = judgement.because;
  result.rule = judgement.span;
  result.span = expectation.file->span;
  if (judgement.is_mixed || judgement.verdict != expected) {
    const bool is_unknown = !judgement.is_mixed && judgement.verdict == Verdict::unknown;
    result.status = is_unknown ? Status::inconclusive : Status::failed;
  }
  return result;
}

ExpectationResult check_workload(const PolicySetPlan& plan, const Expectation& expectation,
                                 const workload::RunResult& run) {
  ExpectationResult result;
  result.number = expectation.number;
  result.subject =
      fmt::format("workload {}", expectation.workload_count == 1 ? plan.workloads[expectation.workload].name
                                                                 : expectation.file->workload.text);
  if (expectation.file->at) {
    result.subject += fmt::format(" at {}", format_seconds(expectation.file->at->seconds()));
  }
  const WorkloadResult part = looked_at(expectation, run);
  result.span = expectation.file->span;
  for (const MeasureBound& bound : expectation.file->bounds) {
    const Measured measured = measure(bound, part);
    const std::string separator = result.expected.empty() ? "" : ", ";
    result.expected += fmt::format("{}{} {}", separator, bound.name, bound.threshold.text);
    result.measured += separator + measured.text;
    result.status = worse(result.status, measured.status);
  }
  if (run.is_interrupted) {
    result.status = Status::inconclusive;
    result.measured += " (interrupted)";
  }
  if (result.status != Status::passed) {
    explain_failures(run, expectation.workload, expectation.workload_count, part, result);
  }
  return result;
}

}  // namespace podwire::scenario
