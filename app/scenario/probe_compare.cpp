// A measured mesh, read as CSV and laid beside the played one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "app/scenario/probe.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

constexpr std::string_view kHeader = "step,source,destination,protocol,port,allowed";
constexpr std::size_t kColumns = 6;

using Key = std::tuple<std::size_t, std::string, std::string, ProbePort>;

// RFC 4180 fields of one line; names hold no line breaks. None if a quote stands inside a bare field, behind a quoted
// one, or has no end.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  std::size_t at = 0;
  for (;;) {
    std::string& field = fields.emplace_back();
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size() && (line[at] != '"' || line.substr(at).starts_with("\"\"")); ++at) {
        at += line[at] == '"' ? 1 : 0;  // doubled: one quote of the text
        field += line[at];
      }
      if (at == line.size() || (at + 1 < line.size() && line[at + 1] != ',')) {
        return {};
      }
      ++at;
    } else {
      for (; at < line.size() && line[at] != ','; ++at) {
        if (line[at] == '"') {
          return {};
        }
        field += line[at];
      }
    }
    if (at == line.size()) {
      return fields;
    }
    ++at;  // the comma
  }
}

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size() && !text.empty() ? std::optional(value)
                                                                                    : std::nullopt;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

// The table: by key, "true" or "false".
std::map<Key, std::string> read_table(std::string_view csv, SourceId source, Diagnostics& diagnostics) {
  std::map<Key, std::string> rows;
  std::size_t begin = 0;
  bool has_header = false;
  while (begin < csv.size()) {
    const std::size_t end = std::min(csv.find('\n', begin), csv.size());
    std::string_view line = csv.substr(begin, end - begin);
    line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    const Span span{source, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(begin + line.size())};
    begin = end + 1;
    if (line.empty()) {
      continue;
    }
    if (!has_header) {
      has_header = true;
      if (line != kHeader) {
        diagnostics.error("bad-measurement", "the first line names other columns", span,
                          fmt::format("begin with {}", kHeader));
        return rows;
      }
      continue;
    }
    const std::vector<std::string> fields = fields_of(line);
    const auto step = fields.size() == kColumns ? number_of(fields[0]) : std::nullopt;
    const auto port = fields.size() == kColumns ? parse_probe_port(fields[3] + "/" + fields[4]) : std::nullopt;
    const std::string allowed = fields.size() == kColumns ? lower(fields[5]) : "";
    if (!step || !port || (allowed != "true" && allowed != "false")) {
      diagnostics.error("bad-measurement", "the line is no measurement", span, "for example 0,x/a,y/s-y-b,TCP,80,true");
      continue;
    }
    if (!rows.emplace(Key{*step, fields[1], fields[2], *port}, allowed).second) {
      diagnostics.error("duplicate-row", "this probe was measured before", span,
                        "keep one line for each probe of a step");
    }
  }
  if (!has_header) {
    diagnostics.error("bad-measurement", "the file is empty", {source, 0, 0}, fmt::format("begin with {}", kHeader));
  }
  return rows;
}

}  // namespace

std::optional<ProbeComparison> compare_probes(const ProbeResult& result, const ProbeOptions& options,
                                              std::string_view csv, SourceId source, Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.error_count();
  std::map<Key, std::string> measured = read_table(csv, source, diagnostics);
  if (diagnostics.error_count() != errors) {
    return std::nullopt;
  }
  ProbeComparison out;
  for (std::size_t s = 0; s < result.steps.size(); ++s) {
    const ProbeStep& step = result.steps[s];
    for (const ProbeRow& row : step.rows) {
      ProbeComparison::Row line{.step = s,
                                .source = step.sources[row.source],
                                .destination = step.destinations[row.destination],
                                .port = options.ports[row.port].to_string(),
                                .played = std::string(csv_verdict(row.verdict)),
                                .measured = {},
                                .because = row.because,
                                .span = row.span};
      const auto at = measured.find(Key{s, line.source, line.destination, options.ports[row.port]});
      if (at == measured.end()) {
        out.missing.push_back(std::move(line));
        continue;
      }
      ++out.compared;
      line.measured = at->second;
      if (line.measured != line.played) {
        out.disagreements.push_back(std::move(line));
      }
      measured.erase(at);
    }
  }
  for (const auto& [key, allowed] : measured) {
    out.missing.push_back({.step = std::get<0>(key),
                           .source = std::get<1>(key),
                           .destination = std::get<2>(key),
                           .port = std::get<3>(key).to_string(),
                           .played = {},
                           .measured = allowed,
                           .because = {},
                           .span = {}});
  }
  return out;
}

}  // namespace podwire::scenario
