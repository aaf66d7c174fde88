// The event loop: a table of handlers, a set of pending events, timers, and the clock.
//
// Invariants: events play in the order (time, source, insertion at that source); the clock never goes back; nothing is
// scheduled in the past. The loop knows no model: each registers its member functions and gets a Kind for each. One
// indirect call an event, no allocation once the stores have grown. A Simulator and its models belong to one thread.
// Left out: parallel windows within one run; what they need (an order that is local to each source) is kept.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "sim/des/event.hpp"
#include "sim/des/event_set.hpp"
#include "sim/des/fingerprint.hpp"
#include "sim/des/timers.hpp"

namespace podwire::des {

/// How a simulator is set up; nothing here changes what happens in the run.
struct SimulatorOptions {
  std::uint64_t seed = 0;   // named in broken contracts, never drawn from
  bool plain_heap = false;  // keep the events in one binary heap, to check the event set against
};

/// Where a run is, for progress bars.
struct Progress {
  Time now;
  std::uint64_t events = 0;  // handler calls from the event set so far
};

/// How far a model looks ahead (Simulator::look_ahead): not at all, as far as a line takes to come from the third-level
/// cache, or from memory.
enum class Reach : std::uint8_t { none, cache, memory };

/// A sequential discrete-event simulator.
class Simulator {
 public:
  /// How often the interrupt flag and the progress callback are looked at, in events.
  static constexpr std::uint32_t kPollEvents = 1u << 14;

  explicit Simulator(SimulatorOptions options = {});
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // ---- set-up ----

  /// Registers `Method`, a `void (Model::*)(std::uint32_t argument)`, with `model`, which outlives the simulator's
  /// runs. At most 63 kinds. `name` is for diagnostics and must be a literal.
  template <auto Method, class Model>
  Kind on(Model& model, const char* name = "") {
    return add_handler(
        {[](void* target, std::uint32_t argument) { (static_cast<Model*>(target)->*Method)(argument); }, &model, name});
  }
  /// Lets `model` touch memory ahead of time for events that will play soon, of whatever kind. `Look`, a
  /// `void (Model::*)(const Event& sooner, const Event* later) const`, is called before each event: `later` (null near
  /// the end of what is known) is some events further than `sooner`, so most events, not all, are first the one and
  /// then the other; they may still not play. `HowFar`, a `Reach (Model::*)() const`, is asked now and then. At most
  /// one model of a simulator looks ahead.
  template <auto Look, auto HowFar, class Model>
  void look_ahead(const Model& model) {
    add_observer({[](const void* target, const Event& sooner, const Event* later) {
                    (static_cast<const Model*>(target)->*Look)(sooner, later);
                  },
                  [](const void* target) { return (static_cast<const Model*>(target)->*HowFar)(); }, &model});
  }
  /// A block of `count` unique sources; the first is returned, the others are first.plus(1), ... Earlier blocks win
  /// ties.
  EventSource add_sources(std::uint32_t count);
  /// `flag` (or null) is read every kPollEvents events; once true, the run stops as if by stop().
  void interrupt_with(const std::atomic<bool>* flag) { interrupt_ = flag; }
  /// `callback` is called about every `every` events (rounded up to kPollEvents). It must not schedule.
  void report_progress(std::function<void(const Progress&)> callback, std::uint64_t every);

  // ---- from handlers ----

  Time now() const { return now_; }
  /// Schedules `kind` with `argument` at `time` (>= now()). Amortised O(1).
  void at(Time time, EventSource source, Kind kind, std::uint32_t argument) {
    PODWIRE_CHECK(time >= now_, "des", "nothing is scheduled in the past");
    events_.push(Event(time, source, kind, argument));
  }
  /// The upward call without delay: runs the handler of `kind` now, inside the current event.
  void call(Kind kind, std::uint32_t argument) {
    const Handler& handler = handlers_[kind.value()];
    handler.call(handler.model, argument);
  }

  /// Sets `timer` to call `kind` with `argument` at `time` (>= now()); an armed timer is moved. Moving it later costs
  /// no event: the pending one goes on when it comes up. Among ties a timer counts as inserted when it was armed, or,
  /// moved later, when its earlier time passed.
  void arm(Timer& timer, Time time, EventSource source, Kind kind, std::uint32_t argument);
  /// An armed timer will not fire; others are left alone. The handle is reset.
  void cancel(Timer& timer);
  /// Whether `timer` is set and has neither fired nor been cancelled.
  bool is_armed(Timer timer) const { return timers_.is_armed(timer); }
  /// When an armed timer will fire, Time::never() otherwise.
  Time deadline(Timer timer) const { return timers_.deadline(timer); }

  /// Ends run_until after the current handler; pending events stay.
  void stop();

  // ---- the run ----

  /// Plays every event earlier than `end`, then sets the clock to `end` (but for Time::never()). Stopped, the clock
  /// stays. A BrokenContract from a handler is thrown again with the simulated time, event number, kind and seed added.
  void run_until(Time end);
  /// Plays until nothing is left before Time::never().
  void run() { run_until(Time::never()); }
  /// Whether the last run_until was ended by stop() or the interrupt flag.
  bool was_stopped() const { return stopped_; }

  /// Handler calls from the event set so far, fired timers included, dead or moved ones not.
  std::uint64_t event_count() const { return event_count_; }
  /// Events in the set, those of dead or moved timers included.
  std::size_t pending() const { return events_.size(); }
  Fingerprint& fingerprint() { return fingerprint_; }
  const Fingerprint& fingerprint() const { return fingerprint_; }
  const EventSet& event_set() const { return events_; }

 private:
  struct Handler {
    void (*call)(void* model, std::uint32_t argument) = nullptr;
    void* model = nullptr;
    const char* name = "";
  };
  struct Observer {
    void (*look)(const void* model, const Event& sooner, const Event* later) = nullptr;
    Reach (*reach)(const void* model) = nullptr;
    const void* model = nullptr;
  };

  Kind add_handler(Handler handler);
  void add_observer(Observer observer);
  template <std::size_t kReach>
  bool play(std::uint32_t budget);
  void look(std::size_t ahead, std::size_t reach) const;
  template <std::size_t kReach>
  [[gnu::noinline]] void look_into_new_run() const;
  void on_timer(std::uint32_t node);
  void sweep_dead_timers();
  [[noreturn]] void rethrow(const BrokenContract& broken) const;

  Time now_;
  Time limit_;  // events at or after it do not play; stop() pulls it to the past
  std::uint64_t event_count_ = 0;
  EventSet events_;
  std::array<Handler, Kind::kLimit> handlers_ = {};
  Observer observer_;
  TimerNodes timers_;
  Kind timer_kind_;
  Kind current_kind_;
  Fingerprint fingerprint_;
  std::uint32_t kinds_ = 0;
  std::uint32_t sources_ = 0;
  std::uint64_t cancelled_since_sweep_ = 0;
  bool is_running_ = false;
  bool stopped_ = false;
  const std::atomic<bool>* interrupt_ = nullptr;
  std::function<void(const Progress&)> progress_;
  std::uint64_t progress_every_ = 0;
  std::uint64_t progress_next_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace podwire::des
