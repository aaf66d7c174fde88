// What the formats of `podwire impact` for people have in common.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/report/impact_report.hpp"

namespace podwire::report {
namespace {

using analysis::ImpactOutcome;

std::uint64_t total(const ImpactView& view, ImpactOutcome outcome) {
  return view.report.totals[static_cast<std::size_t>(outcome)];
}

std::string flows_text(std::uint64_t count) {
  return fmt::format("{} flow{}", grouped(count), count == 1 ? "" : "s");
}

/// "59 min", "1 h", "3 d": one or two units.
std::string length_text(flows::Nanoseconds length) {
  const std::int64_t seconds = length / flows::kSecond;
  if (seconds < 120) {
    return fmt::format("{} s", seconds);
  }
  if (seconds < 7200) {
    return fmt::format("{} min", seconds / 60);
  }
  return seconds < 172'800 ? fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60)
                           : fmt::format("{} days", seconds / 86'400);
}

std::string log_text(const ImpactLog& log) {
  const flows::LogStatistics& s = log.statistics;
  std::string text = fmt::format("{} ({}): {} records in {} lines", log.name, to_string(log.format), grouped(s.records),
                                 grouped(s.lines));
  for (std::size_t k = 0; k < flows::kSkippedKinds; ++k) {
    if (s.skipped[k] > 0) {
      text += fmt::format(", {} of {} left out", grouped(s.skipped[k]), to_string(static_cast<flows::Skipped>(k)));
    }
  }
  return text;
}

/// "shop/web[Deployment]" as explain takes it: "shop/deployment/web"; "" when it is none or not plain.
std::string explain_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::size_t bracket = name.find('[');
  if (slash == std::string::npos || bracket == std::string::npos || slash > bracket || !name.ends_with(']')) {
    return "";
  }
  std::string kind = name.substr(bracket + 1, name.size() - bracket - 2);
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::string text = name.substr(0, slash) + "/" + kind + name.substr(slash, bracket - slash);
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
  });
  return is_plain ? text : "";
}

bool is_plain_path(const std::string& path) {
  return !path.empty() && path[0] != '-' && std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '/' || c == '_';
  });
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = fmt::format("{}", number);
  for (std::size_t at = text.size(); at > 3; at -= 3) {
    text.insert(at - 3, ",");
  }
  return text;
}

std::string impact_answer(const ImpactView& view) {
  if (!view.has_flows()) {
    return declared_answer(view);
  }
  const std::uint64_t unknown = total(view, ImpactOutcome::unknown);
  return fmt::format("{} newly denied, {} newly allowed, {} unchanged{}",
                     flows_text(total(view, ImpactOutcome::newly_denied)),
                     grouped(total(view, ImpactOutcome::newly_allowed)),
                     grouped(total(view, ImpactOutcome::still_allowed) + total(view, ImpactOutcome::still_denied)),
                     unknown == 0 ? "" : fmt::format(", {} unknown", grouped(unknown)));
}

std::string backtest_text(const ImpactView& view) {
  const analysis::ImpactBacktest& backtest = view.report.backtest;
  std::string text;
  if (backtest.compared == 0) {
    text = "nothing could be compared: no verdict was recorded of a flow that the policies in force decide";
  } else {
    text = fmt::format("agrees on {} of {}; {} disagreement{}", grouped(backtest.agree), flows_text(backtest.compared),
                       grouped(backtest.disagree()), backtest.disagree() == 1 ? "" : "s");
    if (backtest.disagree() > 0) {
      text += fmt::format(" ({:.2g} %, up to {:g} % is accepted)",
                          100.0 * static_cast<double>(backtest.disagree()) / static_cast<double>(backtest.compared),
                          100.0 * view.max_disagreement);
    }
  }
  if (backtest.without_verdict > 0) {
    text += fmt::format("; {} without a recorded verdict", grouped(backtest.without_verdict));
  }
  if (backtest.not_comparable > 0) {
    text += fmt::format("; {} not comparable", grouped(backtest.not_comparable));
  }
  return text;
}

std::vector<std::string> evidence_texts(const ImpactView& view) {
  std::vector<std::string> texts;
  const analysis::ImpactCoverage& coverage = view.report.coverage;
  if (view.report.connections == 0) {
    texts.push_back("no flow");
  } else {
    texts.push_back(fmt::format("{} in {} from {} to {}", flows_text(view.report.connections),
                                length_text(coverage.last - coverage.first), flows::format_time(coverage.first),
                                flows::format_time(coverage.last)));
  }
  for (const ImpactLog& log : view.logs) {
    texts.push_back(log_text(log));
  }
  const flows::MergeStatistics& merge = view.merge;
  std::string merged = fmt::format("{} replies left out", grouped(merge.replies + merge.assumed_replies));
  if (merge.assumed_replies > 0) {
    merged += fmt::format(" ({} of them by their ports)", grouped(merge.assumed_replies));
  }
  merged += fmt::format(", {} further records of the same flows merged", grouped(merge.merged));
  texts.push_back(std::move(merged));
  if (merge.restarts > 0) {
    texts.push_back(fmt::format(
        "the log jumps back in time {} times: what the two ends report may then count twice (give files of several "
        "nodes as several arguments)",
        grouped(merge.restarts)));
  }
  return texts;
}

