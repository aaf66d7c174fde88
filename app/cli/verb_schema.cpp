// podwire schema: the JSON Schema of scenario files, for editors.
#include "app/cli/cli.hpp"
#include "app/scenario/schema.hpp"

namespace podwire::cli {

Exit verb_schema(const CommandLine& line) {
  if (!line.words.empty()) {
    say("schema takes no arguments");
    return Exit::bad_input;
  }
  return write_outputs(line, [](Format, const report::Style&) { return std::string(scenario::scenario_schema()); });
}

}  // namespace podwire::cli
