// What was expected, what was measured, and why: one result for each expectation, for people and for exit codes.
#pragma once

#include <string>
#include <vector>

#include "app/scenario/judge.hpp"
#include "app/scenario/load.hpp"
#include "models/workload/play.hpp"

namespace podwire::scenario {

struct ExpectationResult {
  enum class Status : std::uint8_t { passed, failed, inconclusive } status = Status::passed;
  std::size_t number = 0;  // position in the file, from 0
  std::string subject;     // "frontend/frontend[Deployment] → database/postgres:5432/TCP", "workload browse"
  std::string expected;    // "denied", "success >= 99.9%, p99 < 5ms"
  std::string measured;    // "allowed", "success 98.2% (982 of 1000), p99 3.1ms"
  std::string because;     // the deciding rule; of a workload that failed: its commonest failure and drop
  Span rule;               // where that rule is written; unknown when none decided
  Span span;               // the expectation in the scenario file
};
/// "passed", "failed", "inconclusive".
std::string_view to_string(ExpectationResult::Status status);

/// Judges an expectation on a connection. An unknown verdict that was not expected is inconclusive.
ExpectationResult check_verdict(Judges& judges, const Expectation& expectation);

/// Measures an expectation on a workload. A quantile that the sample cannot support is inconclusive, and so is anything
/// measured in an interrupted run.
ExpectationResult check_workload(const PolicySetPlan& plan, const Expectation& expectation,
                                 const workload::RunResult& result);

/// "1.25ms", "870µs", "2.0s": three significant digits.
std::string format_seconds(double seconds);
/// "99.9%", "100%", "0%": never rounded up to 100 nor down to 0.
std::string format_share(std::uint64_t part, std::uint64_t whole);

}  // namespace podwire::scenario
