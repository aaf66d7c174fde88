// The hold model on the event set, beside the yardstick: a std::priority_queue of 16-byte events ordered by (time,
// source).
//
// Hold: take the earliest event, put one back later; the number pending stays. The yardstick keeps no order among ties
// of one source, which makes its work less than ours. Delays and sources come from a table, the same for both. Warmed
// by three turns of the pending events (at least 200,000 holds), then timed. Items are holds.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "sim/des/event_set.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace {

using podwire::Duration;
using podwire::Time;
using podwire::des::Event;
using podwire::des::EventSet;
using podwire::des::EventSource;
using podwire::des::Kind;
using podwire::random::Draw;
using podwire::random::Purpose;
using podwire::random::Stream;

enum class Delays : std::uint8_t { exponential, network, uniform, bimodal, lockstep, instant, timers };

constexpr std::pair<Delays, const char*> kDelays[] = {
    {Delays::exponential, "exponential"},   // mean 1 ms
    {Delays::network, "network"},           // two link delays (49 % each), 1.9 % services, 0.1 % timers
    {Delays::uniform, "uniform"},           // 0 to 2 ms
    {Delays::bimodal, "bimodal"},           // 90 % below 100 us, 10 % around 10 ms
    {Delays::lockstep, "all-at-one-time"},  // every event at the same time, all moving on together
    {Delays::instant, "zero-delay"},        // every event at the same time, for ever
    {Delays::timers, "network-rto"},        // as network, but 5 % are timers of 200 ms
};

std::int64_t delay_ps(Delays delays, Draw draw) {
  const double u = draw.uniform();
  switch (delays) {
    case Delays::exponential:
      return static_cast<std::int64_t>(draw.exponential(1e9));
    case Delays::network:
    case Delays::timers:
      if (u < 0.49) {
        return 1'824'000;
      }
      if (u < 0.93) {
        return 1'206'000;
      }
      if (delays == Delays::timers && u < 0.98) {
        return 200'000'000'000;
      }
      return u < 0.98 ? 1'206'000 : u < 0.999 ? 100'000'000 : static_cast<std::int64_t>(1e10 * draw.uniform_positive());
    case Delays::uniform:
      return static_cast<std::int64_t>(2e9 * u);
    case Delays::bimodal:
      return static_cast<std::int64_t>(u < 0.9 ? 1e8 * draw.uniform() : 9.5e9 + 1e9 * draw.uniform());
    case Delays::lockstep:
      return 1'000'000;
    case Delays::instant:
      return 0;
  }
  return 0;
}

struct Step {
  std::int64_t delay;
  std::uint32_t source;
};

constexpr std::size_t kSteps = 1 << 16;

std::vector<Step> steps_of(Delays delays) {
  const Stream stream(1, Purpose("bench/hold"));
  std::vector<Step> steps(kSteps);
  for (std::size_t i = 0; i < kSteps; ++i) {
    Draw draw = stream.draw(i);
    steps[i].source = draw.below(1 << 20);
    steps[i].delay = delay_ps(delays, draw);
  }
  return steps;
}

struct YardstickEvent {
  std::int64_t time;
  std::uint32_t source;
  std::uint32_t argument;
  bool operator>(const YardstickEvent& other) const {
    return time > other.time || (time == other.time && source > other.source);
  }
};
static_assert(sizeof(YardstickEvent) == 16);

class Yardstick {
 public:
  void push(std::int64_t time, std::uint32_t source) { queue_.push({time, source, 7}); }
  std::pair<std::int64_t, std::uint32_t> pop() {
    const YardstickEvent event = queue_.top();
    queue_.pop();
    return {event.time, event.argument};
  }

 private:
  std::priority_queue<YardstickEvent, std::vector<YardstickEvent>, std::greater<>> queue_;
};

