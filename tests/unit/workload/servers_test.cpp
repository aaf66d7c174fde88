// Servers as queues. The oracle is the recursion of a first-come first-served station with c places: a request begins
// when the earliest place falls free, or at once. Between one client pod and one server pod every request has the same
// way, so what a request takes beyond its wait and its service is the same for all (but for requests that meet on a
// core or a link, a few microseconds).
#include "models/workload/servers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/support/stage.hpp"
#include "tests/support/town.hpp"

namespace podwire::workload {
namespace {

using namespace test;

struct ServersTest : testing::Test {
  Stage stage{pod_yaml("a", "client", 1) + pod_yaml("b", "server", 2)};
  WorkloadSpec spec = loop(from_pods({stage.pod("a", "client")}), at_address(stage.ip("b", "server"), 8080));

  /// Wait of each arrival (by ordinal) in seconds: the station serves all of them, whatever became of their clients.
  std::vector<double> waits(const std::vector<double>& arrivals, const std::vector<double>& services) const {
    std::vector<double> free(spec.server_concurrency, 0.0);
    std::vector<double> result;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      const auto place = std::min_element(free.begin(), free.end());
      const double begin = std::max(*place, arrivals[i]);
      result.push_back(begin - arrivals[i]);
      *place = begin + services[i];
    }
    return result;
  }
  double service(std::int64_t ordinal) const {
    const random::Stream stream(1, random::Purpose("workload/service-time"));
    return draw_time(spec.server, stream.draw(random::identity(0u, static_cast<std::uint32_t>(ordinal)))).seconds();
  }
  /// Plays without warm-up, so that the station is empty at the first row.
  Played play(Duration duration) {
    RunInput input;
    input.duration = duration;
    return stage.play_rows({spec}, input);
  }
  /// Rows against the recursion: each ends in its wait + service + `base`, or at its deadline. Returns how many differ
  /// by more than 20 us.
  std::size_t count_differences(const std::vector<RequestRow>& rows, double base) const {
    std::vector<double> arrivals;
    std::vector<double> services;
    for (const RequestRow& row : rows) {
      arrivals.push_back(static_cast<double>(row.arrived) * 1e-9);
      services.push_back(service(row.ordinal));
    }
    const std::vector<double> wait = waits(arrivals, services);
    std::size_t differences = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double expected = std::min(wait[i] + services[i] + base, spec.timeout.seconds());
      const double took = static_cast<double>(rows[i].ended - rows[i].arrived) * 1e-9;
      differences += std::abs(took - expected) > 20e-6 ? 1 : 0;
      if (std::abs(expected - spec.timeout.seconds()) > 100e-6) {
        EXPECT_EQ(rows[i].how(), expected < spec.timeout.seconds() ? Outcome::ok : Outcome::response_timeout) << i;
      } else if (expected == spec.timeout.seconds() && wait[i] + services[i] > spec.timeout.seconds()) {
        EXPECT_EQ(rows[i].how(), Outcome::response_timeout) << i;
      }
    }
    return differences;
  }
  /// What a request takes beyond its service. The server works a millisecond for this: an answer that is ready at once
  /// would wait behind the acknowledgement of the request.
  double base() {
    WorkloadSpec alone = spec;
    alone.arrivals = {.kind = Arrivals::Kind::constant, .per_second = 10.0};
    alone.server = {.mean = 1_ms};
    alone.timeout = 500_ms;
    const RequestRow row = stage.play_rows({alone}).rows.at(0);
    return static_cast<double>(row.ended - row.arrived) * 1e-9 - 1e-3;
  }
};

TEST_F(ServersTest, OnePlaceAndRequestsFasterThanItServesQueueInOrder) {
  // D/D/1: a request each 10 ms, 17 ms of work: the k-th waits k × 7 ms.
  spec.arrivals.per_second = 100.0;
  spec.server.mean = 17_ms;
  spec.server_concurrency = 1;
  const double base_s = base();
  const Played played = play(80_ms);
  ASSERT_EQ(played.rows.size(), 8u);
  for (std::size_t k = 0; k < 8; ++k) {
    const double took = static_cast<double>(played.rows[k].ended - played.rows[k].arrived) * 1e-9;
    EXPECT_NEAR(took, base_s + 0.017 + 0.007 * static_cast<double>(k), 10e-9) << k;
  }
}

TEST_F(ServersTest, TwoPlacesServeTwoAtATime) {
  // D/D/2: a request each 10 ms, 27 ms of work: a place is free every 27 ms for every 20 ms of arrivals, so each pair
  // waits 7 ms longer than the one before.
  spec.arrivals.per_second = 100.0;
  spec.server.mean = 27_ms;
  spec.server_concurrency = 2;
  const double base_s = base();
  const Played played = play(80_ms);
  ASSERT_EQ(played.rows.size(), 8u);
  for (std::size_t k = 0; k < 8; ++k) {
    const double took = static_cast<double>(played.rows[k].ended - played.rows[k].arrived) * 1e-9;
    EXPECT_NEAR(took, base_s + 0.027 + 0.007 * static_cast<double>(k / 2), 10e-9) << k;
  }
}

