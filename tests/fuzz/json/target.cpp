// The JSON reader against nlohmann's: both take a text or both refuse it, and the values are the same. What ours alone
// refuses are duplicate keys and what is past its limits; what it leaves to YAML is YAML's concern.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

using Json = nlohmann::ordered_json;

constexpr config::Limits kLimits{.max_bytes = 1 << 20, .max_depth = 24, .max_documents = 50};

bool is_deep(const Json& value, unsigned depth) {
  if (depth > kLimits.max_depth) {
    return true;
  }
  if (value.is_structured()) {
    for (const Json& child : value) {
      if (is_deep(child, depth + 1)) {
        return true;
      }
    }
  }
  return false;
}

bool is_same(config::Node node, const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return node.is_null() && node.is_present();
    case Json::value_t::boolean:
      return node.is_scalar() && !node.is_quoted() && node.text() == (value.get<bool>() ? "true" : "false");
    case Json::value_t::string:
      return node.is_scalar() && node.is_quoted() && node.text() == value.get_ref<const std::string&>();
    case Json::value_t::array: {
      if (!node.is_sequence() || node.size() != value.size()) {
        return false;
      }
      auto child = value.begin();
      for (const config::Node item : node) {
        if (!is_same(item, *child++)) {
          return false;
        }
      }
      return true;
    }
    case Json::value_t::object:
      if (!node.is_mapping() || node.size() != value.size()) {
        return false;
      }
      for (const auto& [key, member] : value.items()) {
        if (!is_same(node.find(key), member)) {
          return false;
        }
      }
      return true;
    default: {
      const std::string text(node.text());
      return node.is_scalar() && !node.is_quoted() && std::strtod(text.c_str(), nullptr) == value.get<double>();
    }
  }
}

/// Whether some number is too large for a double: nlohmann's reader takes that for an error, ours keeps its text.
bool has_huge_number(config::Node node) {
  if (node.is_scalar() && !node.is_quoted() && std::isinf(std::strtod(std::string(node.text()).c_str(), nullptr))) {
    return true;
  }
  for (const config::Node child : node) {
    if (has_huge_number(child)) {
      return true;
    }
  }
  return false;
}

/// The one value that the text holds, if nlohmann's reader takes it. Several keys of one name: the last one counts.
std::optional<Json> reference(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? std::nullopt : std::optional(std::move(value));
}

bool has_code(const Diagnostics& diagnostics, std::string_view code) {
  for (const Diagnostic& d : diagnostics.all()) {
    if (d.code == code) {
      return true;
    }
  }
  return false;
}

void check(const std::string& text) {
  SourceMap sources;
  const SourceId source = sources.add("in", text);
  config::Tree tree(source, sources.text(source));
  Diagnostics diagnostics;
  const config::JsonOutcome outcome = config::read_json(tree, 0, false, kLimits, diagnostics);
  const std::optional<Json> expected = reference(text);
  if (outcome == config::JsonOutcome::perhaps_yaml) {
    require(!expected || is_deep(*expected, 0), "what is JSON is not left to YAML");
    return;
  }
  check_diagnostics(diagnostics, sources);
  if (diagnostics.has_errors()) {
    require(!expected || has_code(diagnostics, "duplicate-key") || has_code(diagnostics, "too-deep"),
            "JSON is refused: " + config::render(diagnostics, sources));
    return;
  }
  if (!expected) {  // several values one after another, perhaps
    const auto& roots = tree.roots();
    require(roots.size() > 1 || std::any_of(roots.begin(), roots.end(), has_huge_number),
            "what is no JSON is accepted");
    return;
  }
  require(tree.roots().size() == (expected->is_null() ? 0u : 1u), "one value, one document");
  require(expected->is_null() || is_same(tree.roots()[0], *expected), "the values differ");
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace podwire;
  const std::string text = fuzz::text_of(data, size);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string::npos && (text[first] == '{' || text[first] == '[');
  // As parse_text() does before it asks this reader.
  if (is_json && size < 16'384 && config::is_valid_utf8(text) && text.find('\0') == std::string::npos) {
    fuzz::check(text);
  }
  return 0;
}
