#include "app/cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <thread>

#include "sim/base/text.hpp"

namespace podwire::cli {
namespace {

namespace po = boost::program_options;

po::options_description describe(const VerbDoc& verb) {
  po::options_description description;
  for (const std::string_view name : verb.options) {
    const OptionDoc& option = option_doc(name);
    const std::string key = option.letter == 0 ? std::string(name) : fmt::format("{},{}", name, option.letter);
    if (option.argument.empty()) {
      description.add_options()(key.c_str(), po::bool_switch());
    } else {
      description.add_options()(key.c_str(), po::value<std::vector<std::string>>());
    }
  }
  description.add_options()("(words)", po::value<std::vector<std::string>>());
  return description;
}

std::vector<std::string> texts(const po::variables_map& values, const char* name) {
  return values.count(name) > 0 ? values[name].as<std::vector<std::string>>() : std::vector<std::string>();
}

bool is_switched_on(const po::variables_map& values, const char* name) {
  return values.count(name) > 0 && values[name].as<bool>();
}

// The last one counts, as people append to commands from their history.
std::optional<std::string> last_text(const po::variables_map& values, const char* name) {
  const auto all = texts(values, name);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

// Lists may be written with commas or by repeating the option.
std::vector<std::string> comma_lists(const std::vector<std::string>& given) {
  std::vector<std::string> items;
  for (std::string_view rest : given) {
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (comma != 0) {
        items.emplace_back(rest.substr(0, comma));
      }
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return items;
}

bool read_seeds(const po::variables_map& values, CommandLine& line, std::string& problem) {
  const auto text = last_text(values, "seed");
  if (!text) {
    return true;
  }
  std::string reason;
  line.load.seeds = scenario::parse_seeds(*text, reason);
  if (!line.load.seeds) {
    problem = fmt::format("--seed: {} (give a number from 0, a range such as 1..3, or a list such as 1,5,9)", reason);
  }
  return line.load.seeds.has_value();
}

bool read_jobs(const po::variables_map& values, CommandLine& line, std::string& problem) {
  const auto text = last_text(values, "jobs");
  if (!text) {
    line.jobs = std::max(1u, std::thread::hardware_concurrency());
    return true;
  }
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), line.jobs);
  constexpr unsigned kMostJobs = 1024;
  if (error != std::errc() || stop != text->data() + text->size() || line.jobs == 0 || line.jobs > kMostJobs) {
    problem = fmt::format("--jobs: \"{}\" is no number from 1 to {}", printable(*text, 40), kMostJobs);
    return false;
  }
  return true;
}

bool read_color(const po::variables_map& values, CommandLine& line, std::string& problem) {
  const std::string text = last_text(values, "color").value_or("auto");
  if (text == "auto") {
    line.color = Color::automatic;
  } else if (text == "always") {
    line.color = Color::always;
  } else if (text == "never") {
    line.color = Color::never;
  } else {
    problem = fmt::format("--color: \"{}\" is not auto, always or never", printable(text, 40));
    return false;
  }
  return true;
}

std::string problem_of(const VerbDoc& verb, const po::error& error) {
  if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&error)) {
    std::string given = unknown->get_option_name();
    given.erase(0, given.find_first_not_of('-'));
    const std::string nearest = nearest_word(given, verb.options);
    return fmt::format("{} has no option {}{}", verb.name, printable(unknown->get_option_name(), 60),
                       nearest.empty() ? "" : fmt::format("; did you mean --{}?", nearest));
  }
  if (const auto* syntax = dynamic_cast<const po::error_with_option_name*>(&error)) {
    const std::string name = syntax->get_option_name();
    if (dynamic_cast<const po::invalid_command_line_syntax*>(&error) != nullptr) {
      return fmt::format("{} needs a value", printable(name, 60));
    }
    return fmt::format("{}: {}", printable(name, 60), printable(error.what(), 200));
  }
  return printable(error.what(), 200);
}

