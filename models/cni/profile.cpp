// Reading profile files and laying overrides over them. A value is {value, certainty, source}; in an override it may be
// bare. All problems of a file are reported at once; what reading one value reports is sim/config's.
#include "models/cni/profile.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <type_traits>

#include "models/cni/builtin.hpp"
#include "models/cni/schema.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cni {

namespace {

constexpr std::string_view kOverrideSource = "the scenario's override";
constexpr int kMostExtends = 8;  // profiles that extend each other in a circle end here

enum class Strictness : std::uint8_t { file, overrides };

/// Reads what one file or override says into a profile.
class ProfileReader {
 public:
  ProfileReader(Profile& profile, Strictness strictness, std::string object, Diagnostics& diagnostics)
      : profile_(profile), strictness_(strictness), object_(std::move(object)), diagnostics_(diagnostics) {}

  void read(config::Node root) {
    add_section("", root);
    if (strictness_ == Strictness::file) {
      sections_.at("").ignore({"name", "title", "extends", "plugin", "versions", "inherited", "older"});
    }
    read_fields();
  }

  /// Members of the profile's `policy` alone.
  void read_policy(config::Node policy) {
    add_section("", config::Node());
    add_section("policy", policy);
    read_fields();
  }

 private:
  void read_fields() {
    std::vector<Field> fields = fields_of(profile_);
    for (Field& field : fields) {
      read_field(field);
    }
    for (auto& [path, section] : sections_) {
      section.finish();
    }
    sort_parameters(fields);
  }

  void add_section(const std::string& path, config::Node node) {
    sections_.emplace(path, config::ObjectReader(node, object_, diagnostics_));
  }

  /// The reader of the mapping at `path`, which its parents then know as a key.
  config::ObjectReader& section(const std::string& path) {
    const auto found = sections_.find(path);
    if (found != sections_.end()) {
      return found->second;
    }
    const std::size_t dot = path.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::string key = dot == std::string::npos ? path : path.substr(dot + 1);
    const config::Node node = section(parent).get(key);
    add_section(path, node);
    return sections_.at(path);
  }

  void read_field(Field& field) {
    const std::size_t dot = field.path.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : field.path.substr(0, dot);
    const std::string key = dot == std::string::npos ? field.path : field.path.substr(dot + 1);
    const config::Node node = section(parent).get(key);
    if (!node.is_present() || node.is_null()) {
      return;
    }
    Parameter parameter;
    parameter.path = field.path;
    parameter.unit = field.unit;
    parameter.description = field.description;
    bool is_read = false;
    if (strictness_ == Strictness::overrides && node.is_scalar()) {
      is_read = read_value(field, node);
      parameter.source = kOverrideSource;
    } else {
      config::ObjectReader entry(node, object_, diagnostics_);
      is_read = read_value(field, entry.require("value"));
      const config::Node source = entry.require("source");
      if (source.is_present()) {
        parameter.source = config::as_string(source, object_, diagnostics_).value_or("-");
        if (parameter.source.empty()) {
          entry.error("empty-source", "the source of \"" + field.path + "\" is empty", source);
        }
      }
      if (entry.require("certainty").is_present()) {
        parameter.certainty = static_cast<Certainty>(
            entry.choice("certainty", {"calibrated", "published", "derived", "guess"}).value_or(3));
      }
      entry.finish();
    }
    if (is_read) {
      parameter.value = listed_value(field);
      keep(std::move(parameter));
    }
  }

  bool read_value(Field& field, config::Node node) {
    if (!node.is_present()) {
      return false;  // require() has reported it
    }
    return std::visit([&](auto* member) { return read_member(member, field, node); }, field.member);
  }

  template <class T>
  bool read_member(T* member, const Field& field, config::Node node) {
    std::optional<T> value;
    if constexpr (std::is_same_v<T, Duration>) {
      value = config::as_duration(node, object_, diagnostics_);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      value = config::as_bytes(node, object_, diagnostics_);
    } else if constexpr (std::is_same_v<T, bool>) {
      value = config::as_bool(node, object_, diagnostics_);
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      const auto number = config::as_integer(node, 0, std::int64_t{1} << 40, object_, diagnostics_);
      if (number) {
        value = static_cast<std::uint64_t>(*number);
      }
    } else {
      value = read_word<T>(choices(field.member), node);
    }
    if (value) {
      *member = *value;
    }
    return value.has_value();
  }

