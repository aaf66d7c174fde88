// Layers of files become one list of objects; see objects.hpp.
//
// What is an error here is what kubectl refuses: no kind, no apiVersion, no name, names that cannot stand in a URL
// path. A name that the API would refuse for other reasons is an error for kinds that podwire builds from (their names
// become DNS names and pod names) and a warning for the rest. Values of fields are read later, by whoever models the
// kind.
#include "models/cluster/objects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/kinds.hpp"
#include "models/cluster/labels.hpp"
#include "sim/base/text.hpp"
#include "sim/config/reader.hpp"

namespace podwire::cluster {
namespace {

bool is_list(config::Node root, std::string_view kind) {
  return kind == "List" || (kind.size() > 4 && kind.ends_with("List") && root.find("items").is_present());
}

/// What an item of a typed list may leave out.
struct Inherited {
  std::string_view kind;
  std::string_view api_version;
};

// kustomize lets its own file go without kind and apiVersion.
Inherited implied_by_name(std::string_view file) {
  const std::string_view base = file.substr(file.rfind('/') + 1);
  return base == "kustomization.yaml" || base == "kustomization.yml"
             ? Inherited{.kind = "Kustomization", .api_version = "kustomize.config.k8s.io/v1beta1"}
             : Inherited{};
}

/// metav1.ObjectMeta (k8s.io/apimachinery pkg/apis/meta/v1/types.go), the most frequent first; clusterName and
/// initializers are of the past.
constexpr std::string_view kMetadataKeys[] = {
    "name",        "namespace",         "labels",          "annotations",       "ownerReferences",
    "uid",         "generateName",      "resourceVersion", "generation",        "managedFields",
    "finalizers",  "creationTimestamp", "selfLink",        "deletionTimestamp", "deletionGracePeriodSeconds",
    "clusterName", "initializers"};

bool is_path_segment(std::string_view name) {
  return name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('%') == std::string_view::npos && printable(name, name.size() + 1) == name;
}

/// Flattens the documents of one layer; owns nothing.
class LayerReader {
 public:
  LayerReader(std::uint32_t layer, Diagnostics& diagnostics) : layer_(layer), diagnostics_(diagnostics) {}

  void read(config::Node root, Inherited inherited = {}) {
    if (root.is_null()) {
      return;
    }
    if (!root.is_mapping()) {
      error("wrong-type", "a Kubernetes object is a mapping", root.span(), {});
      return;
    }
    std::string_view kind = text_of(root, "kind");
    std::string_view api_version = text_of(root, "apiVersion");
    if (kind.empty() && !inherited.kind.empty()) {
      kind = inherited.kind;
    }
    if (api_version.empty()) {
      api_version = inherited.api_version;
    }
    if (is_list(root, kind)) {
      const std::string_view item_kind = kind == "List" ? std::string_view() : kind.substr(0, kind.size() - 4);
      read_items(root.find("items"), {.kind = item_kind, .api_version = api_version});
      return;
    }
    read_object(root, kind, api_version);
  }

  std::vector<Object>& objects() { return objects_; }

 private:
  void error(std::string code, std::string message, Span span, std::string object, std::string help = {}) {
    diagnostics_.add({.code = std::move(code),
                      .message = std::move(message),
                      .span = span,
                      .object = std::move(object),
                      .help = std::move(help)});
  }

  std::string_view text_of(config::Node mapping, std::string_view key) {
    const config::Node member = mapping.find(key);
    if (!member.is_null()) {
      config::as_string(member, "a manifest", diagnostics_);  // a number, say, is none to the API server
    }
    return member.text();
  }

  void read_items(config::Node items, Inherited inherited) {
    if (items.is_null()) {
      return;
    }
    if (!items.is_sequence()) {
      error("wrong-type", "\"items\" of a List is a sequence", items.span(), {});
      return;
    }
    for (const config::Node item : items) {
      read(item, inherited);
    }
  }