class Ours {
 public:
  void push(std::int64_t time, std::uint32_t source) {
    events_.push(Event(Time::from_ps(time), EventSource(source), Kind(), 7));
  }
  std::pair<std::int64_t, std::uint32_t> pop() {
    Event event;
    events_.pop_before(Time::never(), event);
    return {event.time().ps(), event.argument()};
  }

 private:
  EventSet events_;
};

template <class Queue>
void hold(benchmark::State& state, Delays delays, std::size_t pending) {
  const std::vector<Step> steps = steps_of(delays);
  Queue queue;
  std::size_t at = 0;
  const auto next = [&]() -> const Step& { return steps[at++ % kSteps]; };
  for (std::size_t i = 0; i < pending; ++i) {
    const Step& step = next();
    // The first times are spread over one delay, so that fixed delays do not all fall together.
    const auto part = static_cast<double>(i) / static_cast<double>(pending);
    const bool together = delays == Delays::lockstep || delays == Delays::instant;
    queue.push(together ? 0 : static_cast<std::int64_t>(part * static_cast<double>(step.delay)), step.source);
  }
  const auto turn = [&] {
    const auto [time, argument] = queue.pop();
    benchmark::DoNotOptimize(argument);
    const Step& step = next();
    queue.push(time + step.delay, step.source);
  };
  for (std::size_t i = 0; i < 3 * pending + 200'000; ++i) {
    turn();
  }
  for (auto _ : state) {
    turn();
  }
  state.SetItemsProcessed(state.iterations());
}

// The whole loop: dispatch through the table of handlers, one event scheduled by each.
class Repeater {
 public:
  Repeater(podwire::des::Simulator& simulator, Delays delays) : simulator_(simulator), steps_(steps_of(delays)) {
    kind_ = simulator.on<&Repeater::fire>(*this, "repeat");
  }
  void fire(std::uint32_t argument) {
    const Step& step = steps_[next_++ % kSteps];
    simulator_.at(simulator_.now() + Duration::from_ps(step.delay), EventSource(step.source), kind_, argument);
    left_ -= 1;
    if (left_ == 0) {
      simulator_.stop();
    }
  }
  void play(std::uint64_t events) {
    left_ = events;
    simulator_.run();
  }
  void start(std::size_t pending) {
    for (std::size_t i = 0; i < pending; ++i) {
      const Step& step = steps_[next_++ % kSteps];
      const auto part = static_cast<double>(i) / static_cast<double>(pending);
      simulator_.at(Time::from_ps(static_cast<std::int64_t>(part * static_cast<double>(step.delay))),
                    EventSource(step.source), kind_, static_cast<std::uint32_t>(i));
    }
  }

 private:
  podwire::des::Simulator& simulator_;
  std::vector<Step> steps_;
  Kind kind_;
  std::size_t next_ = 0;
  std::uint64_t left_ = ~std::uint64_t{0};
};

void simulate(benchmark::State& state, Delays delays, std::size_t pending) {
  constexpr std::uint64_t kBatch = 100'000;
  podwire::des::Simulator simulator;
  Repeater repeater(simulator, delays);
  repeater.start(pending);
  repeater.play(3 * pending + 200'000);
  for (auto _ : state) {
    repeater.play(kBatch);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}

void register_all() {
  for (const auto& [delays, name] : kDelays) {
    for (const std::size_t pending : {std::size_t{1'000}, std::size_t{100'000}, std::size_t{1'000'000}}) {
      const std::string suffix = std::string(name) + "/" + std::to_string(pending);
      const Delays which = delays;
      const auto add = [&](const std::string& prefix, auto run) {
        benchmark::RegisterBenchmark((prefix + suffix).c_str(),
                                     [run, which, pending](benchmark::State& state) { run(state, which, pending); });
      };
      add("yardstick/", hold<Yardstick>);
      add("event_set/", hold<Ours>);
      if (delays == Delays::exponential || delays == Delays::network) {
        add("simulator/", simulate);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
