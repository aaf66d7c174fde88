// Approved changes: what an entry covers, until when, and what is wrong with a file of them.
#include "app/scenario/approved.hpp"

#include <gtest/gtest.h>

namespace podwire::scenario {
namespace {

using analysis::DiffCause;
using analysis::DiffRow;
using policy::PortSet;

constexpr const char* kEntry =
    "- source: front/web[Deployment]\n"
    "  destination: back/api[Deployment]\n"
    "  connections: TCP 80,8000-8099\n"
    "  change: opened\n"
    "  owner: team\n"
    "  reason: the move\n"
    "  expires: 2026-12-31\n";

std::vector<Approval> read(const std::string& text, Diagnostics& problems) {
  static SourceMap sources;
  const auto document = config::parse_text(sources, "approved.yaml", text);
  EXPECT_TRUE(document.has_value());
  return read_approvals(*document, problems);
}

std::vector<std::string> problems_of(const std::string& text) {
  Diagnostics problems;
  read(text, problems);
  std::vector<std::string> codes;
  for (const Diagnostic& problem : problems.all()) {
    codes.push_back(problem.code + ": " + problem.message);
  }
  return codes;
}

Approvals approvals(const std::string& text, Date today = {2026, 6, 1}) {
  Diagnostics problems;
  auto entries = read(text, problems);
  EXPECT_FALSE(problems.has_errors());
  return {std::move(entries), today};
}

PortSet ports(std::string_view text) {
  return parse_connections(text).value();
}

DiffRow row(std::string_view opened, std::string_view closed = {}) {
  DiffRow result;
  result.source.name = "front/web[Deployment]";
  result.destination.name = "back/api[Deployment]";
  result.opened = opened.empty() ? PortSet() : ports(opened);
  result.closed = closed.empty() ? PortSet() : ports(closed);
  return result;
}

TEST(Approvals, AnEntryCoversItsPortsAndNoOthers) {
  Approvals list = approvals(kEntry);
  EXPECT_TRUE(list.judge(row("TCP 80")).empty());
  EXPECT_TRUE(list.judge(row("TCP 8000-8050")).empty());
  EXPECT_EQ(list.judge(row("TCP 79-80")).opened, ports("TCP 79"));
  EXPECT_EQ(list.judge(row("UDP 80")).opened, ports("UDP 80"));
  EXPECT_EQ(list.judge(row("", "TCP 80")).closed, ports("TCP 80"));  // opening was approved, not closing
  EXPECT_EQ(list.entries()[0].matches, 3u);
}

TEST(Approvals, AnEntryCountsOnItsLastDayAndNotAfter) {
  EXPECT_TRUE(approvals(kEntry, {2026, 12, 31}).judge(row("TCP 80")).empty());
  Approvals late = approvals(kEntry, {2027, 1, 1});
  EXPECT_EQ(late.judge(row("TCP 80")).opened, ports("TCP 80"));
  EXPECT_TRUE(late.is_expired(late.entries()[0]));
  EXPECT_EQ(late.entries()[0].matches, 1u);  // it would have
}

TEST(Approvals, AnotherPairIsNotCovered) {
  Approvals list = approvals(kEntry);
  DiffRow other = row("TCP 80");
  std::swap(other.source, other.destination);
  EXPECT_FALSE(list.judge(other).empty());
  EXPECT_EQ(list.entries()[0].matches, 0u);
}

TEST(Approvals, AnUnknownRowIsApprovedByNothing) {
  Approvals list = approvals(kEntry);
  DiffRow unknown = row("TCP 80");
  unknown.cause = DiffCause::unknown;
  EXPECT_FALSE(list.judge(unknown).empty());
}

TEST(Approvals, AddressesAreCoveredByARangeThatHoldsThemWhole) {
  std::string text = kEntry;
  text.replace(text.find("front/web[Deployment]"), 21, "10.0.0.0/8");
  Approvals list = approvals(text);
  DiffRow outside = row("TCP 80");
  outside.source = {.name = "10.1.0.0-10.1.255.255[External]",
                    .is_external = true,
                    .range = {IpAddress::v4(10, 1, 0, 0), IpAddress::v4(10, 1, 255, 255)}};
  EXPECT_TRUE(list.judge(outside).empty());
  outside.source.range.second = IpAddress::v4(11, 0, 0, 0);
  EXPECT_FALSE(list.judge(outside).empty());
}

TEST(Approvals, AStarApprovesWhateverPorts) {
  std::string text = kEntry;
  text.replace(text.find("TCP 80,8000-8099"), 16, "'*'");
  EXPECT_TRUE(approvals(text).judge(row("All Connections")).empty());
}

TEST(Approvals, TheListMayStandUnderEntries) {
  std::string text = "entries:\n";
  text += kEntry;
  EXPECT_EQ(approvals(text).entries().size(), 1u);
}

TEST(Approvals, EveryKeyIsRequiredAndNoOtherIsKnown) {
  EXPECT_EQ(problems_of("- {source: 'a/b[Pod]', color: red}\n").size(), 7u);  // six missing keys and one unknown
  EXPECT_EQ(
      problems_of("- {source: '', destination: 'a/b[Pod]', connections: '*', change: opened, owner: o, reason: r, "
                  "expires: 2026-01-01}\n"),
      (std::vector<std::string>{"bad-value: \"source\" is empty"}));
  EXPECT_EQ(problems_of("- 7\n"), (std::vector<std::string>{"wrong-type: approved change 1 is a mapping"}));
}

TEST(Approvals, ValuesThatMeanNothingAreErrors) {
  const auto with = [](std::string_view from, std::string_view to) {
    std::string text = kEntry;
    text.replace(text.find(from), from.size(), to);
    return problems_of(text);
  };
  EXPECT_EQ(with("2026-12-31", "2026-02-30"),
            (std::vector<std::string>{"bad-date: \"2026-02-30\" is no day of the calendar"}));
  EXPECT_EQ(with("TCP 80,8000-8099", "port 80"),
            (std::vector<std::string>{"bad-value: \"port 80\" names no connections"}));
  EXPECT_EQ(with("front/web[Deployment]", "web"),
            (std::vector<std::string>{"bad-value: \"web\" is neither a workload nor addresses"}));
  EXPECT_EQ(with("change: opened", "change: open").size(), 1u);
}

TEST(ParseConnections, ReadsWhatReachWrites) {
  EXPECT_EQ(ports("All Connections"), PortSet::all());
  EXPECT_EQ(ports("SCTP 1-65535,TCP 80,443,UDP 53").to_string(), "SCTP 1-65535,TCP 80,443,UDP 53");
  for (const char* const bad : {"", "TCP", "TCP 0", "TCP 70000", "TCP 9-8", "80", "ICMP 1", "TCP 80;81", "TCP 80 81"}) {
    EXPECT_FALSE(parse_connections(bad).has_value()) << bad;
  }
}

TEST(ParseDate, TakesDaysOfTheCalendarOnly) {
  EXPECT_EQ(parse_date("2028-02-29")->to_string(), "2028-02-29");
  for (const char* const bad : {"2026-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026/01/01", "", "2026-00-10",
                                "+026-01-01", "2026-01-0x"}) {
    EXPECT_FALSE(parse_date(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace podwire::scenario
