// Versions: which profiles a plugin of some version is judged under. Profiles of one plugin stand in a row by the
// versions they were made for; a version that none of them was made for lies between two of them, and nobody knows
// which of the two it behaves like.
#include <algorithm>
#include <tuple>

#include "models/cni/profile.hpp"
#include "models/cni/schema.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"

namespace podwire::cni {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Version version_or(std::string_view text, const Version& otherwise) {
  return parse_version(text).value_or(otherwise);
}

/// Releases between two versions; a major release counts as a thousand minor ones.
std::uint64_t distance(const Version& a, const Version& b) {
  const auto place = [](const Version& v) { return std::uint64_t{v[0]} * 1000 + v[1]; };
  return place(a) > place(b) ? place(a) - place(b) : place(b) - place(a);
}

/// The profiles of `base`'s plugin in the order of their versions: those that end, and one that does not, which is
/// `base` where it does not, else the plugin's own.
std::vector<Profile> row_of(const Profile& base) {
  std::vector<Profile> row;
  const auto plugins_own = load_builtin(base.plugin);
  const std::string open_ended = base.versions.last.empty() || !plugins_own ? base.name : plugins_own->name;
  for (const std::string& name : builtin_profiles()) {
    if (!name.starts_with(base.plugin)) {
      continue;  // a plugin's profiles are called after it
    }
    auto profile = load_builtin(name);
    PODWIRE_CHECK(profile.has_value(), "cni", "a compiled-in profile loads");
    if (profile->plugin == base.plugin && (!profile->versions.last.empty() || profile->name == open_ended)) {
      row.push_back(std::move(profile).value());
    }
  }
  std::sort(row.begin(), row.end(), [](const Profile& a, const Profile& b) {
    return version_or(a.versions.first, {}) < version_or(b.versions.first, {});
  });
  return row;
}

struct Choice {
  std::vector<std::string> names;  // the nearest first
  std::string note;
};

Choice choose(const Profile& base, const Version& version, std::string_view text) {
  if (base.versions.holds(version)) {
    return {.names = {base.name}, .note = ""};
  }
  const std::vector<Profile> row = row_of(base);
  const Profile* older = nullptr;
  const Profile* newer = nullptr;
  for (const Profile& profile : row) {
    if (profile.versions.holds(version)) {
      return {.names = {profile.name}, .note = ""};
    }
    if (version < version_or(profile.versions.first, {})) {
      newer = newer == nullptr ? &profile : newer;
    } else {
      older = &profile;
    }
  }
  const std::string what = "no profile was made for " + base.plugin + " " + printable(text, 40);
  if (older == nullptr || newer == nullptr) {
    const Profile& only = older == nullptr ? *newer : *older;
    return {.names = {only.name},
            .note = what + ": " + only.name + " (" + only.versions.to_string() + ") is the nearest there is"};
  }
  const bool is_older_nearer = distance(version, version_or(older->versions.last, {})) <
                               distance(version, version_or(newer->versions.first, {}));
  Choice choice{.names = {newer->name, older->name},
                .note = what + ": it lies between " + older->name + " (" + older->versions.to_string() + ") and " +
                        newer->name + " (" + newer->versions.to_string() + ")"};
  if (is_older_nearer) {
    std::swap(choice.names[0], choice.names[1]);
  }
  return choice;
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  if (text.starts_with('v')) {
    text.remove_prefix(1);
  }
  if (text.empty() || !is_digit(text.front())) {
    return std::nullopt;
  }
  constexpr std::uint32_t kMostNumber = 99'999'999;
  Version version = {};
  for (std::size_t part = 0; part < version.size() && !text.empty() && is_digit(text.front()); ++part) {
    while (!text.empty() && is_digit(text.front())) {
      version[part] = std::min(version[part] * 10 + static_cast<std::uint32_t>(text.front() - '0'), kMostNumber);
      text.remove_prefix(1);
    }
    if (text.starts_with('.')) {
      text.remove_prefix(1);
    } else {
      break;
    }
  }
  return version;
}

bool VersionRange::holds(const Version& version) const {
  const Version begin = version_or(first, {});
  const Version end = version_or(last, {~0u, ~0u, ~0u});
  return version >= begin && std::tie(version[0], version[1]) <= std::tie(end[0], end[1]);
}

std::string VersionRange::to_string() const {
  if (first.empty()) {
    return last.empty() ? "any" : "up to " + last;
  }
  return last.empty() ? first + " and later" : last == first ? first : first + " to " + last;
}

Result<Candidates> load_candidates(std::string_view name, const Overrides& overrides, Span span) {
  const std::size_t at = name.find('@');
  Candidates candidates;
  Choice choice{.names = {std::string(name)}, .note = ""};
  Diagnostics diagnostics;
  std::optional<Version> version;
  if (at != std::string_view::npos) {
    const std::string_view text = name.substr(at + 1);
    const auto base = load_profile(name.substr(0, at), {}, span);
    version = parse_version(text);
    if (!base) {
      return Result<Candidates>(base.diagnostics());
    }
    if (!version || base->plugin.empty()) {
      diagnostics.error(
          "bad-version",
          version ? "profile " + base->name + " has no versions" : "\"" + printable(text, 40) + "\" is no version",
          span, version ? "name it alone" : "a version begins with numbers, as in calico@3.22");
      return Result<Candidates>(std::move(diagnostics));
    }
    choice = choose(*base, *version, text);
  }
  for (const std::string& one : choice.names) {
    auto profile = load_profile(one, overrides, span, version);
    diagnostics.append(profile.diagnostics());
    if (!profile) {
      return Result<Candidates>(std::move(diagnostics));
    }
    candidates.profiles.push_back(std::move(profile).value());
  }
  candidates.note = std::move(choice.note);
  return Result<Candidates>(std::move(candidates), std::move(diagnostics));
}

std::vector<std::string> policy_differences(const Profile& a, const Profile& b) {
  Profile first = a;
  Profile second = b;
  const std::vector<Field> ours = fields_of(first);
  const std::vector<Field> theirs = fields_of(second);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].path.starts_with("policy.") && listed_value(ours[i]) != listed_value(theirs[i])) {
      paths.push_back(ours[i].path);
    }
  }
  return paths;
}

