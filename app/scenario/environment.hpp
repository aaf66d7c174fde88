// What a container is started with: its environment and its words, as the kubelet makes them of the manifest, as far as
// the input tells. Source: k8s.io/kubernetes pkg/kubelet/kubelet_pods.go (makeEnvironment), third_party/forked/golang/
// expansion (`$(NAME)`, `$$`).
//
// envFrom first, then env over it; `$(NAME)` stands for what was defined before (in command and args: for all of it),
// and for the addresses of the namespace's Services (NAME_SERVICE_HOST, NAME_SERVICE_PORT: by their names here). What
// nobody defines stays as it is. ConfigMaps are read where the input has them. Secrets are never read, nor are fields
// of the pod (fieldRef), which name the pod itself. Left out: images' own entry points and environments.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/cluster/objects.hpp"

namespace podwire::scenario {

/// ConfigMaps and Services of an input by name. The store must outlive it.
class EnvironmentSources {
 public:
  explicit EnvironmentSources(const cluster::ObjectStore& store);
  /// The `data` of a ConfigMap; absent when the input does not have it.
  config::Node config_map(std::string_view name_space, std::string_view name) const;
  bool has_service(std::string_view name_space, std::string_view name) const;
  /// "REDIS_SERVICE_HOST" → "redis", "REDIS_SERVICE_PORT" → its first port; "" for what is no such name.
  std::string link(std::string_view name_space, std::string_view variable) const;

 private:
  boost::unordered_flat_map<std::string, config::Node> config_maps_;  // "namespace/name" → data
  boost::unordered_flat_map<std::string, config::Node> services_;     // likewise → spec
  boost::unordered_flat_map<std::string, std::string> links_;         // "namespace/VARIABLE" → value
};

struct StartValue {
  enum class Kind : std::uint8_t { variable, command, argument } kind = Kind::variable;
  std::string name;    // "BACKEND_URL", "args[1]"
  std::string text;    // with `$(NAME)` replaced
  Span span;           // of the value, in a ConfigMap if it comes from one
  bool is_own = true;  // stands in the container, not in a ConfigMap
};

/// A variable, or all of a source, that was not read.
struct UnreadValue {
  std::string name;    // "DATABASE_URL"; "envFrom" for a source of many
  std::string source;  // "Secret shop/db", "ConfigMap shop/settings, which is not in the input"
  Span span;
};

struct StartValues {
  std::vector<StartValue> values;  // variables in order of definition, then command, then args
  std::vector<UnreadValue> unread;
  /// Of a variable, nothing when there is none.
  const StartValue* find(std::string_view variable) const;
  boost::unordered_flat_map<std::string, std::size_t> variables;  // name → position in `values`
};

/// Lenient: what the API server would refuse is passed over. A value is cut off at 64 KiB, and all of
/// a container at 4 MiB: references that refer to references double each time.
StartValues read_start_values(config::Node container, std::string_view name_space, const EnvironmentSources& sources);

}  // namespace podwire::scenario
