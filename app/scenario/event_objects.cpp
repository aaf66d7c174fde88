#include "app/scenario/event_objects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/cluster/kinds.hpp"
#include "sim/base/check.hpp"
#include "sim/base/text.hpp"
#include "sim/config/json_text.hpp"

namespace podwire::scenario {
namespace {

using cluster::Object;

/// "backend/netpol/x" and "backend/NetworkPolicy/x" are backend/networkpolicy/x; "" for what names no object.
std::string full_name_of(std::string_view name) {
  const std::size_t last = name.rfind('/');
  if (last == std::string_view::npos || last == 0) {
    return "";
  }
  const std::size_t first = name.rfind('/', last - 1);
  const std::string_view word = name.substr(first == std::string_view::npos ? 0 : first + 1, last - first - 1);
  const cluster::KindInfo* kind = cluster::find_kind_by_word(word);
  if (kind == nullptr || kind->is_namespaced != (first != std::string_view::npos)) {
    return "";
  }
  const std::string_view space = first == std::string_view::npos ? std::string_view() : name.substr(0, first + 1);
  return fmt::format("{}{}/{}", space, kind->singular, name.substr(last + 1));
}

const Object* find_in(const cluster::ObjectStore& store, const std::string& full_name) {
  const Object* found = nullptr;
  for (const Object& object : store.objects()) {
    if (object.full_name() == full_name) {
      found = &object;
    }
  }
  return found;
}

bool is_policy(const Object& object) {
  return (object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io") || policy::is_admin_policy(object);
}

bool is_in(const policy::PolicySet& set, const Object& object) {
  return std::any_of(set.network_policies.begin(), set.network_policies.end(),
                     [&](const auto& p) { return p.name == object.name && p.name_space == object.name_space; }) ||
         std::any_of(set.admin_policies.begin(), set.admin_policies.end(),
                     [&](const auto& p) { return p.name == object.name && to_string(p.kind) == object.kind; });
}

}  // namespace

void EventObjects::put(const Object& object) {
  now_[object.full_name()] = &object;
  if (object.kind == "Namespace" && object.group().empty()) {
    gone_namespaces_.erase(object.name);
  }
}

void EventObjects::remove(std::string_view name) {
  const std::string full_name = full_name_of(name);
  constexpr std::string_view kNamespace = "namespace/";
  if (full_name.starts_with(kNamespace)) {
    const std::string space = full_name.substr(kNamespace.size());
    deleted_namespaces_.insert(space);
    gone_namespaces_.insert(space);
    std::erase_if(now_, [&](const auto& entry) { return entry.first.starts_with(space + "/"); });
    now_[full_name] = nullptr;
  } else if (!full_name.empty()) {
    now_[full_name] = nullptr;
  }
}

const Object* EventObjects::find(const std::string& full_name) const {
  if (const auto at = now_.find(full_name); at != now_.end()) {
    return at->second;
  }
  const std::size_t slash = full_name.find('/');
  if (std::count(full_name.begin(), full_name.end(), '/') == 2 &&
      deleted_namespaces_.contains(full_name.substr(0, slash))) {
    return nullptr;
  }
  if (const Object* stamped = find_stamped(full_name)) {
    return stamped;
  }
  const Object* found = start_.applied == nullptr ? nullptr : find_in(*start_.applied, full_name);
  found = found == nullptr ? find_in(base_, full_name) : found;
  // A set may leave out the layers' policies, or delete some.
  return found != nullptr && is_policy(*found) && !is_in(*start_.policies, *found) ? nullptr : found;
}

const Object* EventObjects::find_stamped(const std::string& full_name) const {
  constexpr std::string_view kKind = "/networkpolicy/";
  const std::size_t kind = full_name.find(kKind);
  const auto is_here = [&](const Text& name) { return name.text == full_name.substr(0, kind); };
  if (kind == std::string::npos || start_.applied == nullptr || start_.namespaces == nullptr ||
      std::none_of(start_.namespaces->begin(), start_.namespaces->end(), is_here)) {
    return nullptr;
  }
  const std::string name = full_name.substr(kind + kKind.size());
  for (const Object& object : start_.applied->objects()) {
    if (is_policy(object) && !policy::is_admin_policy(object) && object.name == name &&
        object.node.find("metadata").find("namespace").is_null()) {
      return &object;
    }
  }
  return nullptr;
}

const Object* EventObjects::patch(const EventPatch& patch, Diagnostics& problems) {
  const std::string full_name = full_name_of(patch.object.text);
  const Object* target = full_name.empty() ? nullptr : find(full_name);
  if (target == nullptr) {
    problems.error(
        "unknown-object",
        fmt::format("there is no \"{}\" to patch at that time in policy set {}", printable(patch.object.text),
                    printable(*start_.name)),
        patch.object.span,
        "a policy, namespace, owner or bare pod that the layers, the policy set or an earlier event brought, "
        "for example backend/networkpolicy/allow-web; labels of other pods are changed by `label`");
    return nullptr;
  }
  return lay_over(full_name, *target, patch.merge, "patched", patch.span, problems);
}

void EventObjects::relabel(const EventLabels& labels) {
  const std::string full_name = full_name_of(labels.object.text);
  const Object* target = full_name.empty() ? nullptr : find(full_name);
  if (target == nullptr) {
    return;
  }
  std::map<std::string_view, const std::optional<std::string>*> members;  // of a key the last counts
  for (const auto& [key, value] : labels.change) {
    members[key] = &value;
  }
  std::string text = R"({"metadata": {"labels": {)";
  for (const auto& [key, value] : members) {
    text += text.back() == '{' ? "" : ", ";
    config::append_json_string(text, key);
    text += ": ";
    if (*value) {
      config::append_json_string(text, **value);
    } else {
      text += "null";
    }
  }
  text += "}}}";
  auto merge = config::parse_text(sources_, fmt::format("labels of {}", full_name), std::move(text));
  PODWIRE_CHECK(merge, "scenario", "labels are valid JSON");
  merges_.push_back(std::move(merge).value());
  Diagnostics none;  // what is wrong with the object is reported where it was applied or patched
  lay_over(full_name, *target, merges_.back().roots().front(), "labelled", labels.span, none);
}

const Object* EventObjects::lay_over(const std::string& full_name, const Object& target, config::Node merge,
                                     std::string_view done, Span where, Diagnostics& problems) {
  std::string text;
  config::append_json_merged(text, target.node, merge);
  cluster::ObjectStore store;
  const std::size_t errors = problems.error_count();
  store.add_layer(sources_,
                  {.path = {},
                   .shown_as = full_name,
                   .text = {},
                   .span = where,
                   .files = {{fmt::format("{} as {} at {}", full_name, done, sources_.file_and_line(where)), text}}},
                  {}, problems);
  if (problems.error_count() != errors) {
    return nullptr;
  }
  Object object;
  if (store.objects().size() == 1) {
    object = store.objects().front();
    // One that names no namespace is where it was: in default, or where the set stamped it.
    const auto names_none = [](config::Node node) { return node.find("metadata").find("namespace").is_null(); };
    if (!object.name_space.empty() && names_none(target.node) && names_none(object.node)) {
      object.name_space = full_name.substr(0, full_name.find('/'));
    }
  }
  if (object.full_name() != full_name) {
    problems.error("bad-patch", "a patch cannot change what an object is called or its kind", merge.span(),
                   "delete the object and apply another one");
    return nullptr;
  }
  patched_.push_back(std::move(store));
  objects_.push_back(std::move(object));
  now_[full_name] = &objects_.back();
  return &objects_.back();
}

}  // namespace podwire::scenario
