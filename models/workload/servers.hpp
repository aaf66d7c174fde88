// What answers: the application inside a server pod. It takes a request, works on it for its service time, and answers.
//
// A pod works on at most WorkloadSpec::server_concurrency requests of a workload at a time; further ones wait in order
// of arrival. A server does not notice that its client has given up: it works to the end, as most do. Service times are
// draws of the request's identity, so they are the same under every policy set whatever the order of service.
// Left out: a limit across workloads, CPU contention between applications, load-dependent service times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "models/transport/transport.hpp"
#include "models/workload/spec.hpp"
#include "sim/des/simulator.hpp"
#include "sim/random/draw.hpp"

namespace podwire::workload {

/// One draw of a service time.
Duration draw_time(const TimeDistribution& distribution, random::Draw draw);

/// What an HTTP message takes on a connection: one byte at least, as a start line is never empty.
inline std::uint64_t message_bytes(Bytes size) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(size.count(), 1));
}

class Servers {
 public:
  Servers(des::Simulator& simulator, transport::Transport& transport, std::span<const WorkloadSpec> workloads,
          std::size_t pod_count, std::uint64_t seed);

  /// The whole request `who` (its identity) of `workload` has reached `pod` over `socket`; `tag` comes back with a
  /// datagram's answer. Work begins now or waits its turn.
  void begin(std::uint32_t workload, std::uint64_t who, cluster::PodId pod, transport::SocketHandle socket,
             std::uint64_t tag);

  /// Requests that servers hold, at work or waiting.
  std::size_t held() const { return jobs_.size() - free_.size(); }
  std::size_t memory_bytes() const;

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  struct Job {
    std::uint64_t who = 0;
    std::uint64_t tag = 0;
    transport::SocketHandle socket;
    std::uint32_t workload = 0;
    std::uint32_t queue = kNone;
    std::uint32_t next = kNone;  // behind it in its pod's queue
  };
  struct Queue {
    std::uint32_t busy = 0;
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  void work(std::uint32_t job);
  void on_done(std::uint32_t job);
  void answer(const Job& job);

  des::Simulator& simulator_;
  transport::Transport& transport_;
  std::span<const WorkloadSpec> workloads_;
  random::Stream service_times_;
  des::Kind done_;
  des::EventSource source_;
  std::vector<Job> jobs_;
  std::vector<std::uint32_t> free_;
  std::vector<std::vector<Queue>> queues_;  // by workload (empty: no limit), then pod
};

}  // namespace podwire::workload
