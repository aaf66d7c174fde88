// Inputs that are wrong, and what is said about them: tests/errors/scenario/NAME.yaml gives exactly NAME.err.
// PODWIRE_UPDATE=1 rewrites the .err files. A first line `# options: …` adds command-line words: --set TEXT, --cni
// NAME, -p NAME. Manifests they share are in tests/errors/scenario/shop/.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/scenario/load.hpp"
#include "sim/config/render.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::scenario {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

LoadOptions options_of(const std::string& text) {
  LoadOptions options;
  options.requires_scenario = true;
  constexpr std::string_view kStart = "# options: ";
  std::istringstream line(text.starts_with(kStart) ? text.substr(kStart.size(), text.find('\n') - kStart.size()) : "");
  std::string option;
  std::string value;
  while (line >> option >> value) {
    if (option == "--set") {
      options.settings.push_back(value);
    } else if (option == "--cni") {
      options.cni = value;
    } else if (option == "-p") {
      options.policy_sets.push_back(value);
    } else {
      ADD_FAILURE() << "unknown option " << option;
    }
  }
  return options;
}

TEST(ScenarioErrors, EachInputGivesItsMessage) {
  const fs::path folder = "tests/errors/scenario";  // as ctest runs us: paths in messages are the repository's
  const bool update = std::getenv("PODWIRE_UPDATE") != nullptr;
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(fs::path(PODWIRE_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".yaml") {
      inputs.push_back(folder / entry.path().filename());
    }
  }
  std::sort(inputs.begin(), inputs.end());
  EXPECT_GE(inputs.size(), 15u);
  fs::current_path(PODWIRE_SOURCE_DIR);
  for (const fs::path& input : inputs) {
    SourceMap sources;
    const auto result = load(sources, {input.string()}, options_of(content(input)));
    EXPECT_FALSE(result) << input << " is accepted";
    std::string actual = config::render(result.diagnostics(), sources);
    // Whole paths begin where this checkout lies.
    const std::string root = std::string(PODWIRE_SOURCE_DIR) + "/";
    for (std::size_t at = actual.find(root); at != std::string::npos; at = actual.find(root, at)) {
      actual.erase(at, root.size());
    }
    EXPECT_EQ(actual.find("hunter2"), std::string::npos) << input << " shows a secret:\n" << actual;
    const fs::path expected = fs::path(input).replace_extension(".err");
    if (update) {
      std::ofstream(expected) << actual;
    } else {
      EXPECT_EQ(actual, content(expected)) << input;
    }
  }
}

}  // namespace
}  // namespace podwire::scenario
