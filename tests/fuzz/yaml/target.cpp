// The YAML reader: whatever the fast reader takes, libfyaml takes too and makes the same tree of, with the same spans;
// what was accepted says the same in JSON; typed access to every scalar gives a value or an error.
#include <vector>

#include "sim/config/reader.hpp"
#include "sim/config/readers.hpp"
#include "sim/config/tree.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

constexpr config::Limits kLimits{
    .max_bytes = 1 << 20, .max_depth = 24, .max_alias_nodes = 2'000, .max_line_bytes = 1 << 16, .max_documents = 200};

std::string dump(config::Node node) {
  const auto place = [](Span span) { return fmt::format("@{}-{}", span.begin, span.end); };
  std::string out = fmt::format("({}{} {}{} = {}{}\n", static_cast<int>(node.kind()), node.is_quoted() ? "q" : "",
                                node.key(), place(node.key_span()), node.text(), place(node.span()));
  for (const config::Node child : node) {
    out += dump(child);
  }
  return out + ")";
}

std::string read(std::string_view text, SourceMap& sources, bool use_fast) {
  const SourceId source = sources.add("in", std::string(text));
  config::Tree tree(source, sources.text(source));
  Diagnostics diagnostics;
  config::read_yaml(tree, 0, kLimits, diagnostics, use_fast);
  if (diagnostics.has_errors()) {
    check_diagnostics(diagnostics, sources);
    return config::render(diagnostics, sources);
  }
  std::string out;
  for (const config::Node root : tree.roots()) {
    out += dump(root) + "---\n";
  }
  return out;
}

template <class T>
void check_typed(const std::optional<T>& value, const Diagnostics& diagnostics, std::size_t& errors) {
  require(value.has_value() == (diagnostics.error_count() == errors), "a typed scalar is a value or an error");
  errors = diagnostics.error_count();
}

// Every scalar as every type; every mapping through a strict reader.
void check_types(config::Node node, const SourceMap& sources) {
  Diagnostics diagnostics;
  std::size_t errors = 0;
  check_typed(config::as_string(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_bool(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_integer(node, -5, 70'000, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_number(node, -1.0, 1e6, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_duration(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_bytes(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_bit_rate(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_rate(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_fraction(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_ip(node, "x", diagnostics), diagnostics, errors);
  check_typed(config::as_cidr(node, "x", diagnostics), diagnostics, errors);
  if (node.is_mapping()) {
    config::ObjectReader reader(node, "x", diagnostics);
    reader.string("name");
    reader.finish();
  }
  check_diagnostics(diagnostics, sources);
  for (const config::Node child : node) {
    require(node.span().source == child.span().source, "children are of the same source");
    require(node.is_sequence() || node.find(child.key()) == child, "a member is found by its key");
    check_types(child, sources);
  }
}

void check_document(const std::string& text) {
  SourceMap sources;
  const Result<config::Document> document = config::parse_text(sources, "in", text, kLimits);
  check_result(document, sources);
  if (!document) {
    return;
  }
  for (const config::Node root : document->roots()) {
    check_types(root, sources);
  }
  std::string json = "[";  // one value: a scalar alone would be read as YAML
  for (const config::Node root : document->roots()) {
    json += json.size() > 1 ? ", " : "";
    append_json(json, root, false);
  }
  json += "]";
  const Result<config::Document> again = config::parse_text(sources, "json", json);
  require(again.has_value(), "the JSON form of an accepted document is accepted: " + json);
  std::string form;
  append_json(form, again->roots().front(), false);
  require(form == json, "the JSON form of a document says the same: " + json);
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace podwire;
  const std::string text = fuzz::text_of(data, size);
  fuzz::check_document(text);
  // The two readers below it meet valid text without zero bytes only.
  if (size < 8'192 && config::is_valid_utf8(text) && text.find('\0') == std::string::npos) {
    SourceMap fast_sources;
    SourceMap sources;
    const std::string fast = fuzz::read(text, fast_sources, true);
    const std::string slow = fuzz::read(text, sources, false);
    fuzz::require(fast == slow, "the two YAML readers differ:\n" + fast + "\nlibfyaml:\n" + slow);
  }
  return 0;
}
