#include "app/scenario/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

constexpr std::string_view kPathCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/[]";

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string nearest = nearest_word(word, views);
  if (!nearest.empty()) {
    return fmt::format("did you mean \"{}\"?", printable(nearest));
  }
  constexpr std::size_t kShortList = 12;
  return known.empty() || known.size() > kShortList ? std::string() : fmt::format("known: {}", fmt::join(known, ", "));
}

void Settings::add(SourceMap& sources, const std::string& text, Diagnostics& diagnostics) {
  const std::string shown = fmt::format("--set {}", printable(text, 60));
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    diagnostics.error("bad-setting", fmt::format("{}: a setting has the form PATH=VALUE", shown), {},
                      "for example --set cluster.nodes.count=10");
    return;
  }
  std::string path = text.substr(0, equals);
  if (path.starts_with("spec.")) {
    path.erase(0, 5);
  }
  if (path.find_first_not_of(kPathCharacters) != std::string::npos) {
    diagnostics.error("bad-setting", fmt::format("{}: a path is made of names, dots and [indexes]", shown));
    return;
  }
  // As a member, so that messages about the value know its key.
  const std::string key = path.substr(path.rfind('.') + 1);
  auto document = config::parse_text(sources, fmt::format("--set {}", printable(path, 60)),
                                     fmt::format("\"{}\": {}", key, text.substr(equals + 1)));
  if (!document) {
    diagnostics.append(document.diagnostics());
    return;
  }
  const config::Node root = document->roots().size() == 1 ? document->roots().front() : config::Node();
  const config::Node value = root.find(key);
  if (value.is_null() || root.size() != 1) {
    diagnostics.error("bad-setting", fmt::format("{}: the value is empty, or more than one", shown), {},
                      "to take a key away, leave it out of the file");
    return;
  }
  const Span span = value.key_span();
  std::erase_if(settings_, [&](const Setting& earlier) { return earlier.path == path; });
  settings_.push_back({std::move(path), text, std::move(document).value(), value, span, false});
}

config::Node Settings::find(std::string_view path) {
  for (Setting& setting : settings_) {
    if (setting.path == path) {
      setting.is_used = true;
      return setting.value;
    }
  }
  return {};
}

std::vector<std::string> Settings::members_below(std::string_view path) const {
  std::vector<std::string> members;
  for (const Setting& setting : settings_) {
    if (setting.path.size() > path.size() + 1 && setting.path.starts_with(path) && setting.path[path.size()] == '.') {
      const std::string rest = setting.path.substr(path.size() + 1);
      std::string member = rest.substr(0, rest.find('.'));
      if (std::find(members.begin(), members.end(), member) == members.end()) {
        members.push_back(std::move(member));
      }
    }
  }
  return members;
}

void Settings::finish(Diagnostics& diagnostics) const {
  for (const Setting& setting : settings_) {
    if (!setting.is_used) {
      diagnostics.error("unknown-setting", fmt::format("no field \"{}\" to set", printable(setting.path)),
                        setting.path_span, suggestion(setting.path, known_));
    }
  }
}

std::vector<std::string> Settings::texts() const {
  std::vector<std::string> texts;
  for (const Setting& setting : settings_) {
    texts.push_back(setting.text);
  }
  return texts;
}

Section::Section(config::Node node, std::vector<std::string> paths, std::string object, Settings& settings,
                 Diagnostics& diagnostics)
    : reader_(node, std::move(object), diagnostics), paths_(std::move(paths)), settings_(&settings) {}

std::vector<std::string> Section::below(std::string_view key) const {
  std::vector<std::string> paths;
  for (const std::string& path : paths_) {
    paths.push_back(path.empty() ? std::string(key) : fmt::format("{}.{}", path, key));
  }
  return paths;
}

config::Node Section::setting(std::string_view key) {
  if (settings_->empty()) {
    return {};
  }
  config::Node found;
  for (const std::string& path : below(key)) {
    settings_->known(path);
    if (const config::Node node = settings_->find(path); node.is_present()) {
      found = node;
    }
  }
  return found;
}

config::Node Section::get(std::string_view key) {
  const config::Node written = reader_.get(key);
  const config::Node set = setting(key);
  return set.is_present() ? set : written;
}

config::Node Section::require(std::string_view key) {
  const config::Node set = setting(key);
  return set.is_present() ? (reader_.get(key), set) : reader_.require(key);
}

std::optional<std::string> Section::string(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_string(node, object(), diagnostics());
}

