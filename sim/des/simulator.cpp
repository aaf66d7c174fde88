#include "sim/des/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace podwire::des {

namespace {
// Sweeping a small far tier gains nothing.
constexpr std::uint64_t kLeastSweep = 512;
// In events: far enough for a line to come while the handlers between run, near enough for it to be there still.
constexpr std::size_t kReachOfCache = 2;
constexpr std::size_t kReachOfMemory = 6;
}  // namespace

Simulator::Simulator(SimulatorOptions options)
    : events_(options.plain_heap ? EventSet::Layout::plain_heap : EventSet::Layout::two_tiers), seed_(options.seed) {
  timer_kind_ = on<&Simulator::on_timer>(*this, "timer");
}

Kind Simulator::add_handler(Handler handler) {
  PODWIRE_CHECK(kinds_ < Kind::kLimit, "des", "there are at most 64 kinds of events");
  handlers_[kinds_] = handler;
  return Kind(kinds_++);
}

void Simulator::add_observer(Observer observer) {
  PODWIRE_CHECK(observer_.model == nullptr, "des", "one model looks ahead");
  observer_ = observer;
}

EventSource Simulator::add_sources(std::uint32_t count) {
  PODWIRE_CHECK(count <= EventSource::kLimit - sources_, "des", "there are at most 2^26 event sources");
  const std::uint32_t first = std::exchange(sources_, sources_ + count);
  return EventSource(count == 0 ? 0 : first);
}

void Simulator::report_progress(std::function<void(const Progress&)> callback, std::uint64_t every) {
  progress_ = std::move(callback);
  progress_every_ = every;
  progress_next_ = event_count_ + every;
}

void Simulator::arm(Timer& timer, Time time, EventSource source, Kind kind, std::uint32_t argument) {
  if (timers_.is_armed(timer)) {
    TimerNodes::Node& node = timers_[timer.node];
    if (time >= node.deadline && source == node.source) {
      node.deadline = time;
      node.kind = kind;
      node.argument = argument;
      return;
    }
    cancel(timer);
  }
  timer = timers_.add(time, source, kind, argument);
  at(time, source, timer_kind_, timer.node);
}

void Simulator::cancel(Timer& timer) {
  if (timers_.is_armed(timer)) {
    timers_.kill(timer);
    sweep_dead_timers();
  }
  timer = Timer();
}

void Simulator::stop() {
  stopped_ = true;
  limit_ = Time::from_ps(-1);
}

void Simulator::run_until(Time end) {
  PODWIRE_CHECK(!is_running_, "des", "a handler does not call run_until");
  is_running_ = true;
  stopped_ = false;
  limit_ = end;
  try {
    const auto play_some = [this] {
      switch (observer_.model != nullptr ? observer_.reach(observer_.model) : Reach::none) {
        case Reach::cache:
          return play<kReachOfCache>(kPollEvents);
        case Reach::memory:
          return play<kReachOfMemory>(kPollEvents);
        default:
          return play<0>(kPollEvents);
      }
    };
    while (play_some() && !stopped_) {
      if (interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed)) {
        stop();
      }
      if (progress_ && event_count_ >= progress_next_) {
        progress_next_ = event_count_ + progress_every_;
        progress_({now_, event_count_});
      }
    }
  } catch (const BrokenContract& broken) {
    is_running_ = false;
    rethrow(broken);
  } catch (...) {
    is_running_ = false;
    throw;
  }
  is_running_ = false;
  if (!stopped_ && end != Time::never()) {
    now_ = std::max(now_, end);
  }
}

inline void Simulator::look(std::size_t ahead, std::size_t reach) const {
  if (const Event* const sooner = events_.upcoming(ahead); sooner != nullptr) {
    observer_.look(observer_.model, *sooner, events_.upcoming(ahead + reach));
  }
}

// Nothing of a run was looked at before it began: what comes at once is looked at twice.
template <std::size_t kReach>
void Simulator::look_into_new_run() const {
  if (const Event* const first = events_.upcoming(0); first != nullptr) {
    for (std::size_t i = 0; i < kReach; ++i) {
      observer_.look(observer_.model, *first, events_.upcoming(i));
    }
  }
  for (std::size_t i = 0; i < kReach; ++i) {
    look(i, kReach);
  }
}

// Plays up to `budget` events; false when none is left before the limit.
template <std::size_t kReach>
bool Simulator::play(std::uint32_t budget) {
  Event event;
  [[maybe_unused]] std::uint64_t run = events_.runs();
  for (; budget > 0; --budget) {
    if (!events_.pop_before(limit_, event)) {
      return false;
    }
    now_ = event.time();
    current_kind_ = event.kind();
    ++event_count_;
    if constexpr (kReach > 0) {
      if (events_.runs() != run) [[unlikely]] {
        run = events_.runs();
        look_into_new_run<kReach>();
      }
      look(kReach, kReach);
    }
    call(current_kind_, event.argument());
  }
  return true;
}

void Simulator::on_timer(std::uint32_t index) {
  --event_count_;
  TimerNodes::Node& node = timers_[index];
  if (!node.is_live) {
    timers_.release(index);
    return;
  }
  if (node.deadline > now_) {
    at(node.deadline, node.source, timer_kind_, index);
    return;
  }
  const Kind kind = node.kind;
  const std::uint32_t argument = node.argument;
  timers_.release(index);
  ++event_count_;
  call(kind, argument);
}

// The dead in the far tier are at most the timers cancelled since the last sweep. Once those could be half of it, the
// sweep's cost, the size of the tier, is paid by the cancellations.
void Simulator::sweep_dead_timers() {
  if (++cancelled_since_sweep_ < std::max<std::uint64_t>(kLeastSweep, events_.far_size() / 2)) {
    return;
  }
  cancelled_since_sweep_ = 0;
  events_.sweep_far([this](const Event& event) {
    if (event.kind() != timer_kind_ || timers_[event.argument()].is_live) {
      return false;
    }
    timers_.release(event.argument());
    return true;
  });
}

void Simulator::rethrow(const BrokenContract& broken) const {
  throw BrokenContract(fmt::format("{} [simulated time {} ps, event {}, kind {} {}, seed {}]", broken.what(), now_.ps(),
                                   event_count_, current_kind_.value(), handlers_[current_kind_.value()].name, seed_));
}

}  // namespace podwire::des
