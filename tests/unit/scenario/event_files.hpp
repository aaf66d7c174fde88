// What tests of `events` share: a folder with manifests and a scenario in it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "app/scenario/load.hpp"
#include "sim/config/render.hpp"
#include "tests/unit/scenario/scratch_folder.hpp"

namespace podwire::test {

inline constexpr std::string_view kDenyIngress = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress]}
)";

struct EventFiles : testing::Test {
  ScratchFolder folder;
  SourceMap sources;

  Result<scenario::Scenario> load_spec(std::string_view spec) {
    folder.write("scenario.yaml", "apiVersion: podwire/v1\nkind: Scenario\nspec:\n" + std::string(spec));
    return scenario::load(sources, {folder.path()}, {});
  }
  std::string problems_of(std::string_view spec) {
    return config::render(load_spec(spec).diagnostics(), sources, {.short_form = true});
  }
};

}  // namespace podwire::test
