#include "app/scenario/strip_dump.hpp"

#include <algorithm>
#include <map>
#include <span>

#include "app/scenario/declared.hpp"
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

/// The flag in front and the peers behind it.
std::string join_peers(std::string_view text, const std::vector<std::string>& peers) {
  if (peers.empty()) {
    return "";
  }
  const bool is_one_word = text.find_first_of(" \t\n") == std::string_view::npos;
  std::string result(is_one_word ? flag_of_value(text) : std::string_view());
  for (std::size_t i = 0; i < peers.size(); ++i) {
    result += (i == 0 ? "" : is_one_word ? "," : " ") + peers[i];
  }
  return result;
}

class Stripper {
 public:
  Stripper(std::string& out, const cluster::ObjectStore& store) : out_(out), sources_(store) {}

  void object(const cluster::Object& object) {
    name_space_ = object.name_space;
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
      each(node, [&](Node item) { container(item); });
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
    const StartValues values = read_start_values(node, name_space_, sources_);
    const std::vector<NamedPeer> peers = named_peers(values);
    begin('{');
    for (const Node child : node) {
      const std::string_view key = child.key();
      // Variables that come from elsewhere stand where their source did.
      const bool is_env = key == "env" || (key == "envFrom" && !node.find("env").is_present());
      if (!is_env && !is_one_of(key, kContainer)) {
        continue;
      }
      member(is_env ? "env" : key);
      if (is_env) {
        start_values(values, peers, StartValue::Kind::variable);
      } else if (key == "command" || key == "args") {
        start_values(values, peers, key == "args" ? StartValue::Kind::argument : StartValue::Kind::command);
      } else {
        whole(child);
      }
    }
    end('}');
  }

  /// What of the container's values of one kind names a peer. `peers` stand in the order of the values.
  void start_values(const StartValues& values, const std::vector<NamedPeer>& peers, StartValue::Kind kind) {
    begin('[');
    auto peer = peers.begin();
    for (const StartValue& value : values.values) {
      std::vector<std::string> kept;
      for (; peer != peers.end() && peer->name == value.name; ++peer) {
        if ((!peer->is_by_name && !peer->peer.is_of_words) || peer->peer.is_certain || is_service(peer->peer.host)) {
          kept.push_back(peer->peer.text());
        }
      }
      if (kept.empty() || value.kind != kind) {
        continue;
      }
      const std::string text = join_peers(value.text, kept);
      item();
      if (kind == StartValue::Kind::variable) {
        begin('{');
        member("name");
        config::append_json_string(out_, value.name);
        member("value");
        config::append_json_string(out_, text);
        end('}');
      } else {
        config::append_json_string(out_, text);
      }
    }
    end(']');
  }

  /// Whether a lone word is a Service's name, as pods of this namespace would write it.
  bool is_service(std::string_view host) const {
    const std::size_t dot = host.find('.');
    const std::string_view rest = dot == std::string_view::npos ? name_space_ : host.substr(dot + 1);
    return sources_.has_service(rest.substr(0, rest.find('.')), host.substr(0, dot));
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
  EnvironmentSources sources_;
  std::string_view name_space_;
  bool is_first_ = true;
};

}  // namespace

std::string peer_of_value(std::string_view text) {
  std::vector<std::string> kept;
  for (const PeerText& peer : peers_of_value(text)) {
    if (peer.is_certain || !peer.is_of_words) {
      kept.push_back(peer.text());
    }
  }
  return join_peers(text, kept);
}

StrippedDump strip_dump(const cluster::ObjectStore& store) {
  StrippedDump dump;
  std::map<std::string, std::size_t> left_out;
  dump.text = R"({"apiVersion":"v1","kind":"List","items":[)";
  Stripper stripper(dump.text, store);
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
