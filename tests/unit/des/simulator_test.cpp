#include "sim/des/simulator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace podwire::des {
namespace {

struct Seen {
  std::int64_t ps;
  std::uint32_t argument;
  bool operator==(const Seen&) const = default;
};

// Notes every call, and can do something more when one comes.
class Recorder {
 public:
  explicit Recorder(Simulator& simulator) : simulator_(simulator), kind(simulator.on<&Recorder::note>(*this, "note")) {}
  void note(std::uint32_t argument) {
    seen.push_back({simulator_.now().ps(), argument});
    if (then) {
      then(argument);
    }
  }
  void at(std::int64_t ps, std::uint32_t source, std::uint32_t argument) {
    simulator_.at(Time::from_ps(ps), EventSource(source), kind, argument);
  }

 private:
  Simulator& simulator_;

 public:
  Kind kind;
  std::vector<Seen> seen;
  std::function<void(std::uint32_t)> then;
};

// Both homes of the events must agree on all of this.
class SimulatorTest : public testing::TestWithParam<bool> {
 protected:
  Simulator simulator{SimulatorOptions{.seed = 42, .plain_heap = GetParam()}};
  Recorder recorder{simulator};
};
INSTANTIATE_TEST_SUITE_P(Layouts, SimulatorTest, testing::Values(false, true),
                         [](const auto& parameter) { return parameter.param ? "PlainHeap" : "TwoTiers"; });

TEST_P(SimulatorTest, PlaysByTimeThenSourceThenInsertion) {
  recorder.at(20, 1, 0);
  recorder.at(10, 9, 1);
  recorder.at(10, 2, 2);
  recorder.at(10, 9, 3);
  recorder.at(10, 2, 4);
  simulator.run();
  EXPECT_EQ(recorder.seen, (std::vector<Seen>{{10, 2}, {10, 4}, {10, 1}, {10, 3}, {20, 0}}));
  EXPECT_EQ(simulator.event_count(), 5u);
}

TEST_P(SimulatorTest, ZeroDelayPlaysBeforeTheNextSourceOfTheSameTime) {
  recorder.then = [&](std::uint32_t argument) {
    if (argument == 0) {
      recorder.at(10, 1, 10);  // an earlier source: still to be played, and next
      recorder.at(10, 5, 11);  // the same source: after what it scheduled before
      recorder.at(10, 7, 12);
    }
  };
  recorder.at(10, 5, 0);
  recorder.at(10, 5, 1);
  recorder.at(10, 6, 2);
  simulator.run();
  EXPECT_EQ(recorder.seen, (std::vector<Seen>{{10, 0}, {10, 10}, {10, 1}, {10, 11}, {10, 2}, {10, 12}}));
}

TEST_P(SimulatorTest, CallRunsAtOnceWithinTheEvent) {
  recorder.then = [&](std::uint32_t argument) {
    if (argument == 1) {
      simulator.call(recorder.kind, 2);
    }
  };
  recorder.at(5, 0, 1);
  recorder.at(5, 0, 3);
  simulator.run();
  EXPECT_EQ(recorder.seen, (std::vector<Seen>{{5, 1}, {5, 2}, {5, 3}}));
  EXPECT_EQ(simulator.event_count(), 2u);
}

TEST_P(SimulatorTest, RunUntilLeavesWhatIsAtItsEnd) {
  recorder.at(10, 0, 1);
  recorder.at(20, 0, 2);
  simulator.run_until(Time::from_ps(20));
  EXPECT_EQ(recorder.seen.size(), 1u);
  EXPECT_EQ(simulator.now(), Time::from_ps(20));
  recorder.at(20, 0, 3);
  simulator.run_until(Time::from_ps(21));
  EXPECT_EQ(recorder.seen, (std::vector<Seen>{{10, 1}, {20, 2}, {20, 3}}));
}

TEST_P(SimulatorTest, EventsMayArriveBeforeTheNextOneAfterAHalt) {
  recorder.at(1'000'000'000'000, 0, 9);
  simulator.run_until(Time::from_ps(500));
  for (std::uint32_t i = 0; i < 300; ++i) {
    recorder.at(1000 - i, i, i);  // backwards, all before what is pending
  }
  simulator.run();
  ASSERT_EQ(recorder.seen.size(), 301u);
  for (std::uint32_t i = 0; i < 300; ++i) {
    EXPECT_EQ(recorder.seen[i], (Seen{701 + i, 299 - i}));
  }
}

TEST_P(SimulatorTest, NeverIsNeverPlayed) {
  simulator.at(Time::never(), EventSource(0), recorder.kind, 1);
  recorder.at(Time::never().ps() - 1, 0, 2);
  recorder.at(0, 0, 3);
  simulator.run();
  EXPECT_EQ(recorder.seen, (std::vector<Seen>{{0, 3}, {Time::never().ps() - 1, 2}}));
  EXPECT_EQ(simulator.pending(), 1u);
}

TEST_P(SimulatorTest, StopEndsTheRunAndKeepsWhatIsPending) {
  recorder.then = [&](std::uint32_t argument) {
    if (argument == 1) {
      simulator.stop();
    }
  };
  recorder.at(10, 0, 1);
  recorder.at(10, 0, 2);
  simulator.run_until(Time::from_ps(100));
  EXPECT_TRUE(simulator.was_stopped());
  EXPECT_EQ(simulator.now(), Time::from_ps(10));
  EXPECT_EQ(simulator.pending(), 1u);
  simulator.run_until(Time::from_ps(100));
  EXPECT_FALSE(simulator.was_stopped());
  EXPECT_EQ(recorder.seen.size(), 2u);
  EXPECT_EQ(simulator.now(), Time::from_ps(100));
}

TEST_P(SimulatorTest, ThePastIsABrokenContractThatNamesWhenAndWhere) {
  recorder.then = [&](std::uint32_t) { recorder.at(9'999, 0, 0); };
  recorder.at(10'000, 3, 7);
  try {
    simulator.run();
    FAIL() << "an event in the past was accepted";
  } catch (const BrokenContract& broken) {
    const std::string what = broken.what();
    for (const char* part : {"des: ", "past", "simulated time 10000 ps", "event 1,", "note", "seed 42"}) {
      EXPECT_NE(what.find(part), std::string::npos) << part << " in: " << what;
    }
  }
}

TEST_P(SimulatorTest, InterruptStopsAnEndlessRun) {
  std::atomic<bool> interrupted = false;
  simulator.interrupt_with(&interrupted);
  recorder.then = [&](std::uint32_t argument) {
    interrupted = argument == 50'000;
    recorder.at(simulator.now().ps() + 1, 0, argument + 1);
  };
  recorder.at(0, 0, 0);
  recorder.then(49'990);
  simulator.run_until(Time::from_ps(10));
  interrupted = true;
  recorder.then = [&](std::uint32_t argument) { recorder.at(simulator.now().ps() + 1, 0, argument); };
  const std::uint64_t before = simulator.event_count();
  simulator.run();
  EXPECT_TRUE(simulator.was_stopped());
  EXPECT_LE(simulator.event_count() - before, Simulator::kPollEvents);
}

TEST_P(SimulatorTest, ProgressIsReportedAboutAsOftenAsAsked) {
  std::vector<Progress> reports;
  simulator.report_progress([&](const Progress& progress) { reports.push_back(progress); }, Simulator::kPollEvents);
  recorder.then = [&](std::uint32_t argument) {
    if (argument > 0) {
      recorder.at(simulator.now().ps() + 1000, 0, argument - 1);
    }
  };
  recorder.at(0, 0, 5 * Simulator::kPollEvents);
  simulator.run();
  ASSERT_EQ(reports.size(), 5u);
  for (std::size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].events, (i + 1) * Simulator::kPollEvents);
    // The first event is at 0, the next at 1,000 ps.
    EXPECT_EQ(reports[i].now.ps(), static_cast<std::int64_t>(reports[i].events - 1) * 1000);
  }
}

TEST_P(SimulatorTest, SourcesComeInBlocks) {
  const EventSource first = simulator.add_sources(10);
  const EventSource second = simulator.add_sources(1);
  EXPECT_LT(first.plus(9), second);
  EXPECT_EQ(second.value(), first.value() + 10);
  EXPECT_THROW(simulator.add_sources(EventSource::kLimit), BrokenContract);
}

TEST(SimulatorLimits, SixtyThreeKindsFitBesideTheTimers) {
  Simulator simulator;
  std::vector<std::unique_ptr<Recorder>> recorders;
  for (int i = 0; i < 63; ++i) {
    recorders.push_back(std::make_unique<Recorder>(simulator));
  }
  EXPECT_THROW(Recorder one_too_many(simulator), BrokenContract);
}

class Prefetched {
 public:
  void note(std::uint32_t argument) { played.push_back(argument); }
  void look(const Event& soon, const Event* then) const {
    if (then != nullptr) {
      later.push_back(then->argument());
    }
    EXPECT_EQ(std::find(played.begin(), played.end(), soon.argument()), played.end()) << "it is still to come";
    sooner.push_back(soon.argument());
  }
  Reach look_ahead_reach() const { return reach; }
  Reach reach = Reach::memory;
  std::vector<std::uint32_t> played;
  mutable std::vector<std::uint32_t> later;
  mutable std::vector<std::uint32_t> sooner;
};

std::vector<std::uint32_t> played_in_one_run(Simulator& simulator, Prefetched& model) {
  const Kind kind = simulator.on<&Prefetched::note>(model);
  simulator.look_ahead<&Prefetched::look, &Prefetched::look_ahead_reach>(model);
  for (std::uint32_t i = 0; i < 100; ++i) {
    simulator.at(Time::from_ps(i), EventSource(0), kind, i);
  }
  simulator.run();
  std::vector<std::uint32_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(model.played, all);
  return all;
}

TEST(SimulatorPrefetch, ShowsWhatComesSoonAndPlaysAllTheSame) {
  Simulator simulator;
  Prefetched model;
  std::vector<std::uint32_t> expected = played_in_one_run(simulator, model);
  // All of one run: each event but the first, which is popped as the first look begins, is once the later and once the
  // sooner one; only a run's first few are not in both roles in turn.
  expected.erase(expected.begin());
  for (const std::uint32_t argument : expected) {
    EXPECT_NE(std::find(model.later.begin(), model.later.end(), argument), model.later.end()) << argument;
    EXPECT_NE(std::find(model.sooner.begin(), model.sooner.end(), argument), model.sooner.end()) << argument;
  }
  EXPECT_EQ(std::find(model.sooner.begin(), model.sooner.end(), 0u), model.sooner.end());
}

TEST(SimulatorPrefetch, ShowsNothingToAModelThatHasNoUseForIt) {
  Simulator simulator;
  Prefetched model;
  model.reach = Reach::none;
  played_in_one_run(simulator, model);
  EXPECT_TRUE(model.later.empty());
  EXPECT_TRUE(model.sooner.empty());
}

TEST(Fingerprint, DependsOnWhatHappenedNotOnTheOrderOfTelling) {
  Fingerprint forwards;
  forwards.add(1, Time::from_ps(10), 7, 3);
  forwards.add(2, Time::from_ps(20), 8);
  Fingerprint backwards;
  backwards.add(2, Time::from_ps(20), 8);
  backwards.add(1, Time::from_ps(10), 7, 3);
  EXPECT_EQ(forwards.value(), backwards.value());
  Fingerprint parts;
  Fingerprint second_part;
  parts.add(1, Time::from_ps(10), 7, 3);
  second_part.add(2, Time::from_ps(20), 8);
  parts.add(second_part);
  EXPECT_EQ(parts, forwards);
}

TEST(Fingerprint, ChangesWithEachPartOfAnItem) {
  const auto of = [](std::uint32_t what, std::int64_t when, std::uint64_t who, std::uint64_t detail) {
    Fingerprint fingerprint;
    fingerprint.add(what, Time::from_ps(when), who, detail);
    return fingerprint.value();
  };
  const std::vector<std::uint64_t> values = {of(1, 2, 3, 4), of(2, 2, 3, 4), of(1, 3, 3, 4), of(1, 2, 4, 4),
                                             of(1, 2, 3, 5), of(2, 1, 3, 4), of(1, 3, 2, 4), of(0, 0, 0, 0)};
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(values[i], values[j]) << i << " and " << j;
    }
  }
  // Told twice is not told never, nor once.
  Fingerprint twice;
  twice.add(1, Time::from_ps(2), 3, 4);
  twice.add(1, Time::from_ps(2), 3, 4);
  EXPECT_NE(twice.value(), Fingerprint().value());
  EXPECT_NE(twice.value(), of(1, 2, 3, 4));
}

}  // namespace
}  // namespace podwire::des