std::vector<std::string> verdict_differences(const Profile& a, const Profile& b) {
  std::vector<std::string> paths = policy_differences(a, b);
  std::erase_if(paths, [](const std::string& path) {
    constexpr std::string_view kInTimeAlone[] = {"policy.denyAction", "policy.establishedFlows",
                                                 "policy.judgesEveryPacket", "policy.podStart",
                                                 "policy.programmingDelay"};
    return std::any_of(std::begin(kInTimeAlone), std::end(kInTimeAlone),
                       [&](std::string_view prefix) { return path.starts_with(prefix); });
  });
  return paths;
}

std::vector<FieldDoc> field_docs() {
  auto spec = load_builtin("spec");
  PODWIRE_CHECK(spec.has_value(), "cni", "a compiled-in profile loads");
  Profile& profile = *spec;
  std::vector<FieldDoc> docs;
  for (const Field& field : fields_of(profile)) {
    FieldDoc doc{.path = field.path,
                 .values = "",
                 .unit = std::string(field.unit),
                 .standard = listed_value(field),
                 .source = "",
                 .description = field.description};
    for (const std::string_view word : choices(field.member)) {
      doc.values += (doc.values.empty() ? "" : ", ") + std::string(word);
    }
    if (std::holds_alternative<bool*>(field.member)) {
      doc.values = "true, false";
    } else if (doc.values.empty()) {
      doc.values = std::holds_alternative<Duration*>(field.member) ? "a duration"
                   : std::holds_alternative<Bytes*>(field.member)  ? "a size"
                                                                   : "a number";
    }
    for (const Parameter& parameter : profile.parameters) {
      doc.source = parameter.path == field.path ? parameter.source : doc.source;
    }
    docs.push_back(std::move(doc));
  }
  return docs;
}

void copy_policy_value(Profile& to, const Profile& from, std::string_view path) {
  Profile source = from;
  const std::vector<Field> theirs = fields_of(source);
  const std::vector<Field> ours = fields_of(to);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].path == path) {
      std::visit([&](auto* member) { *member = *std::get<decltype(member)>(theirs[i].member); }, ours[i].member);
    }
  }
}

}  // namespace podwire::cni
