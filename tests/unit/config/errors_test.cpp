// Text cases: tests/errors/config/x.yaml (or .json) gives exactly the message in x.err. PODWIRE_UPDATE=1 rewrites them.
//
// A first line `# schema: workload` also reads the document by a small schema, so that semantic errors are shown too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sim/config/files.hpp"
#include "sim/config/reader.hpp"
#include "sim/config/render.hpp"
#include "tests/support/source_dir.hpp"

namespace podwire::config {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

void read_workload(Node root, Diagnostics& diagnostics) {
  ObjectReader reader(root, "Workload \"browse\"", diagnostics);
  reader.string("name");
  reader.string("from");
  reader.rate("rate");
  reader.duration("timeout");
  reader.bytes("request");
  reader.integer("port", 1, 65535);
  reader.boolean("keepAlive");
  reader.choice("arrivals", {"poisson", "constant"});
  for (const Node label : reader.members("labels")) {
    as_string(label, reader.object(), reader.diagnostics());
  }
  for (const Node entry : reader.list("env")) {
    ObjectReader variable(entry, "env of Workload \"browse\"", diagnostics);
    variable.string("name");
    variable.string("value");
    variable.finish();
  }
  for (const Node annotation : reader.members("annotations")) {
    as_string(annotation, reader.object(), reader.diagnostics());
  }
  reader.ignore({"kind", "data", "stringData"});
  reader.finish();
}

std::string messages(const fs::path& path) {
  SourceMap sources;
  Diagnostics diagnostics;
  const FileAccess access{.limits = {.max_depth = 20, .max_line_bytes = 2000}};
  const std::optional<Document> document = read_file(sources, path, path.filename().string(), access, {}, diagnostics);
  if (document.has_value() && content(path).starts_with("# schema: workload")) {
    for (const Node root : document->roots()) {
      read_workload(root, diagnostics);
    }
  }
  return render(diagnostics, sources);
}

TEST(ErrorCases, EachInputGivesItsMessage) {
  const fs::path folder = fs::path(PODWIRE_SOURCE_DIR) / "tests/errors/config";
  const bool update = std::getenv("PODWIRE_UPDATE") != nullptr;
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml" || entry.path().extension() == ".json") {
      inputs.push_back(entry.path());
    }
  }
  std::sort(inputs.begin(), inputs.end());
  EXPECT_GE(inputs.size(), 20u);
  for (const fs::path& input : inputs) {
    const fs::path expected = fs::path(input).replace_extension(".err");
    const std::string actual = messages(input);
    EXPECT_FALSE(actual.empty()) << input << " gave no error";
    EXPECT_EQ(actual.find("hunter2"), std::string::npos) << input << " shows a secret:\n" << actual;
    if (update) {
      std::ofstream(expected) << actual;
    } else {
      EXPECT_EQ(actual, content(expected)) << input;
    }
  }
}

}  // namespace
}  // namespace podwire::config