std::optional<bool> Section::boolean(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_bool(node, object(), diagnostics());
}

std::optional<std::int64_t> Section::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_integer(node, least, most, object(), diagnostics());
}

std::optional<double> Section::number(std::string_view key, double least, double most) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_number(node, least, most, object(), diagnostics());
}

std::optional<Duration> Section::duration(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_duration(node, object(), diagnostics());
}

std::optional<Bytes> Section::bytes(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_bytes(node, object(), diagnostics());
}

std::optional<BitRate> Section::bit_rate(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_bit_rate(node, object(), diagnostics());
}

std::optional<double> Section::rate(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_rate(node, object(), diagnostics());
}

std::optional<double> Section::fraction(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_fraction(node, object(), diagnostics());
}

std::optional<Cidr> Section::cidr(std::string_view key) {
  const config::Node node = get(key);
  return node.is_null() ? std::nullopt : config::as_cidr(node, object(), diagnostics());
}

std::optional<std::size_t> Section::choice(std::string_view key, std::initializer_list<std::string_view> names) {
  const config::Node node = get(key);
  if (node.is_null()) {
    return std::nullopt;
  }
  const auto text = config::as_string(node, object(), diagnostics());
  if (!text) {
    return std::nullopt;
  }
  const auto at = std::find(names.begin(), names.end(), *text);
  if (at == names.end()) {
    error("bad-value", fmt::format("{} is \"{}\", not one of {}", key, printable(*text, 60), fmt::join(names, ", ")),
          node, suggestion(*text, std::vector<std::string>(names.begin(), names.end())));
    return std::nullopt;
  }
  return static_cast<std::size_t>(at - names.begin());
}

std::vector<config::Node> Section::texts(std::string_view key) {
  const config::Node node = get(key);
  std::vector<config::Node> found;
  if (node.is_scalar()) {
    found.push_back(node);
  } else if (node.is_sequence()) {
    for (const config::Node item : node) {
      if (item.is_scalar()) {
        found.push_back(item);
      } else {
        error("wrong-type", fmt::format("{} lists texts, and this is none", key), item);
      }
    }
  } else if (!node.is_null()) {
    error("wrong-type", fmt::format("{} is a list of texts", key), node);
  }
  return found;
}

Section Section::section(std::string_view key, std::string object_name) {
  return Section(get(key), below(key), object_name.empty() ? object() : std::move(object_name), *settings_,
                 diagnostics());
}

std::vector<Section> Section::items(std::string_view key, std::string_view kind) {
  std::vector<Section> found;
  const config::Node list = get(key);
  if (!list.is_null() && !list.is_sequence()) {
    error("wrong-type", fmt::format("{} is a list", key), list);
    return found;
  }
  std::size_t index = 0;
  for (const config::Node item : list) {
    const std::string_view name = item.is_mapping() ? item.find("name").text() : std::string_view();
    std::vector<std::string> paths;
    for (const std::string& path : below(key)) {
      if (!name.empty()) {
        paths.push_back(fmt::format("{}.{}", path, name));
      }
      paths.push_back(fmt::format("{}[{}]", path, index));
    }
    found.emplace_back(
        item, std::move(paths),
        name.empty() ? fmt::format("{} {}", kind, index + 1) : fmt::format("{} \"{}\"", kind, printable(name)),
        *settings_, diagnostics());
    ++index;
  }
  return found;
}

std::vector<std::pair<std::string, Section>> Section::entries(std::string_view key, std::string_view kind) {
  std::vector<std::pair<std::string, Section>> found;
  const config::Node mapping = get(key);
  if (!mapping.is_null() && !mapping.is_mapping()) {
    error("wrong-type", fmt::format("{} maps names to mappings", key), mapping);
    return found;
  }
  const std::vector<std::string> paths = below(key);
  std::vector<std::string> names;
  for (const config::Node member : mapping) {
    names.emplace_back(member.key());
  }
  for (const std::string& name : settings_->members_below(paths.front())) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    std::vector<std::string> member_paths;
    config::Node node = mapping.find(name);
    for (const std::string& path : paths) {
      member_paths.push_back(fmt::format("{}.{}", path, name));
      settings_->known(member_paths.back());
      if (const config::Node set = settings_->find(member_paths.back()); set.is_present()) {
        node = set;
      }
    }
    found.emplace_back(name, Section(node, std::move(member_paths), fmt::format("{} \"{}\"", kind, printable(name)),
                                     *settings_, diagnostics()));
  }
  return found;
}

}  // namespace podwire::scenario
