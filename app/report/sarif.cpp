#include "app/report/sarif.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "app/report/lint_report.hpp"

namespace podwire::report {
namespace {

/// A relative reference, or a file URI where the path is absolute (RFC 3986, 8089): everything but unreserved
/// characters and / is percent-encoded.
std::string uri_of(std::string_view path) {
  if (path == "-") {
    return "stdin";
  }
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._~/").find(c) != std::string_view::npos;
    uri += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

}  // namespace

ordered_json sarif_location(const Span& span, const SourceMap& sources) {
  const LintRegion region = region_of(span, sources, true);
  ordered_json location = ordered_json::object();
  if (region.is_known()) {
    location["physicalLocation"] = {{"artifactLocation", {{"uri", uri_of(region.file)}}},
                                    {"region",
                                     {{"startLine", region.line},
                                      {"startColumn", region.column},
                                      {"endLine", region.line},
                                      {"endColumn", std::max(region.end_column, region.column + 1)}}}};
  }
  return location;
}

}  // namespace podwire::report