std::string rule_text(const std::string& rule) {
  // Causes that are no rule (policy::Cause), in the words of a sentence.
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"no-policy", "no policy of either end (none isolates it)"},
      {"not-enforced", "the network plugin, which does not enforce policies here"},
      {"same-pod", "itself: a pod reaches itself whatever policies say"},
      {"own-node", "its own node's right to reach it"},
      {"not-a-subject", "no policy: none applies to an end that is no pod"},
  };
  for (const auto& [cause, words] : kWords) {
    if (rule == cause) {
      return std::string(words);
    }
  }
  return rule;
}

std::string side_text(const analysis::ImpactSide& side, const SourceMap& sources) {
  if (side.action == policy::Action::unknown) {
    return fmt::format("unknown: {}{}", to_string(side.doubt),
                       side.rule.empty() ? "" : fmt::format(" ({})", side.rule));
  }
  const std::string place = sources.file_and_line(side.span);
  return fmt::format("{} by {}{}", side.action == policy::Action::allow ? "allowed" : "denied", rule_text(side.rule),
                     place.empty() ? "" : " at " + place);
}

std::string port_text(flows::FlowProtocol protocol, std::uint16_t port) {
  return port == 0 ? std::string(to_string(protocol)) : fmt::format("{} {}", to_string(protocol), port);
}

std::string seen_text(const analysis::ImpactSeen& seen) {
  return seen.first == seen.last ? fmt::format("{}, {}", flows_text(seen.count), flows::format_time(seen.first))
                                 : fmt::format("{}, {} to {}", flows_text(seen.count), flows::format_time(seen.first),
                                               flows::format_time(seen.last));
}

std::string disagreement_text(const analysis::ImpactDisagreement& cause, const ImpactView& view) {
  const bool is_dropped = cause.recorded == flows::Recorded::dropped;
  const std::string place = view.sources->file_and_line(cause.span);
  std::string text =
      fmt::format("{} recorded {}{}{}, which the policies in force {}: {}{}", flows_text(cause.seen.count),
                  is_dropped ? "dropped" : "forwarded", cause.direction.empty() ? "" : " at " + cause.direction,
                  is_dropped && !cause.drop_reason.empty() ? fmt::format(" ({})", cause.drop_reason) : "",
                  is_dropped ? "allow" : "deny", rule_text(cause.rule), place.empty() ? "" : " at " + place);
  if (!cause.example.empty()) {
    const std::string& file = cause.file < view.logs.size() ? view.logs[cause.file].name : std::string();
    text += fmt::format("; such as {} ({}:{})", cause.example, file, cause.line);
  }
  if (cause.with_new_labels > 0) {
    text += fmt::format("; {} with labels that the pod does not have in the dump", grouped(cause.with_new_labels));
  }
  if (cause.with_gone_pods > 0) {
    text += fmt::format("; {} of pods that are not in the dump", grouped(cause.with_gone_pods));
  }
  return text;
}

std::string next_step(const ImpactView& view) {
  const bool has_plain_paths =
      is_plain_path(view.candidate) && std::all_of(view.cluster.begin(), view.cluster.end(), is_plain_path);
  const auto command = [&](const std::string& from, const std::string& to, std::uint16_t port,
                           std::string_view protocol) {
    const std::string source = explain_name(from);
    const std::string destination = explain_name(to);
    return source.empty() || destination.empty() || !has_plain_paths
               ? std::string()
               : fmt::format("podwire explain {} {}:{}/{} {} {}", source, destination, port, protocol,
                             fmt::join(view.cluster, " "), view.candidate);
  };
  for (const analysis::ImpactRow& row : view.report.rows) {
    if (row.outcome != ImpactOutcome::newly_denied || row.port == 0) {
      break;
    }
    if (std::string text = command(row.source, row.destination, row.port, to_string(row.protocol)); !text.empty()) {
      return text;
    }
  }
  if (view.declared && !view.declared->impact.rows.empty()) {
    const analysis::DeclaredRow& row = view.declared->impact.rows.front();  // newly denied ones come first
    std::string to = row.connection.destination;
    if (const std::size_t slash = to.find('/'); to.ends_with(" (Service)") && slash != std::string::npos) {
      to = to.substr(0, to.size() - std::string_view(" (Service)").size()) + "[Service]";
    }
    if (row.outcome == ImpactOutcome::newly_denied) {
      return command(row.source, to, row.connection.port.number(), to_string(row.connection.protocol));
    }
  }
  return "";
}

}  // namespace podwire::report
