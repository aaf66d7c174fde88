// Policies that the API refuses or warns of, and what is said about them: tests/errors/policy/NAME.yaml gives exactly
// NAME.err, the short form of every diagnostic. PODWIRE_UPDATE_ERRORS=1 rewrites the .err files, to be read before they
// are committed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "models/policy/policy.hpp"
#include "sim/config/render.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::policy {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

std::string said_of(const fs::path& path) {
  SourceMap sources;
  cluster::ObjectStore store;
  Diagnostics diagnostics;
  store.add_layer(sources, {.path = "-", .shown_as = path.filename().string(), .text = content(path), .span = {}}, {},
                  diagnostics);
  const Result<PolicySet> policies = read_policies(store);
  diagnostics.append(policies.diagnostics());
  for (const Diagnostic& d : diagnostics.all()) {
    EXPECT_TRUE(d.span.is_known()) << path << ": " << d.message;
  }
  return config::render(diagnostics, sources, {.short_form = true, .limit = 200});
}

TEST(PolicyErrors, EachInputGivesItsMessages) {
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(PODWIRE_SOURCE_DIR "/tests/errors/policy")) {
    if (entry.path().extension() == ".yaml") {
      inputs.push_back(entry.path());
    }
  }
  std::sort(inputs.begin(), inputs.end());
  EXPECT_GE(inputs.size(), 5u);
  for (const fs::path& input : inputs) {
    const std::string said = said_of(input);
    const fs::path expected = fs::path(input).replace_extension(".err");
    if (std::getenv("PODWIRE_UPDATE_ERRORS") != nullptr) {
      std::ofstream(expected, std::ios::binary) << said;
    }
    EXPECT_EQ(said, content(expected)) << input;
    EXPECT_FALSE(said.empty()) << input;
  }
}

}  // namespace
}  // namespace podwire::policy