  template <class T>
  std::optional<T> read_word(std::span<const std::string_view> words, config::Node node) {
    const auto text = config::as_string(node, object_, diagnostics_);
    if (!text) {
      return std::nullopt;
    }
    const auto found = std::find(words.begin(), words.end(), *text);
    if (found != words.end()) {
      return static_cast<T>(found - words.begin());
    }
    Diagnostic problem;
    problem.code = "bad-value";
    problem.message = "\"" + printable(*text) + "\" is none of";
    for (std::size_t i = 0; i < words.size(); ++i) {
      problem.message += (i == 0 ? " \"" : ", \"") + std::string(words[i]) + "\"";
    }
    problem.span = node.span();
    problem.object = object_;
    problem.field = node.path();
    diagnostics_.add(std::move(problem));
    return std::nullopt;
  }

  void keep(Parameter parameter) {
    for (Parameter& known : profile_.parameters) {
      if (known.path == parameter.path) {
        known = std::move(parameter);
        return;
      }
    }
    profile_.parameters.push_back(std::move(parameter));
  }

  void sort_parameters(const std::vector<Field>& fields) {
    const auto position = [&](const Parameter& parameter) {
      return std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path == parameter.path; });
    };
    std::stable_sort(profile_.parameters.begin(), profile_.parameters.end(),
                     [&](const Parameter& a, const Parameter& b) { return position(a) < position(b); });
  }

  Profile& profile_;
  Strictness strictness_;
  std::string object_;
  Diagnostics& diagnostics_;
  std::map<std::string, config::ObjectReader> sections_;  // by path; finished in the order of their paths
};

/// Certainties of step times, at their worst, in the word that heads results.
std::string timing_of(Profile& profile) {
  Certainty worst = Certainty::calibrated;
  for (const Field& field : fields_of(profile)) {
    for (const Parameter& parameter : profile.parameters) {
      if (field.is_step_time && parameter.path == field.path) {
        worst = std::max(worst, parameter.certainty);
      }
    }
  }
  return std::string(to_string(worst == Certainty::derived ? Certainty::published : worst));
}

// What people call the plugins whose profiles have longer names.
constexpr std::pair<std::string_view, std::string_view> kShortNames[] = {{"calico", "calico-vxlan"},
                                                                         {"cilium", "cilium-vxlan"}};

std::string_view full_name(std::string_view name) {
  const auto found = std::find_if(std::begin(kShortNames), std::end(kShortNames),
                                  [&](const auto& alias) { return alias.first == name; });
  return found == std::end(kShortNames) ? name : found->second;
}

void report_unknown_profile(std::string_view name, Span span, Diagnostics& diagnostics) {
  std::vector<std::string_view> names;
  std::string all;
  for (const BuiltinText& builtin : builtin_texts()) {
    names.push_back(builtin.name);
    all += (all.empty() ? "" : ", ") + std::string(builtin.name);
  }
  const std::string nearest = nearest_word(name, names);
  const std::string help = nearest.empty() ? "there are " + all : "did you mean \"" + nearest + "\"?";
  diagnostics.error("unknown-profile", "there is no CNI profile \"" + printable(name) + "\"", span, help);
}

/// What no single value can break.
void check_delay(const Profile& profile, config::Node root, const std::string& object, Diagnostics& diagnostics) {
  const ProgrammingDelay& delay = profile.policy.programming_delay;
  // A uniform distribution that begins at 0 has p99 = 1.98 x p50.
  const bool is_too_wide = delay.shape == DelayShape::uniform && delay.p99 * 50 > delay.p50 * 99;
  if (delay.p99 < delay.p50 || is_too_wide) {
    Diagnostic problem;
    problem.code = "bad-value";
    problem.message = is_too_wide ? "a uniform programmingDelay with a p99 of more than 1.98 x p50 begins below zero"
                                  : "the p99 of programmingDelay is less than its p50";
    problem.span = root.span();
    problem.object = object;
    problem.field = "policy.programmingDelay";
    diagnostics.add(std::move(problem));
  }
}

