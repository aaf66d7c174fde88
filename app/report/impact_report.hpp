// `podwire impact`: what recorded flows say of a candidate, in five formats. One view from which all are printed.
//
// The table, Markdown and SARIF show the rows with most connections of each outcome, and count the rest; JSON and CSV
// hold every row that was kept. Texts are as the input has them; each printer escapes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "models/analysis/impact.hpp"
#include "models/flows/reader.hpp"

namespace podwire::report {

struct ImpactLog {
  std::string name;  // as the user wrote it
  flows::LogFormat format = flows::LogFormat::unknown;
  flows::LogStatistics statistics;
};

struct ImpactView {
  std::string candidate;             // as the user named it
  std::vector<std::string> cluster;  // likewise
  std::vector<std::string> pruned;   // namespaces
  Basis before;
  Basis after;
  std::vector<ImpactLog> logs;
  flows::MergeStatistics merge;
  analysis::ImpactReport report;
  std::vector<std::string> fail_on;       // "newly-denied" …
  double max_disagreement = 0.001;        // share
  std::vector<std::string> inconclusive;  // why nothing is concluded; empty: something is
  std::string result;  // "no impact", "no known impact", "impact", "tolerated", "unknown", "inconclusive"
  std::string version;
  const SourceMap* sources = nullptr;
};

std::string impact_table(const ImpactView& view, const Style& style);
std::string impact_json(const ImpactView& view);
/// `outcome,doubt,source,destination,protocol,port,connections,first,last,rule_before,place_before,…`: a line a row,
/// then one for each end that is not in the dump.
std::string impact_csv(const ImpactView& view);
/// Less than 65,536 bytes, whatever the input.
std::string impact_md(const ImpactView& view);
/// What is newly denied, newly allowed or contradicts the policies in force, at the rule responsible.
std::string impact_sarif(const ImpactView& view);

// What formats for people share.

/// "1,204,113".
std::string grouped(std::uint64_t number);
/// "12 flows newly denied, 3 newly allowed, 1,200 unchanged, 4 unknown".
std::string impact_answer(const ImpactView& view);
/// "agrees on 1,204,113 of 1,204,331 flows; 218 disagreements", "no verdict was recorded, so …".
std::string backtest_text(const ImpactView& view);
/// What was read and what of it is left, one thing a text.
std::vector<std::string> evidence_texts(const ImpactView& view);
/// "denied by default deny ingress (shop/db) at policies/db.yaml:3".
std::string side_text(const analysis::ImpactSide& side, const SourceMap& sources);
/// "TCP 5432", "ICMP".
std::string port_text(flows::FlowProtocol protocol, std::uint16_t port);
/// "12 flows, 2026-03-01T09:00:00Z to 2026-03-01T09:30:00Z".
std::string seen_text(const analysis::ImpactSeen& seen);
/// "218 flows recorded forwarded at ingress, which the policies in force deny: … at dump.yaml:12" with what may explain
/// it.
std::string disagreement_text(const analysis::ImpactDisagreement& cause, const ImpactView& view);
/// A command that explains the first newly denied connection; "" when there is none or its names are not plain.
std::string next_step(const ImpactView& view);

}  // namespace podwire::report
