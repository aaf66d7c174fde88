// Manifests read as policies, for tests of what the reader takes and what it refuses.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "models/policy/policy.hpp"
#include "sim/config/render.hpp"

namespace podwire::test {

struct PolicyReading {
  SourceMap sources;
  cluster::ObjectStore store;
  std::optional<policy::PolicySet> set;
  Diagnostics diagnostics;

  explicit PolicyReading(const std::string& text) {
    store.add_layer(sources, {.path = "-", .shown_as = "p.yaml", .text = text, .span = {}}, {}, diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << config::render(diagnostics, sources);
    Result<policy::PolicySet> result = policy::read_policies(store);
    diagnostics = result.diagnostics();
    if (result.has_value()) {
      set = std::move(result).value();
    }
  }
  const policy::NetworkPolicy& network_policy() const { return set->network_policies.at(0); }
  const policy::AdminPolicy& admin_policy() const { return set->admin_policies.at(0); }

  /// The codes in order of report, joined; with the text each points at.
  std::string problems() const {
    std::string text;
    for (const Diagnostic& d : diagnostics.all()) {
      const std::string_view source = d.span.is_known() ? sources.text(d.span.source) : std::string_view();
      text += (text.empty() ? "" : "; ") + d.code + " at " +
              std::string(source.substr(d.span.begin, d.span.end - d.span.begin));
    }
    return text;
  }
};

}  // namespace podwire::test