  void read_object(config::Node root, std::string_view kind, std::string_view api_version) {
    if (kind.empty()) {
      error("missing-kind", "a Kubernetes object needs \"kind\"", root.span(), {},
            "files that are no manifests do not belong in a layer");
    }
    if (api_version.empty()) {
      error("missing-api-version", "a Kubernetes object needs \"apiVersion\"", root.span(), std::string(kind));
    }
    if (kind.empty() || api_version.empty()) {
      return;
    }
    const KindInfo* info = find_kind(group_of(api_version), kind);
    if (const auto problem = info == nullptr ? invalid_kind(group_of(api_version), kind) : std::nullopt) {
      error("unknown-kind", problem->message, root.find("kind").is_present() ? root.find("kind").span() : root.span(),
            printable(kind, 80), problem->help);
      return;
    }
    const config::Node metadata = root.find("metadata");
    if (metadata.is_present() && !metadata.is_null() && !metadata.is_mapping()) {
      error("wrong-type", "\"metadata\" is a mapping", metadata.span(), std::string(kind));
      return;
    }
    Object object{.api_version = std::string(api_version),
                  .kind = std::string(kind),
                  .name_space = {},
                  .name = {},
                  .node = root,
                  .span = root.span(),
                  .layer = layer_};
    check_metadata(metadata, info, object);
    if (!read_name(metadata, info, object)) {
      return;
    }
    const std::string_view name_space = text_of(metadata, "namespace");
    if (info == nullptr || info->is_namespaced) {
      object.name_space = name_space.empty() && info != nullptr ? "default" : name_space;
    }
    check_names(object, info, metadata);
    objects_.push_back(std::move(object));
  }

  // Names of members that objects of the kinds we read may have: a misspelt namespace puts a policy elsewhere.
  void check_metadata(config::Node metadata, const KindInfo* info, const Object& object) {
    if (info == nullptr || (info->role != KindRole::cluster && info->role != KindRole::policy)) {
      return;
    }
    for (const config::Node member : metadata) {
      const std::string_view key = member.key();
      if (std::ranges::find(kMetadataKeys, key) != std::end(kMetadataKeys)) {
        continue;
      }
      const std::string near = nearest_word(key, kMetadataKeys);
      diagnostics_.add({.code = "unknown-key",
                        .message = fmt::format("unknown key \"{}\" in metadata of {} \"{}\"", printable(key, 80),
                                               object.kind, printable(metadata.find("name").text(), 80)),
                        .span = member.key_span(),
                        .object = printable(object.kind, 80),
                        .field = member.path(),
                        .help = near.empty() ? "labels and annotations are where names of one's own go"
                                             : fmt::format("did you mean \"{}\"?", near)});
    }
  }

  // False when the object cannot be identified.
  bool read_name(config::Node metadata, const KindInfo* info, Object& object) {
    const config::Node name = metadata.find("name");
    object.name = text_of(metadata, "name");
    if (!object.name.empty()) {
      object.span = name.span();
      return true;
    }
    if (const std::string_view stem = text_of(metadata, "generateName"); !stem.empty()) {
      // `kubectl create` accepts it; the API server would add five random characters.
      object.name = fmt::format("{}{:05}", stem, objects_.size());
      object.span = metadata.find("generateName").span();
      return true;
    }
    if (info != nullptr && info->role == KindRole::not_an_object) {
      return true;
    }
    error("missing-name", fmt::format("a {} needs \"metadata.name\"", printable(object.kind, 63)),
          metadata.is_mapping() ? metadata.span() : object.span, object.kind);
    return false;
  }

  void check_names(const Object& object, const KindInfo* info, config::Node metadata) {
    if (object.name.empty()) {
      return;
    }
    const bool is_built = info != nullptr && info->role == KindRole::cluster;
    const bool is_label = is_built && (object.kind == "Namespace" || object.kind == "Service");
    auto problem = is_label ? invalid_dns_label(object.name) : invalid_dns_subdomain(object.name);
    // RBAC names, for one, are free path segments (system:node).
    const bool is_severe = is_built || !is_path_segment(object.name);
    const bool matters =
        is_built || !is_path_segment(object.name) || (info != nullptr && info->role != KindRole::known);
    if (problem && matters) {
      diagnostics_.add({.severity = is_severe ? Severity::error : Severity::warning,
                        .code = "bad-name",
                        .message = fmt::format("the name \"{}\" {}", printable(object.name, 80), *problem),
                        .span = object.span,
                        .object = printable(object.full_name()),
                        .field = "metadata.name",
                        .help = is_severe ? "" : "the API server refuses this object"});
    }
    if (!object.name_space.empty()) {
      if (const auto bad = invalid_dns_label(object.name_space)) {
        diagnostics_.add({.code = "bad-name",
                          .message = fmt::format("the namespace \"{}\" {}", printable(object.name_space, 80), *bad),
                          .span = metadata.find("namespace").span(),
                          .object = printable(object.full_name()),
                          .field = "metadata.namespace"});
      }
    }
  }

