// The delays' distributions and the numbers that are not a profile's.
#include "models/control/programming.hpp"

#include <algorithm>

#include "sim/random/math.hpp"

namespace podwire::control {
namespace {

constexpr double kNormalP99 = 2.326'347'874'040'841;  // the 99 % quantile of the standard normal distribution

// EndpointSlice controller's batching U(0, 1 s), a watch of 5 to 50 ms, kube-proxy's minSyncPeriod of up to 1 s and a
// sync of some 20 ms: the sum's median is near 1.05 s and its 99 % quantile near 1.95 s. The parts are defaults of
// Kubernetes; their distribution is a guess.
constexpr Duration kEndpointsP50 = Duration::from_ms(1'050);
constexpr Duration kEndpointsP99 = Duration::from_ms(1'950);
// CoreDNS watches the same EndpointSlices and answers from memory: the controller's batching and the watch alone.
constexpr Duration kNamesP50 = Duration::from_ms(530);
constexpr Duration kNamesP99 = Duration::from_ms(1'020);

}  // namespace

Duration Delay::draw(random::Draw draw) const {
  if (p99 <= p50) {
    return p50;
  }
  if (shape == Shape::uniform) {
    // U(a, b) with p50 = (a + b) / 2 and p99 = a + 0.99 (b - a).
    const Duration half = Duration::from_ps((p99 - p50).ps() * 50 / 49);
    return std::max(draw.uniform(p50 - half, p50 + half), Duration::zero());
  }
  if (p50 == Duration::zero()) {
    return p50;
  }
  const double sigma = random::log(static_cast<double>(p99.ps()) / static_cast<double>(p50.ps())) / kNormalP99;
  return draw.lognormal(p50, sigma);
}

Programming programming_of(const cni::Profile& profile) {
  Programming out;
  const cni::ProgrammingDelay& delay = profile.policy.programming_delay;
  out.policy = {.shape = delay.shape == cni::DelayShape::uniform ? Delay::Shape::uniform : Delay::Shape::lognormal,
                .p50 = delay.p50,
                .p99 = delay.p99};
  out.policy_with_except = out.policy;
  if (delay.p99_with_except > Duration::zero()) {
    out.policy_with_except.p99 = delay.p99_with_except;
  }
  out.is_open_at_start = profile.policy.pod_start == cni::PodStart::open;
  out.start_window = profile.policy.pod_start_window;
  out.endpoints = {.shape = Delay::Shape::uniform, .p50 = kEndpointsP50, .p99 = kEndpointsP99};
  out.names = {.shape = Delay::Shape::uniform, .p50 = kNamesP50, .p99 = kNamesP99};
  return out;
}

std::vector<cni::Parameter> parameters() {
  const auto parameter = [](std::string path, Duration value, std::string description) {
    return cni::Parameter{.path = std::move(path),
                          .value = std::to_string(value.ps() / Duration::from_ms(1).ps()),
                          .unit = "ms",
                          .certainty = cni::Certainty::guess,
                          .source =
                              "the defaults' ranges are documented (EndpointSlice batching, kube-proxy "
                              "minSyncPeriod 1 s), how they combine is a guess",
                          .description = std::move(description)};
  };
  return {parameter("control.endpoints.p50", kEndpointsP50, "from a change of endpoints to a node's Service rules"),
          parameter("control.endpoints.p99", kEndpointsP99, "the same, 99 % quantile"),
          parameter("control.names.p50", kNamesP50, "from a change of endpoints to CoreDNS's answers"),
          parameter("control.names.p99", kNamesP99, "the same, 99 % quantile")};
}

}  // namespace podwire::control
