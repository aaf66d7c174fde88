// The distributions against their closed forms, and log and exp against libm's long double, with fixed seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/random/draw.hpp"
#include "sim/random/math.hpp"

namespace podwire::random {
namespace {

constexpr std::uint64_t kSeed = 20'240'501;
constexpr std::size_t kDraws = 200'000;
constexpr Purpose kTest("test/distribution");

std::vector<double> sample(const std::function<double(Draw&)>& variate) {
  const Stream stream(kSeed, kTest);
  std::vector<double> values(kDraws);
  for (std::size_t i = 0; i < kDraws; ++i) {
    Draw draw = stream.draw(i / 7, static_cast<std::uint32_t>(i % 7));
    values[i] = variate(draw);
  }
  return values;
}

// Kolmogorov's statistic sqrt(n) sup |F_n - F|; its 99.9 % point is 1.95.
double kolmogorov(std::vector<double> values, const std::function<double(double)>& distribution) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double f = distribution(values[i]);
    most = std::max({most, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return most * std::sqrt(n);
}

void expect_mean_and_deviation(const std::vector<double>& values, double mean, double deviation) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const auto n = static_cast<double>(values.size());
  const double measured = sum / n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - measured) * (value - measured);
  }
  EXPECT_NEAR(measured, mean, 4 * deviation / std::sqrt(n)) << "seed " << kSeed;
  // The fourth moments of these distributions keep the deviation within some 3 % at 200,000 draws.
  EXPECT_NEAR(std::sqrt(squares / (n - 1)), deviation, 0.03 * deviation) << "seed " << kSeed;
}

TEST(Distribution, UniformIsUniform) {
  const std::vector<double> values = sample([](Draw& draw) { return draw.uniform(); });
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 0.0);
  EXPECT_LT(*std::max_element(values.begin(), values.end()), 1.0);
  EXPECT_LT(kolmogorov(values, [](double x) { return x; }), 1.95);
  expect_mean_and_deviation(values, 0.5, std::sqrt(1.0 / 12));
}

TEST(Distribution, ExponentialMatchesItsClosedForm) {
  const std::vector<double> values = sample([](Draw& draw) { return draw.exponential(3.0); });
  EXPECT_LT(kolmogorov(values, [](double x) { return 1 - std::exp(-x / 3); }), 1.95);
  expect_mean_and_deviation(values, 3.0, 3.0);
}

TEST(Distribution, NormalMatchesItsClosedForm) {
  const std::vector<double> values = sample([](Draw& draw) { return draw.normal(); });
  EXPECT_LT(kolmogorov(values, [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }), 1.95);
  expect_mean_and_deviation(values, 0.0, 1.0);
}

TEST(Distribution, LognormalMatchesItsClosedForm) {
  const std::vector<double> values = sample([](Draw& draw) { return draw.lognormal(2.0, 0.5); });
  EXPECT_LT(kolmogorov(values, [](double x) { return std::erfc(-std::log(x / 2) / 0.5 / std::sqrt(2.0)) / 2; }), 1.95);
  // Mean m e^(s^2 / 2); deviation mean x sqrt(e^(s^2) - 1).
  const double mean = 2.0 * std::exp(0.125);
  expect_mean_and_deviation(values, mean, mean * std::sqrt(std::exp(0.25) - 1));
}

TEST(Distribution, TimesAreTheDoublesRounded) {
  const Stream stream(kSeed, kTest);
  for (std::uint64_t who = 0; who < 1'000; ++who) {
    const double ps = stream.draw(who).exponential(1e6);
    EXPECT_EQ(stream.draw(who).exponential(Duration::from_us(1)).ps(), std::llround(ps));
    const Duration between = stream.draw(who).uniform(Duration::from_ps(-5), Duration::from_ps(7));
    EXPECT_GE(between.ps(), -5);
    EXPECT_LT(between.ps(), 7);
  }
}

TEST(Distribution, BelowIsUniformByChiSquare) {
  // Bounds that are no power of two, one of them so large that a modulo would be seen: thirds of 3 x 2^30.
  for (const std::uint32_t n : {3u, 10u, 97u, 3u << 30}) {
    const std::size_t cells = std::min<std::uint32_t>(n, 97);
    std::vector<double> counts(cells, 0);
    for (const double value : sample([n](Draw& draw) { return static_cast<double>(draw.below(n)); })) {
      ASSERT_LT(value, n);
      ++counts[static_cast<std::size_t>(static_cast<std::uint64_t>(value) * cells / n)];
    }
    const double expected = static_cast<double>(kDraws) / static_cast<double>(cells);
    double chi_square = 0;
    for (const double count : counts) {
      chi_square += (count - expected) * (count - expected) / expected;
    }
    // Mean k - 1 and deviation sqrt(2 (k - 1)) for k cells; four deviations and the skew of few cells.
    const auto freedom = static_cast<double>(cells - 1);
    EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom) + 6) << "n " << n << " seed " << kSeed;
  }
}

TEST(Distribution, NeighbouringIdentitiesAreUncorrelated) {
  // Each of 63 steps in who and which: the correlation of 20,000 pairs is 0 +- 4 / sqrt(20000) = 0.028.
  const Stream stream(kSeed, kTest);
  for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{64}, std::uint64_t{1} << 32}) {
    for (const std::uint32_t which_step : {0u, 1u}) {
      double sum = 0;
      for (std::uint64_t who = 0; who < 20'000; ++who) {
        sum += (stream.draw(who).uniform() - 0.5) * (stream.draw(who + step, which_step).uniform() - 0.5) * 12;
      }
      EXPECT_NEAR(sum / 20'000, 0.0, 0.028) << "step " << step << " seed " << kSeed;
    }
  }
}

// Error in units of the last place of the exact result.
double ulps(double result, long double exact) {
  const auto nearest = static_cast<double>(exact);
  const double unit = std::nextafter(std::abs(nearest), INFINITY) - std::abs(nearest);
  return static_cast<double>(std::abs(result - exact) / unit);
}

TEST(Log, IsWithinOneAndAHalfUlp) {
  double most = 0;
  for (std::uint64_t i = 0; i < 500'000; ++i) {
    Draw draw = random::draw(kSeed, Purpose("test/log"), i);
    const double anywhere = std::bit_cast<double>(draw.bits() >> 1);
    const double near_one = 0.5 + draw.uniform();
    for (const double x : {anywhere, near_one}) {
      if (x > 0 && x < INFINITY) {
        most = std::max(most, ulps(log(x), std::log(static_cast<long double>(x))));
      }
    }
  }
  EXPECT_LT(most, 1.5);
}

TEST(Exp, IsWithinOneAndAHalfUlp) {
  double most = 0;
  for (std::uint64_t i = 0; i < 500'000; ++i) {
    Draw draw = random::draw(kSeed, Purpose("test/exp"), i);
    const double anywhere = -708.0 + 1417.0 * draw.uniform();
    const double near_zero = 2.0 * draw.uniform() - 1.0;
    for (const double x : {anywhere, near_zero}) {
      most = std::max(most, ulps(exp(x), std::exp(static_cast<long double>(x))));
    }
  }
  EXPECT_LT(most, 1.5);
}

}  // namespace
}  // namespace podwire::random