bool fill(const po::variables_map& values, const VerbDoc& verb, CommandLine& line, std::string& problem) {
  line.words = texts(values, "(words)");
  line.files = texts(values, "filename");
  line.wants_help = is_switched_on(values, "help");
  line.is_quiet = is_switched_on(values, "quiet");
  line.load.settings = texts(values, "set");
  line.load.cni = last_text(values, "cni");
  if (line.load.cni && line.load.cni->find(',') != std::string::npos) {
    line.compared_profiles = comma_lists({*line.load.cni});
    line.load.cni.reset();
    if (line.compared_profiles.size() < 2 || verb.name != "reach") {
      problem = "--cni: several profiles are compared by `podwire reach` alone, two or more of them";
      return false;
    }
  }
  line.load.ignored_kinds = comma_lists(texts(values, "ignore-kind"));
  line.load.policy_sets = comma_lists(texts(values, "policy-set"));
  for (const std::string& path : texts(values, "allow-path")) {
    line.load.allowed_paths.emplace_back(path);
  }
  line.record_folder = last_text(values, "record").value_or("");
  line.scenario = last_text(values, "scenario").value_or("");
  line.cluster = texts(values, "cluster");
  line.approved = last_text(values, "approved").value_or("");
  line.today = last_text(values, "today").value_or("");
  line.fail_on = last_text(values, "fail-on").value_or(verb.name == "lint" ? "warning" : "any");
  line.fail_on_list = comma_lists(texts(values, "fail-on"));
  line.candidate = last_text(values, "candidate").value_or("");
  line.pruned = comma_lists(texts(values, "prune"));
  line.max_disagreement = last_text(values, "max-disagreement").value_or("");
  line.max_age = last_text(values, "max-age").value_or("");
  line.wants_declared = is_switched_on(values, "from-env");
  line.used_by = texts(values, "used-by");
  line.rules = comma_lists(texts(values, "rule"));
  line.skipped_rules = comma_lists(texts(values, "skip"));
  line.lists_rules = is_switched_on(values, "rules");
  line.ignores_annotations = is_switched_on(values, "no-ignore");
  line.probe_target = last_text(values, "to").value_or("service");
  line.ports = comma_lists(texts(values, "ports"));
  line.load.steps = texts(values, "step");
  line.at = last_text(values, "at").value_or("");
  line.measured = last_text(values, "compare").value_or("");
  line.focus = texts(values, "focus");
  line.direction = last_text(values, "direction").value_or("");
  line.is_pod_level = is_switched_on(values, "pods");
  line.namespaces = comma_lists(texts(values, "namespace"));
  line.min_count = last_text(values, "min-count").value_or("");
  line.folder = last_text(values, "folder").value_or("");
  line.is_forced = is_switched_on(values, "force");
  line.prints_collect = is_switched_on(values, "print-collect");
  line.flows = texts(values, "flows");
  line.max_workloads = last_text(values, "max-workloads").value_or("");
  line.wants_exposure = is_switched_on(values, "exposure");
  line.wants_trace = is_switched_on(values, "trace");
  line.wants_entry_points = is_switched_on(values, "entry-points");
  if (!line.direction.empty() && (line.focus.empty() || (line.direction != "in" && line.direction != "out"))) {
    problem = line.focus.empty() ? "--direction says which side of --focus is meant, and there is no --focus"
                                 : fmt::format("--direction: \"{}\" is not in or out", printable(line.direction, 40));
    return false;
  }
  auto outputs = parse_outputs(texts(values, "output"), problem, verb.formats);
  if (!outputs) {
    return false;
  }
  line.outputs = std::move(*outputs);
  return read_seeds(values, line, problem) && read_jobs(values, line, problem) && read_color(values, line, problem);
}

}  // namespace

std::optional<CommandLine> parse_command_line(const VerbDoc& verb, const std::vector<std::string>& arguments,
                                              std::string& problem) {
  const po::options_description description = describe(verb);
  po::positional_options_description positions;
  positions.add("(words)", -1);
  // Abbreviations would make tomorrow's option change what today's script means.
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(description).positional(positions).style(style).run(), values);
  } catch (const po::error& error) {
    problem = problem_of(verb, error);
    return std::nullopt;
  }
  CommandLine line;
  return fill(values, verb, line, problem) ? std::optional(std::move(line)) : std::nullopt;
}

}  // namespace podwire::cli