/// What a file takes over from the profile it extends was found out about another plugin: `inherited` says what it is
/// worth here, for the step times and for the policy semantics. What the file itself says comes later.
void mark_inherited(Profile& profile, config::Node node, const std::string& object, Diagnostics& diagnostics) {
  if (!node.is_present() || node.is_null()) {
    return;
  }
  config::ObjectReader reader(node, object, diagnostics);
  const std::vector<Field> fields = fields_of(profile);
  for (const bool is_policy : {false, true}) {
    const config::Node part = reader.get(is_policy ? "policy" : "times");
    if (!part.is_present()) {
      continue;
    }
    config::ObjectReader entry(part, object, diagnostics);
    const auto certainty = entry.choice("certainty", {"calibrated", "published", "derived", "guess"});
    const std::string source = entry.string("source").value_or("");
    entry.finish();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      for (Parameter& parameter : profile.parameters) {
        const bool counts = is_policy ? fields[i].path.starts_with("policy.") : fields[i].is_step_time;
        if (counts && parameter.path == fields[i].path) {
          parameter.certainty = static_cast<Certainty>(certainty.value_or(3));
          parameter.source = source;
        }
      }
    }
  }
  reader.finish();
}

/// `older`: what earlier releases of the plugin did otherwise, values of `policy` with their sources.
void read_older(Profile& profile, config::Node list, const std::string& object, Diagnostics& diagnostics) {
  if (!list.is_present()) {
    return;
  }
  for (const config::Node item : list) {
    config::ObjectReader reader(item, object, diagnostics);
    OlderReleases older;
    older.below = reader.string("below").value_or("");
    if (!parse_version(older.below)) {
      reader.error("bad-version", "a version begins with numbers, as in \"1.15\"", reader.get("below"));
    }
    const config::Node policy = reader.require("policy");
    reader.finish();
    Profile then = profile;
    then.parameters.clear();
    if (policy.is_present()) {
      ProfileReader(then, Strictness::file, object, diagnostics).read_policy(policy);
    }
    older.policy = then.policy;
    older.parameters = std::move(then.parameters);
    profile.older.push_back(std::move(older));
  }
}

/// Lays what releases as old as `version` did over what the profile says of newer ones.
void go_back_to(Profile& profile, const Version& version) {
  for (const OlderReleases& older : std::vector<OlderReleases>(profile.older)) {
    if (version < parse_version(older.below).value_or(Version{})) {
      Profile then = profile;
      then.policy = older.policy;
      then.parameters = older.parameters;
      for (const Parameter& parameter : older.parameters) {
        copy_policy_value(profile, then, parameter.path);
      }
    }
  }
}

void report_missing(Profile& profile, config::Node root, const std::string& object, Diagnostics& diagnostics) {
  for (const Field& field : fields_of(profile)) {
    const bool is_known = std::any_of(profile.parameters.begin(), profile.parameters.end(),
                                      [&](const Parameter& parameter) { return parameter.path == field.path; });
    if (field.is_required && !is_known) {
      Diagnostic problem;
      problem.code = "missing-key";
      problem.message = "missing \"" + field.path + "\" in " + object;
      problem.span = root.span();
      problem.object = object;
      problem.field = field.path;
      problem.help = field.description;
      diagnostics.add(std::move(problem));
    }
  }
}

std::optional<Profile> builtin_profile(std::string_view name, Span span, int depth, Diagnostics& diagnostics);

std::optional<Profile> read_file(config::Node root, int depth, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  std::string object = "CNI profile";
  config::ObjectReader head(root, object, diagnostics);
  const auto name = head.string("name");
  object += name ? " \"" + *name + "\"" : "";
  Profile profile;
  if (const auto base = head.string("extends")) {
    std::optional<Profile> extended = builtin_profile(*base, head.get("extends").span(), depth, diagnostics);
    if (!extended) {
      return std::nullopt;
    }
    profile = *std::move(extended);
  }
  if (!head.require("name").is_present() || !head.require("title").is_present()) {
    return std::nullopt;
  }
  const std::string plugin_of_base = profile.plugin;
  profile.name = name.value_or("");
  profile.title = head.string("title").value_or("");
  profile.plugin = head.string("plugin").value_or("");
  profile.versions = {};
  if (const config::Node node = head.get("versions"); node.is_present()) {
    config::ObjectReader versions(node, object, diagnostics);
    profile.versions.first = versions.string("from").value_or("");
    profile.versions.last = versions.string("to").value_or("");
    profile.versions.source = versions.require("source").is_present() ? versions.string("source").value_or("") : "";
    for (const std::string_view key : {"from", "to"}) {
      const config::Node version = versions.get(key);
      if (version.is_present() && !parse_version(version.text())) {
        versions.error("bad-version", "a version begins with numbers, as in \"1.15\"", version);
      }
    }
    versions.finish();
  }
  if (profile.plugin != plugin_of_base || !profile.versions.last.empty()) {
    profile.older.clear();  // of another plugin's releases, or newer ones
  }
  mark_inherited(profile, head.get("inherited"), object, diagnostics);
  ProfileReader(profile, Strictness::file, object, diagnostics).read(root);
  if (diagnostics.error_count() == errors_before) {
    report_missing(profile, root, object, diagnostics);
    check_delay(profile, root, object, diagnostics);
  }
  read_older(profile, head.get("older"), object, diagnostics);
  if (diagnostics.error_count() > errors_before) {
    return std::nullopt;
  }
  profile.timing = timing_of(profile);
  return profile;
}

