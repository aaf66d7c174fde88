// The command line: which verb, which options it takes, and what was given, typed and checked.
//
// Boost.Program_options splits the words (guessing of abbreviations off); types, help and messages are ours, because
// the library turns -1 into 2^64 - 1 for unsigned options and its help cannot be read at night.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/output.hpp"
#include "app/scenario/load.hpp"

namespace podwire::cli {

enum class Color : std::uint8_t { automatic, always, never };

/// An option as help shows it and the parser takes it.
struct OptionDoc {
  std::string_view name;      // "output"
  char letter = 0;            // 'o', 0: none
  std::string_view argument;  // "FORMAT[=FILE]"; "": a switch
  std::string_view text;      // help, one sentence or two
};

/// A verb as help shows it.
struct VerbDoc {
  std::string_view name;
  std::string_view arguments;  // "PATH…"
  std::string_view summary;    // one line, for the list of verbs
  std::string_view text;       // a paragraph or two
  std::span<const std::string_view> options;
  std::span<const std::string_view> examples;
  std::span<const Format> formats = kCommonFormats;
};

std::span<const VerbDoc> verbs();
const VerbDoc* find_verb(std::string_view name);
const OptionDoc& option_doc(std::string_view name);

/// What was given. Paths and positional words stand in `words`; -f adds to `files`.
struct CommandLine {
  std::vector<std::string> words;
  std::vector<std::string> files;
  std::vector<OutputRequest> outputs;
  scenario::LoadOptions load;
  std::string record_folder;
  std::string scenario;                        // --scenario
  std::vector<std::string> cluster;            // --cluster
  std::string approved;                        // --approved: a file
  std::string fail_on = "any";                 // --fail-on: any, opened, closed; of lint a severity or none
  std::string today;                           // --today: "" for the clock's
  std::vector<std::string> rules;              // --rule
  std::vector<std::string> skipped_rules;      // --skip
  bool lists_rules = false;                    // --rules
  bool ignores_annotations = false;            // --no-ignore
  std::vector<std::string> compared_profiles;  // of --cni A,B,C
  std::string probe_target = "service";        // --to
  std::vector<std::string> ports;              // --ports
  std::string at;                              // --at: "" when every node is to have a step in force
  std::string measured;                        // --compare: a file
  unsigned jobs = 1;
  std::vector<std::string> focus;       // --focus
  std::string direction;                // --direction: in, out; "" for both
  bool is_pod_level = false;            // --pods
  bool wants_entry_points = false;      // --entry-points
  bool wants_exposure = false;          // --exposure
  std::vector<std::string> namespaces;  // --namespace
  std::string min_count;                // --min-count
  std::string folder;                   // --folder
  bool is_forced = false;               // --force
  bool prints_collect = false;          // --print-collect
  bool wants_trace = false;             // --trace
  bool is_quiet = false;
  bool wants_help = false;
  Color color = Color::automatic;
  std::vector<std::string> fail_on_list;  // of impact: newly-denied, newly-allowed, unknown
  std::string candidate;                  // --candidate: a path
  std::vector<std::string> pruned;        // --prune: namespaces
  std::string max_disagreement;           // --max-disagreement: "" for the default
  std::string max_age;                    // --max-age
  std::vector<std::string> flows;         // --flows
  std::string max_workloads;              // --max-workloads: "" for the default
  bool wants_declared = false;            // --from-env
  std::vector<std::string> used_by;       // --used-by: env, workloads, files of flows
};

/// Parses the words after the verb. Nothing and `problem` when they are no use.
std::optional<CommandLine> parse_command_line(const VerbDoc& verb, const std::vector<std::string>& arguments,
                                              std::string& problem);

/// Help for everything, and for one verb.
std::string overall_help();
std::string verb_help(const VerbDoc& verb);

}  // namespace podwire::cli
