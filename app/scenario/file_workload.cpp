// The `workloads` and `expect` items of a scenario, as far as they can be read without the cluster.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/scenario/file.hpp"
#include "sim/base/text.hpp"
#include "sim/random/math.hpp"

namespace podwire::scenario {
namespace {

using workload::Arrivals;
using workload::Outcome;
using workload::RequestKind;
using workload::TimeDistribution;
using workload::WorkloadSpec;

constexpr double kMostArrivals = 1e9;  // per second
constexpr std::int64_t kMostMessage = std::int64_t{1} << 32;
constexpr Duration kLongestWait = Duration::from_s(86'400);
// 99 % of a standard normal lie below this (Abramowitz & Stegun 26.2; 2.3263478740408408).
constexpr double kNormalP99 = 2.3263478740408408;

Text text_of(Section& section, std::string_view key) {
  const config::Node node = section.get(key);
  const auto text = section.string(key);
  return text ? Text{*text, node.span()} : Text{};
}

void read_lognormal(Section section, TimeDistribution& time) {
  section.require("median");
  const auto median = section.duration("median");
  const auto p99 = section.duration("p99");
  const auto sigma = section.number("sigma", 0.0, 10.0);
  time.median = median.value_or(Duration::from_ms(1));
  if (p99.has_value() == sigma.has_value()) {
    section.error("bad-value", "a lognormal time needs either p99 or sigma beside its median");
  } else if (sigma) {
    time.sigma = *sigma;
  } else if (median && (*median == Duration::zero() || *p99 < *median)) {
    section.error("out-of-range", "p99 of a lognormal time lies above its median, and both above 0",
                  section.get("p99"));
  } else if (median) {
    time.sigma = random::log(p99->seconds() / median->seconds()) / kNormalP99;
  }
  // Of the 4e9 draws that a run may make the greatest lies 6.5 deviations out; time must have room for it.
  constexpr double kFarthestDraw = 6.5;
  constexpr double kLongestDraw = 20.0 * 86'400.0;
  if (time.median.seconds() * random::exp(kFarthestDraw * time.sigma) > kLongestDraw) {
    section.error("out-of-range", "this lognormal time would reach beyond 20 days");
  }
  section.finish();
}

// `2ms`, `{exponential: 2ms}` or `{lognormal: {median: 2ms, p99: 20ms}}`.
TimeDistribution read_time(Section& owner, std::string_view key) {
  TimeDistribution time;
  const config::Node node = owner.get(key);
  if (!node.is_mapping()) {
    time.mean = owner.duration(key).value_or(Duration::zero());
    return time;
  }
  Section section = owner.section(key);
  if (node.size() != 1) {
    section.error("bad-value", fmt::format("{} is one of constant, exponential, lognormal", key));
  }
  const auto constant = section.duration("constant");
  const auto exponential = section.duration("exponential");
  if (exponential) {
    time.kind = TimeDistribution::Kind::exponential;
    time.mean = *exponential;
  } else if (!section.get("lognormal").is_null()) {
    time.kind = TimeDistribution::Kind::lognormal;
    read_lognormal(section.section("lognormal"), time);
  } else {
    time.mean = constant.value_or(Duration::zero());
  }
  section.finish();
  return time;
}

void read_server(Section section, WorkloadSpec& spec) {
  spec.server = read_time(section, "time");
  if (const auto limit = section.integer("concurrency", 1, 1'000'000)) {
    spec.server_concurrency = static_cast<std::uint32_t>(*limit);
  }
  section.finish();
}

Bytes read_size(Section& section, std::string_view key, Bytes otherwise) {
  const Bytes size = section.bytes(key).value_or(otherwise);
  if (size.count() > kMostMessage) {
    section.error("out-of-range", fmt::format("{} is larger than 4 GiB", key), section.get(key));
  }
  return size;
}

void read_arrivals(Section& section, bool is_declared, WorkloadSpec& spec) {
  if (!is_declared) {
    section.require("rate");
  }
  spec.arrivals.per_second = section.rate("rate").value_or(1.0);
  if (spec.arrivals.per_second > kMostArrivals) {
    section.error("out-of-range", "a rate above 1e9/s", section.get("rate"));
  }
  // Requests are Poisson, as independent users are; probes tick.
  const bool is_probe = spec.kind != RequestKind::http;
  const auto arrivals = section.choice("arrivals", {"poisson", "constant"});
  spec.arrivals.kind = arrivals.value_or(is_probe ? 1 : 0) == 0 ? Arrivals::Kind::poisson : Arrivals::Kind::constant;
}

std::optional<Threshold::Compare> take_comparison(std::string_view& text) {
  using Compare = Threshold::Compare;
  constexpr std::pair<std::string_view, Compare> kOperators[] = {
      {">=", Compare::at_least}, {"<=", Compare::at_most}, {"==", Compare::equal},
      {"=", Compare::equal},     {">", Compare::greater},  {"<", Compare::less},
  };
  for (const auto& [sign, compare] : kOperators) {
    if (text.starts_with(sign)) {
      text.remove_prefix(sign.size());
      text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
      return compare;
    }
  }
  return std::nullopt;
}

enum class Unit : std::uint8_t { fraction, time, count };

std::optional<double> parse_plain_number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) {
    return std::nullopt;
  }
  double value = 0.0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_amount(std::string_view text, Unit unit) {
  if (unit == Unit::time) {
    const auto duration = config::parse_duration(text);
    return duration ? std::optional(duration->seconds()) : std::nullopt;
  }
  const bool is_percent = unit == Unit::fraction && text.ends_with('%');
  const auto number = parse_plain_number(is_percent ? text.substr(0, text.size() - 1) : text);
  const double most = unit == Unit::count ? 1e18 : is_percent ? 100.0 : 1.0;
  return number && *number <= most ? std::optional(is_percent ? *number / 100.0 : *number) : std::nullopt;
}

std::optional<Threshold> read_threshold(Section& section, config::Node node, std::string_view name, Unit unit) {
  std::string_view text = node.text();
  Threshold threshold{.text = std::string(text), .span = node.span()};
  const auto compare = take_comparison(text);
  const auto value = parse_amount(text, unit);
  if (!node.is_scalar() || !value || (!compare && unit == Unit::time)) {
    constexpr std::string_view kExamples[] = {"\">= 99.9%\"", "\"< 5ms\"", "\">= 1000\""};
    section.error("bad-threshold",
                  fmt::format("{} is no bound: \"{}\"", name, printable(node.is_scalar() ? node.text() : "…", 60)),
                  node, fmt::format("for example {}: {}", name, kExamples[static_cast<std::size_t>(unit)]));
    return std::nullopt;
  }
  threshold.compare = compare.value_or(Threshold::Compare::equal);
  threshold.value = *value;
  return threshold;
}

void read_bound(Section& section, config::Node node, MeasureBound bound, Unit unit, std::vector<MeasureBound>& bounds) {
  if (node.is_null()) {
    return;
  }
  if (auto threshold = read_threshold(section, node, bound.name, unit)) {
    bound.threshold = std::move(*threshold);
    bounds.push_back(std::move(bound));
  }
}

void read_quantiles(Section& section, std::string_view prefix, Measure measure, std::vector<MeasureBound>& bounds) {
  constexpr std::pair<std::string_view, double> kQuantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
  for (const auto& [name, quantile] : kQuantiles) {
    read_bound(section, section.get(name),
               {.measure = measure, .quantile = quantile, .name = fmt::format("{}{}", prefix, name)}, Unit::time,
               bounds);
  }
}

// `outcome: dns-timeout` says that (nearly) every request ends so; `{dns-timeout: ">= 90%", ok: "< 10%"}` bounds
// shares.
void read_outcome(Section& section, std::vector<MeasureBound>& bounds) {
  const config::Node node = section.get("outcome");
  const std::vector<std::string> names(std::begin(workload::kOutcomeNames), std::end(workload::kOutcomeNames));
  const auto bound_of = [&](std::string_view name, config::Node where) -> std::optional<MeasureBound> {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      section.error("bad-value", fmt::format("no outcome is called \"{}\"", printable(name, 60)), where,
                    suggestion(name, names));
      return std::nullopt;
    }
    return MeasureBound{.measure = Measure::outcome,
                        .outcome = static_cast<Outcome>(at - names.begin()),
                        .name = fmt::format("outcome {}", name)};
  };
  if (node.is_scalar()) {
    if (auto bound = bound_of(node.text(), node)) {
      bound->threshold = {Threshold::Compare::at_least, 0.99, ">= 99%", node.span()};
      bounds.push_back(std::move(*bound));
    }
  } else if (node.is_mapping()) {
    for (const config::Node member : node) {
      if (auto bound = bound_of(member.key(), member)) {
        read_bound(section, member, std::move(*bound), Unit::fraction, bounds);
      }
    }
  } else if (!node.is_null()) {
    section.error("wrong-type", "outcome is the name of one, or maps names to bounds", node);
  }
}

void read_connection_expectation(Section& section, ExpectationFile& expectation) {
  section.require("from");
  section.require("to");
  const config::Node port = section.get("port");
  if (!port.is_null()) {
    const auto parsed = port.is_scalar() ? parse_port(port.text()) : std::nullopt;
    if (parsed) {
      expectation.protocol = parsed->first;
      expectation.port = parsed->second;
    } else {
      section.error("bad-value", fmt::format("\"{}\" is no port", printable(port.text(), 60)), port,
                    "for example 5432/TCP");
    }
  }
  expectation.at = section.duration("at");
  constexpr Verdict kVerdicts[] = {Verdict::allowed, Verdict::denied, Verdict::unknown};
  section.require("verdict");
  if (const auto verdict = section.choice("verdict", {"allowed", "denied", "unknown"})) {
    expectation.verdict = kVerdicts[*verdict];
  }
}

void read_workload_expectation(Section& section, ExpectationFile& expectation) {
  auto& bounds = expectation.bounds;
  read_bound(section, section.get("success"), {.measure = Measure::success, .name = "success"}, Unit::fraction, bounds);
  read_bound(section, section.get("requests"), {.measure = Measure::requests, .name = "requests"}, Unit::count, bounds);
  read_outcome(section, bounds);
  read_quantiles(section, "", Measure::total_quantile, bounds);
  Section dns = section.section("dns");
  read_quantiles(dns, "dns ", Measure::dns_quantile, bounds);
  dns.finish();
  Section connect = section.section("connect");
  read_quantiles(connect, "connect ", Measure::connect_quantile, bounds);
  connect.finish();
  expectation.at = section.duration("at");
  if (bounds.empty() && !section.diagnostics().has_errors()) {
    section.error("missing-key", "nothing is expected of the workload", {},
                  "give success, outcome, requests, p50, p90, p99, or dns and connect with those");
  }
}

// `fromEnv: true`: what containers declare says where to, so that nothing else may.
void read_declared_ends(Section& section, WorkloadFile& file) {
  for (const config::Node node : section.texts("from")) {
    file.only_from.push_back({std::string(node.text()), node.span()});
  }
  for (const std::string_view key : {"to", "port"}) {
    if (const config::Node node = section.get(key); node.is_present()) {
      section.error("bad-value",
                    fmt::format("`{}` beside `fromEnv: true`: the containers' environment names the "
                                "destinations",
                                key),
                    node, fmt::format("leave out `{}`, or leave out `fromEnv` and write the workload", key));
    }
  }
  if (file.spec.kind == RequestKind::udp_probe || file.spec.kind == RequestKind::dns_probe) {
    section.error("bad-value", fmt::format("declared connections are not played as {}", to_string(file.spec.kind)),
                  section.get("kind"), "tcp connects and closes, http asks; what is declared as UDP is played as UDP");
  }
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  constexpr std::string_view kNames[] = {"allowed", "denied", "unknown"};
  return kNames[static_cast<std::size_t>(verdict)];
}

bool Threshold::holds(double measured) const {
  switch (compare) {
    case Compare::less:
      return measured < value;
    case Compare::at_most:
      return measured <= value;
    case Compare::equal:
      return measured == value;
    case Compare::at_least:
      return measured >= value;
    case Compare::greater:
      return measured > value;
  }
  return false;
}

WorkloadFile read_workload_section(Section& section) {
  WorkloadFile file;
  WorkloadSpec& spec = file.spec;
  const config::Node name = section.require("name");
  spec.name = section.string("name").value_or("");
  spec.span = name.is_present() ? name.span() : section.span();
  file.span = spec.span;
  constexpr RequestKind kKinds[] = {RequestKind::http, RequestKind::tcp_probe, RequestKind::udp_probe,
                                    RequestKind::dns_probe};
  file.is_declared = section.boolean("fromEnv").value_or(false);
  spec.kind = kKinds[section.choice("kind", {"http", "tcp", "udp", "dns"}).value_or(file.is_declared ? 1 : 0)];
  if (file.is_declared) {
    read_declared_ends(section, file);
  } else {
    section.require("from");
    section.require("to");
    file.from = text_of(section, "from");
    file.to = text_of(section, "to");
  }
  if (const auto port = section.integer("port", 1, 65'535)) {
    file.port = Port(static_cast<std::uint16_t>(*port));
  }
  read_arrivals(section, file.is_declared, spec);
  spec.timeout = section.duration("timeout").value_or(Duration::from_s(spec.kind == RequestKind::dns_probe ? 30 : 5));
  if (spec.timeout == Duration::zero()) {
    section.error("out-of-range", "a timeout of 0 leaves no time for anything", section.get("timeout"));
  }
  if (spec.kind == RequestKind::http || spec.kind == RequestKind::udp_probe) {
    const bool is_http = spec.kind == RequestKind::http;
    spec.request = read_size(section, "request", Bytes(is_http ? 300 : 64));
    spec.response = read_size(section, "response", Bytes(is_http ? 1024 : 64));
    read_server(section.section("server"), spec);
    for (const std::string_view key : {"request", "response"}) {
      if (is_http && (key == "request" ? spec.request : spec.response) == Bytes(0)) {
        section.error("out-of-range", fmt::format("an http {} of no bytes: it has a start line at least", key),
                      section.get(key), "give the bytes of its headers and body");
      }
    }
  }
  // Time is counted to 106 days: a run (at most 60), what is drawn and what is waited for must fit.
  if (spec.timeout > kLongestWait || spec.server.mean > kLongestWait || spec.server.median > kLongestWait) {
    section.error("out-of-range", "no request waits or is worked on for more than a day");
  }
  section.finish();
  return file;
}

ExpectationFile read_expectation_section(Section& section) {
  ExpectationFile expectation;
  expectation.span = section.span();
  for (const config::Node node : section.texts("policySet")) {
    expectation.policy_sets.push_back({std::string(node.text()), node.span()});
  }
  expectation.from = text_of(section, "from");
  expectation.to = text_of(section, "to");
  expectation.workload = text_of(section, "workload");
  if (expectation.workload.empty()) {
    read_connection_expectation(section, expectation);
  } else {
    read_workload_expectation(section, expectation);
  }
  section.finish();
  return expectation;
}

}  // namespace podwire::scenario
