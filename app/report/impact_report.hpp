// `podwire impact`: what recorded flows say of a candidate, in five formats. One view from which all are printed.
//
// The table, Markdown and SARIF show the rows with most connections of each outcome, and count the rest; JSON and CSV
// hold every row that was kept. Texts are as the input has them; each printer escapes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/report/run_report.hpp"
#include "app/report/text_table.hpp"
#include "models/analysis/declared.hpp"
#include "models/analysis/impact.hpp"
#include "models/flows/reader.hpp"

namespace podwire::report {

struct ImpactLog {
  std::string name;  // as the user wrote it
  flows::LogFormat format = flows::LogFormat::unknown;
  flows::LogStatistics statistics;
};

/// A value of a container that leads nowhere, or that was not read.
struct ImpactPeer {
  std::string source;  // "shop/web[Deployment]"
  std::string name;    // of the variable
  std::string text;    // of the peer, without credentials
  std::string reason;
  Span span;
};

/// `--from-env`: what containers declare.
struct ImpactDeclared {
  analysis::DeclaredImpact impact;
  std::vector<ImpactPeer> unresolved;
  std::vector<ImpactPeer> unread;
  std::size_t values = 0;  // variables and words that were read
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
  std::optional<ImpactDeclared> declared;
  std::vector<std::string> fail_on;       // "newly-denied" …
  double max_disagreement = 0.001;        // share
  std::vector<std::string> inconclusive;  // why nothing is concluded; empty: something is
  std::string result;  // "no impact", "no known impact", "impact", "tolerated", "unknown", "inconclusive"
  std::string version;
  const SourceMap* sources = nullptr;
  bool has_flows() const { return !logs.empty(); }
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

// Declared connections, in the words of each format; "" or nothing without `--from-env`.

std::string declared_table(const ImpactView& view, const Style& style);
/// Pieces for the comment, most important first.
std::vector<std::string> declared_md(const ImpactView& view);
/// The value of the member "declared".
std::string declared_json(const ImpactView& view);
/// Lines for the table of rows: `flows`, `first` and `last` are empty, `declared` says where.
std::string declared_csv(const ImpactView& view);
/// "declared connections: 1 newly denied, 0 newly allowed, 12 unchanged, 1 unknown".
std::string declared_answer(const ImpactView& view);
/// "BACKEND_URL=http://api.shop:80 at dump.yaml:12".
std::string declared_place(const analysis::DeclaredPlace& place, const SourceMap& sources);

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