  std::uint32_t layer_;
  Diagnostics& diagnostics_;
  std::vector<Object> objects_;
};

std::string identity(const Object& object) {
  const std::string_view group = object.group();
  const KindInfo* info = find_kind(group, object.kind);
  return fmt::format("{}/{}/{}/{}", info != nullptr ? info->group() : group, object.kind, object.name_space,
                     object.name);
}

}  // namespace

std::string_view Object::group() const {
  return group_of(api_version);
}

std::string Object::full_name() const {
  const KindInfo* info = find_kind(group(), kind);
  const std::string_view word = info != nullptr ? info->singular : std::string_view(kind);
  std::string full;
  full.reserve(name_space.size() + word.size() + name.size() + 2);
  if (!name_space.empty()) {
    full += name_space;
    full += '/';
  }
  for (const char c : word) {
    full += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  full += '/';
  full += name;
  return full;
}

void ObjectStore::add_files(SourceMap& sources, const Layer& layer, const config::FileAccess& access,
                            Diagnostics& diagnostics) {
  const auto add_text = [&](const std::string& name, const std::string& text) {
    auto document = config::parse_text(sources, name, text, access.limits);
    diagnostics.append(document.diagnostics());
    if (document) {
      documents_.push_back(std::move(document).value());
    }
  };
  if (layer.path == "-") {
    add_text(layer.shown_as.empty() ? "-" : layer.shown_as, layer.text);
    return;
  }
  if (layer.path.empty()) {
    for (const auto& [name, text] : layer.files) {
      add_text(name, text);
    }
    return;
  }
  for (const auto& path : config::list_files(layer.path, access, layer.span, diagnostics)) {
    const auto below = path.lexically_relative(layer.path);
    const bool is_file = below.empty() || below == ".";
    const auto shown = is_file ? layer.shown_as : (std::filesystem::path(layer.shown_as) / below).string();
    if (auto document = config::read_file(sources, path, shown, access, layer.span, diagnostics)) {
      documents_.push_back(std::move(*document));
    }
  }
}

bool ObjectStore::put(Object& object) {
  if (object.name.empty()) {  // a file for some tool; counted, never looked up
    objects_.push_back(std::move(object));
    return true;
  }
  const auto [at, is_new] = index_.try_emplace(identity(object), objects_.size());
  if (is_new) {
    objects_.push_back(std::move(object));
    return true;
  }
  Object& earlier = objects_[at->second];
  if (earlier.layer >= object.layer) {
    return false;
  }
  earlier = std::move(object);
  earlier.replaces_earlier = true;
  return true;
}

bool ObjectStore::has(const Object& object) const {
  return index_.contains(identity(object));
}

void ObjectStore::add_layer(SourceMap& sources, const Layer& layer, const config::FileAccess& access,
                            Diagnostics& diagnostics) {
  const std::size_t first_document = documents_.size();
  add_files(sources, layer, access, diagnostics);
  LayerReader reader(static_cast<std::uint32_t>(layer_count_++), diagnostics);
  for (std::size_t i = first_document; i < documents_.size(); ++i) {
    const Inherited implied = implied_by_name(sources.name(documents_[i].source()));
    for (const config::Node root : documents_[i].roots()) {
      reader.read(root, implied);
    }
  }
  for (Object& object : reader.objects()) {
    if (!put(object)) {
      diagnostics.add(
          {.code = "duplicate-object",
           .message = fmt::format("{} is defined twice in one layer; first at {}", printable(object.full_name()),
                                  sources.place(objects_[index_.at(identity(object))].span)),
           .span = object.span,
           .object = printable(object.full_name()),
           .help = "an object of a later layer replaces one of an earlier layer; within a layer names are "
                   "unique"});
    }
  }
}

void ObjectStore::add_layer(const ObjectStore& other, const std::function<bool(const Object&)>& keeps) {
  const auto layer = static_cast<std::uint32_t>(layer_count_++);
  for (const Object& object : other.objects_) {
    if (keeps(object)) {
      Object added = object;
      added.layer = layer;
      put(added);
    }
  }
}

std::vector<const Object*> ObjectStore::all(std::string_view group, std::string_view kind) const {
  const KindInfo* wanted = find_kind(group, kind);
  std::vector<const Object*> found;
  for (const Object& object : objects_) {
    if (object.kind == kind &&
        (object.group() == group || (wanted != nullptr && find_kind(object.group(), kind) == wanted))) {
      found.push_back(&object);
    }
  }
  return found;
}

}  // namespace podwire::cluster
