#include "models/workload/servers.hpp"

namespace podwire::workload {

Duration draw_time(const TimeDistribution& distribution, random::Draw draw) {
  switch (distribution.kind) {
    case TimeDistribution::Kind::constant:
      return distribution.mean;
    case TimeDistribution::Kind::exponential:
      return distribution.mean > Duration::zero() ? draw.exponential(distribution.mean) : Duration::zero();
    case TimeDistribution::Kind::lognormal:
      return distribution.median > Duration::zero() ? draw.lognormal(distribution.median, distribution.sigma)
                                                    : Duration::zero();
  }
  return Duration::zero();
}

Servers::Servers(des::Simulator& simulator, transport::Transport& transport, std::span<const WorkloadSpec> workloads,
                 std::size_t pod_count, std::uint64_t seed)
    : simulator_(simulator),
      transport_(transport),
      workloads_(workloads),
      service_times_(seed, random::Purpose("workload/service-time")),
      done_(simulator.on<&Servers::on_done>(*this, "server done")),
      source_(simulator.add_sources(static_cast<std::uint32_t>(workloads.size()))),
      queues_(workloads.size()) {
  for (std::size_t w = 0; w < workloads.size(); ++w) {
    if (workloads[w].server_concurrency > 0) {
      queues_[w].resize(pod_count + 1);  // the last one: servers outside the cluster
    }
  }
}

void Servers::begin(std::uint32_t workload, std::uint64_t who, cluster::PodId pod, transport::SocketHandle socket,
                    std::uint64_t tag) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(jobs_.size());
    jobs_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  std::vector<Queue>& queues = queues_[workload];
  const std::uint32_t queue = queues.empty()   ? kNone
                              : pod.is_valid() ? pod.value()
                                               : static_cast<std::uint32_t>(queues.size() - 1);
  jobs_[index] = {.who = who, .tag = tag, .socket = socket, .workload = workload, .queue = queue, .next = kNone};
  if (queue == kNone) {
    work(index);
    return;
  }
  Queue& line = queues[queue];
  if (line.busy < workloads_[workload].server_concurrency) {
    ++line.busy;
    work(index);
  } else {
    (line.last == kNone ? line.first : jobs_[line.last].next) = index;
    line.last = index;
  }
}

void Servers::work(std::uint32_t job) {
  const Job& it = jobs_[job];
  const Duration time = draw_time(workloads_[it.workload].server, service_times_.draw(it.who));
  simulator_.at(simulator_.now() + time, source_.plus(it.workload), done_, job);
}

void Servers::on_done(std::uint32_t job) {
  const Job done = jobs_[job];
  free_.push_back(job);
  if (done.queue != kNone) {
    Queue& line = queues_[done.workload][done.queue];
    if (line.first == kNone) {
      --line.busy;
    } else {  // its place goes to the one that waited longest
      const std::uint32_t next = line.first;
      line.first = jobs_[next].next;
      if (line.first == kNone) {
        line.last = kNone;
      }
      work(next);
    }
  }
  answer(done);
}

void Servers::answer(const Job& job) {
  if (!transport_.is_open(job.socket)) {
    return;  // the client went away meanwhile
  }
  const WorkloadSpec& spec = workloads_[job.workload];
  if (spec.kind == RequestKind::udp_probe) {
    transport_.send_datagram(job.socket, static_cast<std::uint32_t>(spec.response.count()), job.tag);
    transport_.close_udp(job.socket);
    return;
  }
  transport_.send(job.socket, message_bytes(spec.response));
  transport_.close(job.socket);  // "Connection: close": one request a connection
}

std::size_t Servers::memory_bytes() const {
  std::size_t bytes = jobs_.capacity() * sizeof(Job) + free_.capacity() * sizeof(std::uint32_t);
  for (const auto& queues : queues_) {
    bytes += queues.capacity() * sizeof(Queue);
  }
  return bytes;
}

}  // namespace podwire::workload