std::optional<Profile> builtin_profile(std::string_view asked_name, Span span, int depth, Diagnostics& diagnostics) {
  const std::string_view name = full_name(asked_name);
  const auto texts = builtin_texts();
  const auto found = std::find_if(texts.begin(), texts.end(), [&](const BuiltinText& t) { return t.name == name; });
  if (found == texts.end()) {
    report_unknown_profile(name, span, diagnostics);
    return std::nullopt;
  }
  PODWIRE_CHECK(depth < kMostExtends, "cni", "compiled-in profiles do not extend each other in a circle");
  // Problems of a compiled-in file are ours: they are told apart from the user's, whose sources these spans are not in.
  SourceMap sources;
  auto document = config::parse_text(sources, std::string(name) + ".yaml", std::string(found->yaml));
  PODWIRE_CHECK(document.has_value() && document->roots().size() == 1, "cni", "a compiled-in profile parses");
  Diagnostics problems;
  std::optional<Profile> profile = read_file(document->roots().front(), depth + 1, problems);
  PODWIRE_CHECK(profile.has_value(), "cni",
                std::string(name) + ".yaml is sound: " +
                    (problems.all().empty()
                         ? ""
                         : problems.all().front().message + " at " + sources.place(problems.all().front().span)));
  PODWIRE_CHECK(profile->name == name, "cni", "a compiled-in profile has its file's name");
  return profile;
}

}  // namespace

std::vector<std::string> builtin_profiles() {
  std::vector<std::string> names;
  for (const BuiltinText& builtin : builtin_texts()) {
    names.emplace_back(builtin.name);
  }
  std::sort(names.begin(), names.end());  // the files' order is another: "-" comes before the "." of ".yaml"
  return names;
}

Result<Profile> load_builtin(std::string_view name) {
  return load_profile(name, {}, Span());
}

Result<Profile> load_profile(std::string_view name, const Overrides& overrides, Span span,
                             const std::optional<Version>& version) {
  Diagnostics diagnostics;
  std::optional<Profile> profile = builtin_profile(name, span, 0, diagnostics);
  if (!profile) {
    return Result<Profile>(std::move(diagnostics));
  }
  if (version) {
    go_back_to(*profile, *version);
  }
  const std::string object = "overrides of CNI profile \"" + profile->name + "\"";
  if (overrides.profile.is_present() && !overrides.profile.is_null()) {
    ProfileReader(*profile, Strictness::overrides, object, diagnostics).read(overrides.profile);
  }
  if (overrides.policy.is_present() && !overrides.policy.is_null()) {
    ProfileReader(*profile, Strictness::overrides, object, diagnostics).read_policy(overrides.policy);
  }
  check_delay(*profile, overrides.policy.is_present() ? overrides.policy : overrides.profile, object, diagnostics);
  if (diagnostics.has_errors()) {
    return Result<Profile>(std::move(diagnostics));
  }
  profile->timing = timing_of(*profile);
  return Result<Profile>(*std::move(profile), std::move(diagnostics));
}

Result<Profile> read_profile(config::Node root) {
  Diagnostics diagnostics;
  std::optional<Profile> profile = read_file(root, 0, diagnostics);
  if (!profile) {
    return Result<Profile>(std::move(diagnostics));
  }
  return Result<Profile>(*std::move(profile), std::move(diagnostics));
}

}  // namespace podwire::cni
