// Inputs that are wrong, and what is said about them: tests/errors/cluster/NAME.yaml beside NAME.err.
//
// A first line `# max_pods: N`, `# nodes: N` or `# listens: NAME PORT` sets the option. The .err file holds the short
// form of every diagnostic; with PODWIRE_UPDATE_ERRORS set it is rewritten, to be read before it is committed.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/source_dir.hpp"
#include "tests/unit/cluster/fixture.hpp"

namespace podwire::cluster {
namespace {

std::string read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

ClusterOptions options_of(const std::string& text) {
  ClusterOptions options;
  std::istringstream in(text.substr(0, text.find('\n')));
  std::string hash, key;
  in >> hash >> key;
  if (key == "max_pods:") {
    in >> options.max_pods;
  } else if (key == "nodes:") {
    std::uint32_t count = 0;
    in >> count;
    options.node_count = count;
  } else if (key == "listens:") {
    std::string name;
    std::uint16_t port = 0;
    in >> name >> port;
    options.listens.push_back({.workload = name, .protocol = IpProtocol::tcp, .port = Port(port), .span = {}});
  }
  return options;
}

TEST(ErrorCases, AreReportedAsWritten) {
  std::vector<std::filesystem::path> cases;
  for (const auto& entry : std::filesystem::directory_iterator(PODWIRE_SOURCE_DIR "/tests/errors/cluster")) {
    if (entry.path().extension() == ".yaml") {
      cases.push_back(entry.path());
    }
  }
  std::ranges::sort(cases);
  ASSERT_FALSE(cases.empty());
  for (const auto& path : cases) {
    const std::string text = read_all(path);
    testing::Loaded loaded({});
    const std::string name = path.filename().string();
    loaded.store.add_layer(loaded.sources, {.path = "-", .shown_as = name, .text = text, .span = {}}, {},
                           loaded.diagnostics);
    if (!loaded.diagnostics.has_errors()) {
      loaded.diagnostics.append(build_cluster(loaded.store, options_of(text)).diagnostics());
    }
    const std::string said = loaded.rendered(loaded.diagnostics);
    const auto expected = std::filesystem::path(path).replace_extension(".err");
    if (std::getenv("PODWIRE_UPDATE_ERRORS") != nullptr) {
      std::ofstream(expected, std::ios::binary) << said;
    }
    EXPECT_EQ(said, read_all(expected)) << name;
    EXPECT_FALSE(said.empty()) << name;
  }
}

}  // namespace
}  // namespace podwire::cluster
