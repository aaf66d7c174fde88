#include "app/report/trace_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/text.hpp"

namespace podwire::report {
namespace {

using nlohmann::ordered_json;
using workload::PacketFate;
using workload::PlayedPacket;
using workload::PlayedStep;

// Three digits after the point: what is added up stays comparable by eye.
std::string time_text(Duration span) {
  const std::int64_t ps = span.ps();
  if (ps == 0) {
    return "0µs";
  }
  if (ps < 1'000'000'000) {
    return fmt::format("{:.3f}µs", static_cast<double>(ps) * 1e-6);
  }
  return ps < 1'000'000'000'000 ? fmt::format("{:.3f}ms", static_cast<double>(ps) * 1e-9)
                                : fmt::format("{:.3f}s", static_cast<double>(ps) * 1e-12);
}

// Where many microseconds follow many seconds, they are still told apart.
std::string moment_text(Duration span) {
  const std::int64_t ps = span.ps();
  return ps < 1'000'000'000       ? time_text(span)
         : ps < 1'000'000'000'000 ? fmt::format("{:.6f}ms", static_cast<double>(ps) * 1e-9)
                                  : fmt::format("{:.6f}s", static_cast<double>(ps) * 1e-12);
}

// A name and its address; an address alone is not said twice.
std::string end_text(const std::string& name, const std::string& address) {
  return address.starts_with(name) ? printable(address) : fmt::format("{} ({})", printable(name), printable(address));
}

std::string head_text(const PlayedPacket& packet) {
  return fmt::format("{}: {} → {}{}, {} bytes", printable(packet.what, 300), end_text(packet.from, packet.from_address),
                     end_text(packet.to, packet.to_address),
                     packet.dialled.empty() ? "" : fmt::format(", dialled {}", packet.dialled), packet.bytes);
}

std::string fate_text(const PlayedPacket& packet, const std::string& place, const Style& style) {
  const std::string after = time_text(packet.ended - packet.sent);
  switch (packet.fate) {
    case PacketFate::delivered:
      return style.good("delivered") + fmt::format(" at {}, {} after it was sent", moment_text(packet.ended), after);
    case PacketFate::under_way:
      return style.doubtful("under way") + " when the client heard its answer";
    case PacketFate::lost:
      break;
  }
  return style.bad("dropped") + fmt::format(" at {}: {}, {}{}{}", moment_text(packet.ended), packet.reason,
                                            printable(packet.where),
                                            packet.rule.empty() ? "" : ", by " + printable(packet.rule, 1000),
                                            place.empty() ? "" : " at " + printable(place));
}

std::string remark(const PlayedStep& step) {
  std::string text;
  if (step.waited > Duration::zero()) {
    text = fmt::format("{} of it waiting", time_text(step.waited));
  }
  if (step.first > Duration::zero()) {
    text += fmt::format("{}{} of it for the flow's first packet", text.empty() ? "" : ", ", time_text(step.first));
  }
  return text;
}

std::string steps_text(const PlayedPacket& packet, const Style& style) {
  TextTable table;
  table.column("at", Align::right);
  table.column("took", Align::right);
  table.column("step");
  table.column("where");
  table.column("");
  for (const PlayedStep& step : packet.steps) {
    table.row({moment_text(step.at), time_text(step.took), step.step, printable(step.where), style.dim(remark(step))});
  }
  return table.empty() ? "" : table.to_string(6, style);
}

ordered_json seconds(Duration span) {
  return span.seconds();
}

ordered_json packet_json(const PlayedPacket& packet, const std::string& place) {
  constexpr std::string_view kFates[] = {"delivered", "lost", "under-way"};
  ordered_json steps = ordered_json::array();
  for (const PlayedStep& step : packet.steps) {
    steps.push_back({{"step", step.step},
                     {"where", step.where},
                     {"at", seconds(step.at)},
                     {"took", seconds(step.took)},
                     {"waited", seconds(step.waited)},
                     {"cost", seconds(step.cost)},
                     {"latency", seconds(step.latency)},
                     {"firstPacket", seconds(step.first)}});
  }
  ordered_json out = {{"what", packet.what},
                      {"lookup", packet.is_dns},
                      {"from", packet.from},
                      {"fromAddress", packet.from_address},
                      {"to", packet.to},
                      {"toAddress", packet.to_address},
                      {"dialled", packet.dialled},
                      {"bytes", packet.bytes},
                      {"sent", seconds(packet.sent)},
                      {"ended", seconds(packet.ended)},
                      {"fate", kFates[static_cast<std::size_t>(packet.fate)]},
                      {"loss", ordered_json()},
                      {"steps", std::move(steps)}};
  if (packet.fate == PacketFate::lost) {
    out["loss"] = {{"reason", packet.reason}, {"where", packet.where}, {"rule", packet.rule}, {"place", place}};
  }
  return out;
}

}  // namespace

TraceView trace_view(workload::TraceRun run, std::uint64_t seed, const std::string& timing, const SourceMap& sources) {
  TraceView view{.run = std::move(run), .places = {}, .seed = seed, .timing = timing};
  for (const PlayedPacket& packet : view.run.packets) {
    view.places.push_back(sources.place(packet.span));
  }
  return view;
}

std::string trace_summary(const TraceView& view) {
  const workload::TraceRun& run = view.run;
  const auto has = [&](std::string_view what) {
    return std::any_of(run.packets.begin(), run.packets.end(),
                       [&](const PlayedPacket& packet) { return packet.what == what; });
  };
  const bool is_connection = has("SYN");
  std::string text;
  if (run.outcome == workload::Outcome::ok) {
    text = fmt::format("{} after {}", is_connection ? "connected" : "answered", time_text(run.ended));
  } else if (run.outcome == workload::Outcome::connect_timeout || run.outcome == workload::Outcome::response_timeout) {
    text = is_connection ? "no answer; a SYN is repeated 1 s after the first" : "no answer";
  } else {
    text = fmt::format("{} after {}", to_string(run.outcome), time_text(run.ended));
  }
  if (run.lookup) {
    text += fmt::format(", {} of it for the lookup", time_text(*run.lookup));
  }
  return fmt::format("{} (seed {}, nothing else on the network; timing: {})", text, view.seed, view.timing);
}

std::string trace_text(const TraceView& view, const Style& style) {
  std::string out;
  for (std::size_t i = 0; i < view.run.packets.size(); ++i) {
    const PlayedPacket& packet = view.run.packets[i];
    if (packet.repeats) {
      out += fmt::format("  {}  {} again: {} likewise\n", moment_text(packet.sent), printable(packet.what, 300),
                         style.bad("dropped"));
      continue;
    }
    out += fmt::format("  {}  {}\n", moment_text(packet.sent), wrapped(head_text(packet), 6, style.text_width()));
    if (!packet.is_dns || packet.fate == PacketFate::lost) {
      out += steps_text(packet, style);
    }
    out += fmt::format("      {}\n", wrapped(fate_text(packet, view.places[i], style), 8, style.text_width()));
  }
  return out;
}

ordered_json trace_json(const TraceView& view) {
  ordered_json packets = ordered_json::array();
  for (std::size_t i = 0; i < view.run.packets.size(); ++i) {
    packets.push_back(packet_json(view.run.packets[i], view.places[i]));
  }
  const workload::TraceRun& run = view.run;
  return {{"seed", view.seed},
          {"timing", view.timing},
          {"outcome", to_string(run.outcome)},
          {"ended", seconds(run.ended)},
          {"lookup", run.lookup ? seconds(*run.lookup) : ordered_json()},
          {"resolved", run.resolved.is_unspecified() ? ordered_json() : ordered_json(run.resolved.to_string())},
          {"packets", std::move(packets)},
          {"notes", run.notes}};
}

}  // namespace podwire::report
