#include "app/scenario/strip_dump.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <span>

#include "models/cluster/kinds.hpp"
#include "sim/config/json_text.hpp"

namespace podwire::scenario {
namespace {

using config::Node;
using Keys = std::span<const std::string_view>;

constexpr std::string_view kMetadata[] = {
    "name", "namespace", "labels", "annotations", "ownerReferences", "creationTimestamp", "deletionTimestamp"};
constexpr std::string_view kOwner[] = {"apiVersion", "kind", "name", "controller"};
constexpr std::string_view kContainer[] = {"name",         "image",         "ports", "livenessProbe", "readinessProbe",
                                           "startupProbe", "restartPolicy", "env",   "command",       "args"};
constexpr std::string_view kStatus[] = {"phase",     "podIP",        "podIPs",    "hostIP",
                                        "startTime", "conditions",   "addresses", "allocatable",
                                        "capacity",  "loadBalancer", "nodeInfo"};
constexpr std::string_view kNodeInfo[] = {"kubeletVersion"};
constexpr std::string_view kCondition[] = {"type", "status"};
constexpr std::string_view kSpecLess[] = {"volumes", "volumeClaimTemplates"};  // left out of every spec

// Kinds that models and analyses read beside those of the tables' roles.
constexpr std::string_view kReadBesides[] = {"Ingress",      "IngressClass", "Gateway",
                                             "GatewayClass", "HTTPRoute",    "ReferenceGrant"};

bool is_one_of(std::string_view word, Keys words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_kept(const cluster::Object& object) {
  if (is_one_of(object.kind, kReadBesides)) {
    return true;
  }
  const cluster::KindInfo* info = cluster::find_kind(object.group(), object.kind);
  return info != nullptr && info->role != cluster::KindRole::known && info->role != cluster::KindRole::not_an_object;
}

// Annotations that decide something: podwire's own, and the old way to name an Ingress's class.
bool is_obeyed(std::string_view key) {
  return key.starts_with("podwire/") || key == "kubernetes.io/ingress.class";
}

bool has_obeyed(Node annotations) {
  for (const Node annotation : annotations) {
    if (is_obeyed(annotation.key())) {
      return true;
    }
  }
  return false;
}

bool is_host_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
}

// "HOST:PORT" in front of `text`; 0 when it does not begin so. A host without a letter or dot is a number of something.
std::size_t host_and_port(std::string_view text) {
  std::size_t at = 0;
  bool has_letter = false;
  while (at < text.size() && is_host_letter(text[at])) {
    has_letter = has_letter || std::isalpha(static_cast<unsigned char>(text[at])) != 0 || text[at] == '.';
    ++at;
  }
  if (at == 0 || !has_letter || at == text.size() || text[at] != ':') {
    return 0;
  }
  unsigned port = 0;
  const auto [stop, problem] = std::from_chars(text.data() + at + 1, text.data() + text.size(), port);
  const bool ends = stop == text.data() + text.size() || *stop == '/' || *stop == ',' || *stop == ';';
  return problem == std::errc() && port >= 1 && port <= 65535 && ends ? static_cast<std::size_t>(stop - text.data())
                                                                      : 0;
}

class Stripper {
 public:
  explicit Stripper(std::string& out) : out_(out) {}

  void object(const cluster::Object& object) {
    begin('{');
    member("apiVersion");
    config::append_json_string(out_, object.api_version);
    member("kind");
    config::append_json_string(out_, object.kind);
    for (const Node child : object.node) {
      if (child.key() != "apiVersion" && child.key() != "kind") {
        member(child.key());
        under(child);
      }
    }
    end('}');
  }

 private:
  // A value by what its key says it is.
  void under(Node node) {
    const std::string_view key = node.key();
    if (key == "metadata" && node.is_mapping()) {
      begin('{');
      for (const Node child : node) {
        const bool is_empty = child.key() == "annotations" && !has_obeyed(child);
        if (is_one_of(child.key(), kMetadata) && !is_empty) {
          member(child.key());
          metadata(child);
        }
      }
      end('}');
    } else if (key == "status" && node.is_mapping()) {
      some(node, kStatus, [&](Node child) { status(child); });
    } else if ((key == "containers" || key == "initContainers") && node.is_sequence()) {
      each(node, [&](Node item) { some(item, kContainer, [&](Node child) { container(child); }); });
    } else {
      whole(node);
    }
  }

  void metadata(Node node) {
    if (node.key() == "annotations") {
      begin('{');
      for (const Node child : node) {
        if (is_obeyed(child.key())) {
          member(child.key());
          whole(child);
        }
      }
      end('}');
    } else if (node.key() == "ownerReferences") {
      each(node, [&](Node item) { some(item, kOwner, [&](Node child) { whole(child); }); });
    } else {
      whole(node);
    }
  }

