// The list of approved changes: every entry is read or refused with an error at its place, and says the same in JSON;
// its connections, written as reach writes them, are read as the same ports.
#include <vector>

#include "app/scenario/approved.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

std::string describe(const std::vector<scenario::Approval>& entries) {
  std::string out;
  for (const scenario::Approval& e : entries) {
    out += fmt::format("{} {}-{} | {} {}-{} | {} {} {} | {} | {}\n", e.from.name, e.from.range.first.to_string(),
                       e.from.range.second.to_string(), e.to.name, e.to.range.first.to_string(),
                       e.to.range.second.to_string(), e.ports.to_string(), e.is_opening, e.expires.to_string(), e.owner,
                       e.reason);
  }
  return out;
}

std::size_t entry_count(const config::Document& document) {
  std::size_t count = 0;
  for (const config::Node root : document.roots()) {
    count += root.is_sequence() ? root.size() : root.find("entries").size();
  }
  return count;
}

void check_entry(const scenario::Approval& entry) {
  require(scenario::parse_date(entry.expires.to_string()) == entry.expires, "a date reads back");
  require(!entry.owner.empty() && !entry.reason.empty(), "owner and reason are there");
  require(!entry.ports.empty(), "an entry approves something");
  const auto again = scenario::parse_connections(entry.ports.to_string());
  require(again && *again == entry.ports, "connections read back: " + entry.ports.to_string());
  for (const scenario::Approval::End& end : {entry.from, entry.to}) {
    require(!end.name.empty() || end.range.first <= end.range.second, "an end is a name or a range");
  }
}

void check(const std::string& text) {
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "in.yaml", text, {.max_bytes = 1 << 18});
  if (!document) {
    return;
  }
  Diagnostics diagnostics;
  const std::vector<scenario::Approval> entries = scenario::read_approvals(*document, diagnostics);
  check_diagnostics(diagnostics, sources);
  for (const scenario::Approval& entry : entries) {
    check_entry(entry);
  }
  if (diagnostics.has_errors()) {
    return;
  }
  require(entries.size() == entry_count(*document), "an entry was left out without a word");
  const std::string json = json_of(*document, true);
  const Result<config::Document> form = config::parse_text(sources, "json", json);
  require(form.has_value(), "the JSON form is accepted");
  for (const config::Node root : document->roots()) {
    if (has_bare_letter(root)) {
      return;
    }
  }
  const std::vector<scenario::Approval> again = scenario::read_approvals(*form, diagnostics);
  require(!diagnostics.has_errors() && describe(again) == describe(entries), "the JSON form differs: " + json);
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  podwire::fuzz::check(podwire::fuzz::text_of(data, size));
  return 0;
}