TEST_F(ServersTest, WithoutALimitNobodyWaits) {
  spec.arrivals.per_second = 100.0;
  spec.server.mean = 150_ms;
  const double base_s = base();
  for (const RequestRow& row : play(1_s).rows) {
    EXPECT_NEAR(static_cast<double>(row.ended - row.arrived) * 1e-9, base_s + 0.150, 20e-6);
  }
}

TEST_F(ServersTest, PoissonArrivalsAndExponentialWorkFollowTheRecursionAndItsMean) {
  // M/M/1 at 200/s with 2.5 ms of work: half busy, 1 / (400 − 200) s = 5 ms in the station on average. Over 50 s the
  // mean's standard error is about 0.2 ms (relaxation time 2 / (mu (1 − sqrt(rho))²) = 58 ms, deviation 5 ms).
  spec.arrivals = {.kind = Arrivals::Kind::poisson, .per_second = 200.0};
  spec.server = {.kind = TimeDistribution::Kind::exponential, .mean = 2'500_us};
  spec.server_concurrency = 1;
  const double base_s = base();
  const Played played = play(50_s);
  EXPECT_LT(count_differences(played.rows, base_s), played.rows.size() / 50) << "those that met another on the way";
  double sum = 0.0;
  for (const RequestRow& row : played.rows) {
    sum += static_cast<double>(row.ended - row.arrived) * 1e-9 - base_s;
  }
  EXPECT_NEAR(sum / static_cast<double>(played.rows.size()), 0.005, 4 * 0.0002);
}

TEST_F(ServersTest, SeveralPlacesFollowTheRecursionToo) {
  spec.arrivals = {.kind = Arrivals::Kind::poisson, .per_second = 400.0};
  spec.server = {.kind = TimeDistribution::Kind::lognormal, .median = 5_ms, .sigma = 0.8};
  spec.server_concurrency = 3;
  const Played played = play(10_s);
  EXPECT_LT(count_differences(played.rows, base()), played.rows.size() / 25);
}

TEST_F(ServersTest, AServerWorksOnAfterItsClientHasGivenUp) {
  // Clients wait 6 ms, the recursion lets every request take its service time all the same: were one of them dropped
  // from the queue, or broken off, all behind it would end earlier than it says.
  spec.arrivals = {.kind = Arrivals::Kind::poisson, .per_second = 200.0};
  spec.server = {.kind = TimeDistribution::Kind::exponential, .mean = 4_ms};
  spec.server_concurrency = 1;
  spec.timeout = 6_ms;
  const Played played = play(20_s);
  EXPECT_LT(count_differences(played.rows, base()), played.rows.size() / 50);
  const WorkloadResult& result = played.result.workloads[0];
  EXPECT_GT(result.count(Outcome::response_timeout), result.requests / 4);
  EXPECT_GT(result.count(Outcome::ok), result.requests / 10);
}

TEST_F(ServersTest, WorkloadsDoNotShareALimit) {
  spec.arrivals.per_second = 100.0;
  spec.server.mean = 100_ms;
  spec.server_concurrency = 1;
  WorkloadSpec quick = loop(spec.from, spec.to);
  quick.name = "quick";
  RunInput input;
  const Played played = stage.play_rows({spec, quick}, input);
  for (const RequestRow& row : played.rows) {
    if (row.workload == 1) {
      EXPECT_LT(row.ended - row.arrived, 1'000'000) << "its own line is empty";
    }
  }
}

TEST(ServiceTimes, FollowTheirDistributions) {
  // 40,000 draws; four standard errors: exponential 1 ms / sqrt(n) = 0.005 ms; a lognormal's median by its sign test,
  // 0.5 / sqrt(n) = 0.0025 of the draws.
  const random::Stream stream(5, random::Purpose("test"));
  const TimeDistribution exponential{.kind = TimeDistribution::Kind::exponential, .mean = 1_ms};
  const TimeDistribution lognormal{.kind = TimeDistribution::Kind::lognormal, .median = 2_ms, .sigma = 1.0};
  double sum = 0.0;
  int below = 0;
  for (std::uint64_t who = 0; who < 40'000; ++who) {
    sum += draw_time(exponential, stream.draw(who)).seconds();
    below += draw_time(lognormal, stream.draw(who)) < 2_ms ? 1 : 0;
  }
  EXPECT_NEAR(sum / 40'000, 1e-3, 4 * 0.005e-3);
  EXPECT_NEAR(below / 40'000.0, 0.5, 4 * 0.0025);
  EXPECT_EQ(draw_time({.mean = 7_ms}, stream.draw(1)), 7_ms);
  EXPECT_EQ(draw_time({}, stream.draw(1)), Duration::zero());
}

}  // namespace
}  // namespace podwire::workload