  void status(Node node) {
    if (node.key() == "conditions") {
      each(node, [&](Node item) { some(item, kCondition, [&](Node child) { whole(child); }); });
    } else if (node.key() == "nodeInfo") {
      some(node, kNodeInfo, [&](Node child) { whole(child); });
    } else {
      whole(node);
    }
  }

  void container(Node node) {
    const std::string_view key = node.key();
    if (key == "env") {
      begin('[');
      for (const Node variable : node) {
        if (const std::string peer = peer_of_value(variable.find("value").text()); !peer.empty()) {
          item();
          begin('{');
          member("name");
          config::append_json_string(out_, variable.find("name").text());
          member("value");
          config::append_json_string(out_, peer);
          end('}');
        }
      }
      end(']');
    } else if (key == "command" || key == "args") {
      begin('[');
      for (const Node word : node) {
        if (const std::string peer = peer_of_value(word.text()); !peer.empty()) {
          item();
          config::append_json_string(out_, peer);
        }
      }
      end(']');
    } else {
      whole(node);
    }
  }

  void whole(Node node) {
    if (node.is_mapping()) {
      begin('{');
      for (const Node child : node) {
        if (node.key() != "spec" || !is_one_of(child.key(), kSpecLess)) {
          member(child.key());
          under(child);
        }
      }
      end('}');
    } else if (node.is_sequence()) {
      each(node, [&](Node child) { whole(child); });
    } else {
      config::append_json_scalar(out_, node);
    }
  }

  template <class Write>
  void some(Node node, Keys keys, Write write) {
    begin('{');
    for (const Node child : node) {
      if (is_one_of(child.key(), keys)) {
        member(child.key());
        write(child);
      }
    }
    end('}');
  }

  template <class Write>
  void each(Node node, Write write) {
    begin('[');
    for (const Node child : node) {
      item();
      write(child);
    }
    end(']');
  }

  void begin(char bracket) {
    out_ += bracket;
    is_first_ = true;
  }
  void end(char bracket) {
    out_ += bracket;
    is_first_ = false;
  }
  void item() {
    if (!is_first_) {
      out_ += ',';
    }
    is_first_ = false;
  }
  void member(std::string_view key) {
    item();
    config::append_json_string(out_, key);
    out_ += ':';
  }

  std::string& out_;
  bool is_first_ = true;
};

}  // namespace

std::string peer_of_value(std::string_view text) {
  // "--flag=" or "NAME=" in front stays, if it is one.
  std::size_t value = 0;
  if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
    const std::string_view flag = text.substr(0, equals);
    if (!flag.empty() && std::all_of(flag.begin(), flag.end(), is_host_letter)) {
      value = equals + 1;
    }
  }
  const std::string_view prefix = text.substr(0, value);
  std::string_view rest = text.substr(value);
  const std::size_t colon = rest.find("://");
  if (colon == std::string_view::npos) {
    const std::size_t length = host_and_port(rest);
    return length == 0 ? std::string() : std::string(prefix) + std::string(rest.substr(0, length));
  }
  const std::string_view scheme = rest.substr(0, colon);
  const bool is_scheme = !scheme.empty() && std::isalpha(static_cast<unsigned char>(scheme[0])) != 0 &&
                         std::all_of(scheme.begin(), scheme.end(), [](char c) {
                           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' ||
                                  c == '.' || c == ':';  // jdbc:postgresql://
                         });
  std::string_view authority = rest.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#, "));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    authority = authority.substr(at + 1);
  }
  const bool is_host = !authority.empty() && std::all_of(authority.begin(), authority.end(), [](char c) {
    return is_host_letter(c) || c == ':' || c == '[' || c == ']';
  });
  if (!is_scheme || !is_host) {
    return "";
  }
  return std::string(prefix) + std::string(scheme) + "://" + std::string(authority);
}

StrippedDump strip_dump(const cluster::ObjectStore& store) {
  StrippedDump dump;
  std::map<std::string, std::size_t> left_out;
  dump.text = R"({"apiVersion":"v1","kind":"List","items":[)";
  Stripper stripper(dump.text);
  for (const cluster::Object& object : store.objects()) {
    if (!is_kept(object)) {
      ++left_out[object.kind];
      continue;
    }
    dump.text += dump.objects == 0 ? "\n" : ",\n";
    stripper.object(object);
    ++dump.objects;
  }
  dump.text += "\n]}\n";
  dump.left_out.assign(left_out.begin(), left_out.end());
  return dump;
}

}  // namespace podwire::scenario
