#include "app/scenario/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace podwire::scenario {
namespace {

using config::Node;

constexpr std::size_t kLongest = 64 << 10;   // bytes of one value
constexpr std::size_t kMostBytes = 4 << 20;  // of all values of a container

std::string variable_name(std::string_view service) {
  std::string name(service);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return name;
}

/// Replaces `$(NAME)` by what `value_of` says; `$$` stands for one `$`, and what is unknown stays.
std::string expand(std::string_view text, const std::function<std::optional<std::string>(std::string_view)>& value_of) {
  std::string result;
  for (std::size_t at = 0; at < text.size() && result.size() < kLongest; ++at) {
    if (text[at] != '$' || at + 1 == text.size()) {
      result += text[at];
    } else if (text[at + 1] == '$') {
      result += '$';
      ++at;
    } else if (const std::size_t close = text.find(')', at); text[at + 1] == '(' && close != std::string_view::npos) {
      const std::string_view name = text.substr(at + 2, close - at - 2);
      const auto value = value_of(name);
      result += value ? *value : std::string(text.substr(at, close - at + 1));
      at = close;
    } else {
      result += '$';
    }
  }
  result.resize(std::min(result.size(), kLongest));
  return result;
}

class Reader {
 public:
  Reader(std::string_view name_space, const EnvironmentSources& sources) : name_space_(name_space), sources_(sources) {}

  StartValues read(Node container) {
    for (const Node source : container.find("envFrom")) {
      read_source(source);
    }
    for (const Node variable : container.find("env")) {
      read_variable(variable);
    }
    const auto words = [&](std::string_view key, StartValue::Kind kind) {
      std::size_t index = 0;
      for (const Node word : container.find(key)) {
        add({.kind = kind,
             .name = fmt::format("{}[{}]", key, index++),
             .text = expanded(word.text()),
             .span = word.span()});
      }
    };
    words("command", StartValue::Kind::command);
    words("args", StartValue::Kind::argument);
    return std::move(result_);
  }

 private:
  std::string expanded(std::string_view text) const {
    return expand(text, [&](std::string_view name) -> std::optional<std::string> {
      if (const StartValue* known = result_.find(name)) {
        return known->text;
      }
      std::string link = sources_.link(name_space_, name);
      return link.empty() ? std::nullopt : std::optional(std::move(link));
    });
  }

  void add(StartValue value) {
    value.text.resize(std::min(value.text.size(), kMostBytes - bytes_));
    bytes_ += value.text.size();
    result_.values.push_back(std::move(value));
  }

  void define(std::string name, std::string text, Span span, bool is_own) {
    const auto [at, is_new] = result_.variables.emplace(name, result_.values.size());
    StartValue value{.name = std::move(name), .text = std::move(text), .span = span, .is_own = is_own};
    if (is_new) {
      add(std::move(value));
    } else {
      bytes_ -= result_.values[at->second].text.size();
      value.text.resize(std::min(value.text.size(), kMostBytes - bytes_));
      bytes_ += value.text.size();
      result_.values[at->second] = std::move(value);
    }
  }

  void leave_out(std::string_view name, std::string_view kind, std::string_view object, Span span) {
    const bool is_secret = kind == "Secret";
    result_.unread.push_back(
        {.name = std::string(name),
         .source = fmt::format("{} {}/{}{}", kind, name_space_, object, is_secret ? "" : ", which is not in the input"),
         .span = span});
  }

  void read_source(Node source) {
    const std::string_view prefix = source.find("prefix").text();
    if (const Node reference = source.find("configMapRef"); reference.is_mapping()) {
      const Node data = sources_.config_map(name_space_, reference.find("name").text());
      if (!data.is_present()) {
        leave_out("envFrom", "ConfigMap", reference.find("name").text(), reference.find("name").span());
      }
      for (const Node item : data) {
        define(std::string(prefix) + std::string(item.key()), std::string(item.text().substr(0, kLongest)), item.span(),
               false);
      }
    } else if (const Node secret = source.find("secretRef"); secret.is_mapping()) {
      leave_out("envFrom", "Secret", secret.find("name").text(), secret.find("name").span());
    }
  }

  void read_variable(Node variable) {
    const std::string_view name = variable.find("name").text();
    if (name.empty()) {
      return;
    }
    const Node value = variable.find("value");
    if (value.is_scalar() && !value.text().empty()) {
      define(std::string(name), expanded(value.text()), value.span(), true);
      return;
    }
    const Node from = variable.find("valueFrom");
    if (const Node reference = from.find("configMapKeyRef"); reference.is_mapping()) {
      const Node data = sources_.config_map(name_space_, reference.find("name").text());
      const Node item = data.find(reference.find("key").text());
      if (item.is_present()) {
        define(std::string(name), std::string(item.text().substr(0, kLongest)), item.span(), false);
      } else {
        leave_out(name, "ConfigMap", reference.find("name").text(), reference.find("name").span());
      }
    } else if (const Node secret = from.find("secretKeyRef"); secret.is_mapping()) {
      leave_out(name, "Secret", secret.find("name").text(), secret.find("name").span());
    }
  }

  std::string_view name_space_;
  const EnvironmentSources& sources_;
  StartValues result_;
  std::size_t bytes_ = 0;
};

std::string key_of(std::string_view name_space, std::string_view name) {
  return fmt::format("{}/{}", name_space, name);
}

}  // namespace

EnvironmentSources::EnvironmentSources(const cluster::ObjectStore& store) {
  for (const cluster::Object& object : store.objects()) {
    if (!object.group().empty()) {
      continue;
    }
    if (object.kind == "ConfigMap") {
      config_maps_.emplace(key_of(object.name_space, object.name), object.node.find("data"));
    } else if (object.kind == "Service") {
      const Node spec = object.node.find("spec");
      services_.emplace(key_of(object.name_space, object.name), spec);
      const std::string name = variable_name(object.name);
      // Headless and ExternalName Services have no such variables (makeEnvironment leaves out what has no ClusterIP).
      const Node ports = spec.find("ports");
      if (spec.find("clusterIP").text() != "None" && ports.is_sequence() && ports.size() > 0) {
        links_.emplace(key_of(object.name_space, name + "_SERVICE_HOST"), object.name);
        links_.emplace(key_of(object.name_space, name + "_SERVICE_PORT"),
                       std::string((*ports.begin()).find("port").text()));
      }
    }
  }
}

Node EnvironmentSources::config_map(std::string_view name_space, std::string_view name) const {
  const auto at = config_maps_.find(key_of(name_space, name));
  return at == config_maps_.end() ? Node() : at->second;
}

bool EnvironmentSources::has_service(std::string_view name_space, std::string_view name) const {
  return services_.contains(key_of(name_space, name));
}

std::string EnvironmentSources::link(std::string_view name_space, std::string_view variable) const {
  const auto at = links_.find(key_of(name_space, variable));
  return at == links_.end() ? std::string() : at->second;
}

const StartValue* StartValues::find(std::string_view variable) const {
  const auto at = variables.find(std::string(variable));
  return at == variables.end() ? nullptr : &values[at->second];
}

StartValues read_start_values(Node container, std::string_view name_space, const EnvironmentSources& sources) {
  return Reader(name_space, sources).read(container);
}

}  // namespace podwire::scenario
