// Values that override a scenario's fields from the command line (`--set cluster.nodes.count=10`), and the reader that
// lays them over the file while it is read.
//
// A path names fields from `spec` down, joined by dots; an item of a list is named by its `name`
// (`workloads.browse.rate`) or its index (`workloads[0].rate`). The value is YAML. Each setting is a small document of
// its own, so what is wrong with it is reported at the command line, and what is wrong with the file at the file.
// Settings must be used up: a path that no reader asked for is an error.
#pragma once

#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/document.hpp"
#include "sim/config/reader.hpp"

namespace podwire::scenario {

class Settings {
 public:
  /// Parses `PATH=VALUE` texts; a later setting of the same path wins. Errors: bad-setting, and those of YAML.
  void add(SourceMap& sources, const std::string& text, Diagnostics& diagnostics);

  /// The value set for exactly this path, or an absent node; marks the setting as used.
  config::Node find(std::string_view path);
  /// Names of the members directly below `path` that some setting mentions, in order of the command line.
  std::vector<std::string> members_below(std::string_view path) const;
  /// Notes that readers know this path, for "did you mean".
  void known(std::string path) { known_.push_back(std::move(path)); }
  /// The paths that readers asked for, each as often as it was; noted only while there is some setting.
  const std::vector<std::string>& known_paths() const { return known_; }
  /// Reports each setting that no reader asked for (unknown-setting).
  void finish(Diagnostics& diagnostics) const;
  bool empty() const { return settings_.empty(); }
  /// As given, for the provenance of results.
  std::vector<std::string> texts() const;

 private:
  struct Setting {
    std::string path;
    std::string text;
    config::Document document;
    config::Node value;  // of `document`
    Span path_span;
    bool is_used = false;
  };
  std::deque<Setting> settings_;
  std::vector<std::string> known_;
};

/// One mapping of the scenario, read strictly (see config::ObjectReader) with settings laid over it.
class Section {
 public:
  /// `paths`: the ways a setting may name this section; the first is the one that messages use.
  Section(config::Node node, std::vector<std::string> paths, std::string object, Settings& settings,
          Diagnostics& diagnostics);

  /// The member after settings; absent or null members give an absent/null node.
  config::Node get(std::string_view key);
  /// The member, or missing-key.
  config::Node require(std::string_view key);
  std::optional<std::string> string(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<Duration> duration(std::string_view key);
  std::optional<Bytes> bytes(std::string_view key);
  std::optional<BitRate> bit_rate(std::string_view key);
  std::optional<double> rate(std::string_view key);
  std::optional<double> fraction(std::string_view key);
  std::optional<Cidr> cidr(std::string_view key);
  /// One of `names`; returns its index, else reports bad-value with the nearest name.
  std::optional<std::size_t> choice(std::string_view key, std::initializer_list<std::string_view> names);
  /// The scalars of a list; a single scalar counts as a list of one. Other kinds are reported.
  std::vector<config::Node> texts(std::string_view key);
  /// The mapping under `key` as a section of its own; empty when there is none.
  Section section(std::string_view key, std::string object = {});
  /// The items of a list of mappings; a setting addresses one by its `name` or by its index.
  std::vector<Section> items(std::string_view key, std::string_view kind);
  /// The members of a mapping of mappings, with their keys; settings may add members.
  std::vector<std::pair<std::string, Section>> entries(std::string_view key, std::string_view kind);

  /// Keys that were neither asked for nor set are reported (unknown-key).
  void finish() { reader_.finish(); }
  config::Node node() const { return reader_.node(); }
  const std::string& object() const { return reader_.object(); }
  Span span() const { return reader_.node().span(); }
  Diagnostics& diagnostics() { return reader_.diagnostics(); }
  void error(std::string code, std::string message, config::Node where = {}, std::string help = {}) {
    reader_.error(std::move(code), std::move(message), where, std::move(help));
  }

 private:
  std::vector<std::string> below(std::string_view key) const;
  config::Node setting(std::string_view key);

  config::ObjectReader reader_;
  std::vector<std::string> paths_;
  Settings* settings_;
};

/// The nearest of `known` to `word` as a help text ("did you mean \"x\"?"), or the whole list when it is short.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace podwire::scenario
