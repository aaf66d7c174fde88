// The command: verbs over scenarios and manifests. Exit codes are part of its interface:
// 0 as expected; 1 an expectation failed; 2 bad input or usage; 3 a bug of ours; 4 inconclusive; 130 interrupted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/cli/options.hpp"
#include "app/report/text_table.hpp"
#include "app/scenario/load.hpp"

namespace podwire::cli {

enum class Exit : int { ok = 0, failed = 1, bad_input = 2, bug = 3, inconclusive = 4, interrupted = 130 };

/// The exit code that says most: a bug before bad input before an interruption before a failure before a doubt.
Exit worse(Exit a, Exit b);

/// Runs the command with the words after the program's name; catches everything. Reads the environment (NO_COLOR, TERM)
/// and writes to the process's standard streams.
int run_command(const std::vector<std::string>& arguments);

// The verbs.
Exit verb_run(const CommandLine& line);
Exit verb_reach(const CommandLine& line);
Exit verb_explain(const CommandLine& line);
Exit verb_diff(const CommandLine& line);
Exit verb_impact(const CommandLine& line);
Exit verb_lint(const CommandLine& line);
Exit verb_probe(const CommandLine& line);
Exit verb_init(const CommandLine& line);
Exit verb_suggest(const CommandLine& line);
Exit verb_models(const CommandLine& line);
Exit verb_schema(const CommandLine& line);
Exit verb_version(const CommandLine& line);

// What verbs share.

/// Prints a line to standard error: "podwire: MESSAGE".
void say(const std::string& message);
/// Shows diagnostics on standard error: short lines when that is no terminal. Warnings alone are left out when quiet.
void show(const Diagnostics& diagnostics, const SourceMap& sources, const CommandLine& line);
/// Whether the table that goes to `request` is coloured.
report::Style style_for(const CommandLine& line, const OutputRequest& request);
/// Adds standard input's text to `options` if some path is "-"; says what is wrong when it cannot be read.
bool read_standard_input(const std::vector<std::string>& paths, scenario::LoadOptions& options);
/// Loads what `paths` name, standard input among them, and shows what is wrong with it. Nothing after an error.
std::optional<scenario::Scenario> load_input(SourceMap& sources, const std::vector<std::string>& paths,
                                             scenario::LoadOptions options, const CommandLine& line);
/// Positional words from `first` on, and the files of -f.
std::vector<std::string> paths_of(const CommandLine& line, std::size_t first = 0);
/// Reports what is wrong with an output, as an exit code.
Exit finish(OutputWriter& writer, const OutputRequest& request);
Exit write_one(const OutputRequest& request, const std::string& text);

/// Writes every requested format; `text_of(format, style)` renders one. bad_input when one cannot be written.
template <class Render>
Exit write_outputs(const CommandLine& line, Render text_of) {
  Exit exit = Exit::ok;
  for (const OutputRequest& request : line.outputs) {
    exit = worse(exit, write_one(request, text_of(request.format, style_for(line, request))));
  }
  return exit;
}

}  // namespace podwire::cli
