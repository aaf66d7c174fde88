#include "app/cli/cli.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "sim/base/check.hpp"
#include "sim/base/environment_error.hpp"
#include "sim/base/text.hpp"
#include "sim/config/render.hpp"

namespace podwire::cli {
namespace {

constexpr std::size_t kLargestInput = std::size_t{1} << 30;  // as config::Limits has it for one file

bool terminal_takes_color(int descriptor) {
  const char* const no_color = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  const char* const terminal = std::getenv("TERM");
  return isatty(descriptor) == 1 && (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

Exit usage_error(const std::string& message, const std::string& verb = {}) {
  say(message);
  say(verb.empty() ? "see `podwire --help`" : fmt::format("see `podwire {} --help`", verb));
  return Exit::bad_input;
}

Exit print(const std::string& text) {
  return write_one({}, text);
}

Exit unknown_verb(const std::string& word) {
  std::vector<std::string_view> names = {"help"};
  for (const VerbDoc& verb : verbs()) {
    names.push_back(verb.name);
  }
  const std::string nearest = nearest_word(word, names);
  return usage_error(fmt::format("no verb is called \"{}\"{}", printable(word, 60),
                                 nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest)));
}

Exit run_help(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    return print(overall_help());
  }
  const VerbDoc* const verb = find_verb(arguments[1]);
  return verb == nullptr ? unknown_verb(arguments[1]) : print(verb_help(*verb));
}

Exit dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    say("which verb?");
    write_all(STDERR_FILENO, overall_help());
    return Exit::bad_input;
  }
  const std::string& word = arguments.front();
  if (word == "--help" || word == "-h" || word == "help") {
    return run_help(arguments);
  }
  if (word == "--version" || word == "-V") {
    return dispatch({"version"});
  }
  if (word.starts_with('-')) {
    return usage_error(fmt::format("options stand after the verb, and \"{}\" stands before it", printable(word, 60)));
  }
  const VerbDoc* const verb = find_verb(word);
  if (verb == nullptr) {
    return unknown_verb(word);
  }
  std::string problem;
  const auto line = parse_command_line(*verb, {arguments.begin() + 1, arguments.end()}, problem);
  if (!line) {
    return usage_error(problem, word);
  }
  if (line->wants_help) {
    return print(verb_help(*verb));
  }
  using Run = Exit (*)(const CommandLine&);
  constexpr std::pair<std::string_view, Run> kRuns[] = {
      {"run", verb_run},       {"reach", verb_reach},   {"explain", verb_explain}, {"diff", verb_diff},
      {"impact", verb_impact}, {"lint", verb_lint},     {"probe", verb_probe},     {"init", verb_init},
      {"models", verb_models}, {"schema", verb_schema}, {"suggest", verb_suggest}, {"version", verb_version}};
  const auto run = std::find_if(std::begin(kRuns), std::end(kRuns), [&](const auto& r) { return r.first == word; });
  PODWIRE_CHECK(run != std::end(kRuns), "cli", "every verb in the help can be run");
  return run->second(*line);
}

Exit report_bug(const char* what) {
  say(fmt::format("this is a bug in podwire: {}", printable(what, 1000)));
  say("please report it with the command line, the output of `podwire version` and, if you can, the input");
  return Exit::bug;
}

}  // namespace

Exit worse(Exit a, Exit b) {
  constexpr Exit kOrder[] = {Exit::ok, Exit::inconclusive, Exit::failed, Exit::interrupted, Exit::bad_input, Exit::bug};
  const auto rank = [&](Exit exit) { return std::find(std::begin(kOrder), std::end(kOrder), exit); };
  return rank(a) < rank(b) ? b : a;
}

void say(const std::string& message) {
  write_all(STDERR_FILENO, fmt::format("podwire: {}\n", message));
}

void show(const Diagnostics& diagnostics, const SourceMap& sources, const CommandLine& line) {
  if (diagnostics.all().empty() || (line.is_quiet && !diagnostics.has_errors())) {
    return;
  }
  const bool is_terminal = isatty(STDERR_FILENO) == 1;
  const bool color =
      line.color == Color::always || (line.color == Color::automatic && terminal_takes_color(STDERR_FILENO));
  write_all(STDERR_FILENO, config::render(diagnostics, sources, {.color = color, .short_form = !is_terminal}));
}

report::Style style_for(const CommandLine& line, const OutputRequest& request) {
  const bool to_terminal = request.file.empty() && terminal_takes_color(STDOUT_FILENO);
  winsize size{};
  const bool has_width =
      request.file.empty() && isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return report::Style(line.color == Color::always || (line.color == Color::automatic && to_terminal),
                       has_width ? size.ws_col : 0);
}

bool read_standard_input(const std::vector<std::string>& paths, scenario::LoadOptions& options) {
  if (std::find(paths.begin(), paths.end(), "-") == paths.end() || options.standard_input) {
    return true;
  }
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count == 0) {
      break;
    }
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      say(fmt::format("standard input: {}", std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
      return false;
    }
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kLargestInput) {
      say("standard input is larger than 1 GiB");
      return false;
    }
  }
  options.standard_input = std::move(text);
  return true;
}

std::optional<scenario::Scenario> load_input(SourceMap& sources, const std::vector<std::string>& paths,
                                             scenario::LoadOptions options, const CommandLine& line) {
  if (!read_standard_input(paths, options)) {
    return std::nullopt;
  }
  auto loaded = scenario::load(sources, paths, options);
  show(loaded.diagnostics(), sources, line);
  return loaded ? std::optional(std::move(loaded).value()) : std::nullopt;
}

std::vector<std::string> paths_of(const CommandLine& line, std::size_t first) {
  std::vector<std::string> paths(line.words.begin() + static_cast<std::ptrdiff_t>(std::min(first, line.words.size())),
                                 line.words.end());
  paths.insert(paths.end(), line.files.begin(), line.files.end());
  return paths;
}

Exit finish(OutputWriter& writer, const OutputRequest& request) {
  const std::string problem = writer.finish();
  if (problem.empty()) {
    return Exit::ok;
  }
  say(fmt::format("{}: {}", request.file.empty() ? "standard output" : printable(request.file), problem));
  return Exit::bad_input;
}

Exit write_one(const OutputRequest& request, const std::string& text) {
  OutputWriter writer(request);
  writer.write(text);
  return finish(writer, request);
}

int run_command(const std::vector<std::string>& arguments) {
  // A reader that goes away is noticed by write(2); its signal would kill us in the middle of a file.
  std::signal(SIGPIPE, SIG_IGN);
  Exit exit = Exit::bug;
  try {
    exit = dispatch(arguments);
  } catch (const BrokenContract& error) {
    exit = report_bug(error.what());
  } catch (const std::bad_alloc&) {
    say("out of memory");
    exit = Exit::bad_input;
  } catch (const EnvironmentError& error) {
    say(printable(error.what(), 1000));
    exit = Exit::bad_input;
  } catch (const std::system_error& error) {  // the environment: a full disk, a thread that cannot be started
    say(printable(error.what(), 1000));
    exit = Exit::bad_input;
  } catch (const std::exception& error) {
    exit = report_bug(error.what());
  } catch (...) {
    exit = report_bug("an unknown exception");
  }
  return static_cast<int>(exit);
}

}  // namespace podwire::cli
