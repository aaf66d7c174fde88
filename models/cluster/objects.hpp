// Kubernetes objects as they were written: layers of files flattened to single objects, later layers replacing earlier
// ones. What each object means is read elsewhere (pods, nodes, Services: build.hpp; policies: models/policy).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/diagnostic.hpp"
#include "sim/config/document.hpp"
#include "sim/config/files.hpp"

namespace podwire::cluster {

/// One object with its identity. `node` is the object's mapping and stays valid while the ObjectStore lives.
struct Object {
  std::string api_version;  // "apps/v1"
  std::string kind;         // "Deployment"
  std::string name_space;   // "default" where a namespaced object names none; "" for cluster-scoped kinds
  std::string name;
  config::Node node;
  Span span;  // of metadata.name
  std::uint32_t layer = 0;
  bool replaces_earlier = false;  // an earlier layer defined it too

  std::string_view group() const;  // "apps", "" for core
  /// `namespace/kind/name` with kubectl's lower-case kind, `kind/name` for cluster-scoped ones.
  std::string full_name() const;
};

/// One layer: what a `from` entry names.
struct Layer {
  std::filesystem::path path;  // file or folder; "-" is standard input, whose text is `text`
  std::string shown_as;        // the path as the user wrote it
  std::string text;            // for "-"
  Span span;                   // of the entry that named it
  std::vector<std::pair<std::string, std::string>> files = {};  // read elsewhere: name and text; `path` is then empty
};

/// All objects of a scenario's layers in order of first definition.
/// Errors: everything sim/config reports; missing-kind, missing-api-version, missing-name, bad-name, duplicate-object
/// (within one layer).
class ObjectStore {
 public:
  ObjectStore() = default;
  ObjectStore(ObjectStore&&) = default;
  ObjectStore& operator=(ObjectStore&&) = default;

  /// Adds a layer. List kinds (List, PodList, …: items may lack kind) are flattened; a same kind/namespace/name of an
  /// earlier layer is replaced, within one layer it is an error that names both places.
  void add_layer(SourceMap& sources, const Layer& layer, const config::FileAccess& access, Diagnostics& diagnostics);

  /// Adds as a layer the objects of `other` that `keeps` accepts; `other` must outlive this store.
  void add_layer(const ObjectStore& other, const std::function<bool(const Object&)>& keeps);

  const std::vector<Object>& objects() const { return objects_; }
  /// Whether a layer defined the same kind, namespace and name.
  bool has(const Object& object) const;
  /// Objects of one kind in order, e.g. all("networking.k8s.io", "NetworkPolicy").
  std::vector<const Object*> all(std::string_view group, std::string_view kind) const;
  std::size_t layer_count() const { return layer_count_; }
  std::size_t document_count() const { return documents_.size(); }

 private:
  void add_files(SourceMap& sources, const Layer& layer, const config::FileAccess& access, Diagnostics& diagnostics);
  /// Takes the object, unless this layer has one of the same identity already: then false, and it is left as it is.
  bool put(Object& object);

  std::vector<Object> objects_;
  std::vector<config::Document> documents_;
  boost::unordered_flat_map<std::string, std::size_t> index_;  // group/kind/namespace/name → position
  std::size_t layer_count_ = 0;
};

}  // namespace podwire::cluster
