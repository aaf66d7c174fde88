// Reading of metav1.LabelSelector, strictly.
//
// Source: k8s.io/apimachinery pkg/apis/meta/v1/validation (ValidateLabelSelector) and pkg/labels (NewRequirement).
// `In` and `NotIn` need values, `Exists` and `DoesNotExist` have none. Unknown members are errors: a misspelt
// matchLabels would otherwise select everything.
#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/labels.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

void report(Diagnostics& diagnostics, std::string code, std::string message, config::Node where,
            const std::string& object) {
  diagnostics.add({.code = std::move(code),
                   .message = std::move(message),
                   .span = where.span(),
                   .object = object,
                   .field = where.path()});
}

bool check_key(std::string_view key, config::Node where, Span span, const std::string& object,
               Diagnostics& diagnostics) {
  if (const auto problem = invalid_label_key(key)) {
    diagnostics.add({.code = "bad-label-key",
                     .message = fmt::format("the label key \"{}\" {}", printable(key, 80), *problem),
                     .span = span,
                     .object = object,
                     .field = where.path()});
    return false;
  }
  return true;
}

bool check_value(std::string_view value, config::Node where, const std::string& object, Diagnostics& diagnostics) {
  if (const auto problem = invalid_label_value(value)) {
    report(diagnostics, "bad-label-value", fmt::format("the label value \"{}\" {}", printable(value, 80), *problem),
           where, object);
    return false;
  }
  return true;
}

void read_match_labels(config::ObjectReader& reader, LabelSelector& selector) {
  for (const config::Node member : reader.members("matchLabels")) {
    const auto value = config::as_string(member, reader.object(), reader.diagnostics());
    if (!check_key(member.key(), member, member.key_span(), reader.object(), reader.diagnostics()) || !value ||
        !check_value(*value, member, reader.object(), reader.diagnostics())) {
      continue;
    }
    selector.requirements.push_back(
        {.key = std::string(member.key()), .op = SelectorOperator::in, .values = {*value}, .span = member.key_span()});
  }
}

void read_expression(config::Node item, const std::string& object, Diagnostics& diagnostics, LabelSelector& selector) {
  config::ObjectReader reader(item, object, diagnostics);
  const std::size_t errors_before = diagnostics.error_count();
  Requirement requirement{.span = item.span()};
  if (const config::Node key = reader.require("key"); key.is_present()) {
    const auto text = config::as_string(key, object, diagnostics);
    if (text && check_key(*text, key, key.span(), object, diagnostics)) {
      requirement.key = *text;
    }
  }
  std::optional<std::size_t> op;
  if (reader.require("operator").is_present()) {
    op = reader.choice("operator", {"In", "NotIn", "Exists", "DoesNotExist"});
  }
  const std::vector<config::Node> values = reader.list("values");
  for (const config::Node value : values) {
    const auto text = config::as_string(value, object, diagnostics);
    if (text && check_value(*text, value, object, diagnostics)) {
      requirement.values.push_back(*text);
    }
  }
  reader.finish();
  if (op) {
    requirement.op = static_cast<SelectorOperator>(*op);
    const bool needs_values = requirement.op == SelectorOperator::in || requirement.op == SelectorOperator::not_in;
    if (needs_values && values.empty()) {
      report(diagnostics, "missing-values", "the operators In and NotIn need at least one value", item, object);
    } else if (!needs_values && !values.empty()) {
      report(diagnostics, "unexpected-values", "the operators Exists and DoesNotExist take no values",
             item.find("values"), object);
    }
  }
  if (diagnostics.error_count() == errors_before && op) {
    std::ranges::sort(requirement.values);
    const auto repeated = std::unique(requirement.values.begin(), requirement.values.end());
    requirement.values.erase(repeated, requirement.values.end());
    selector.requirements.push_back(std::move(requirement));
  }
}

}  // namespace

std::optional<LabelSelector> read_label_selector(config::Node node, const std::string& object,
                                                 Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  LabelSelector selector{.requirements = {}, .span = node.span()};
  config::ObjectReader reader(node, object, diagnostics);
  read_match_labels(reader, selector);
  for (const config::Node item : reader.list("matchExpressions")) {
    read_expression(item, object, diagnostics, selector);
  }
  reader.finish();
  if (diagnostics.error_count() != errors_before) {
    return std::nullopt;
  }
  return selector;
}

}  // namespace podwire::cluster
