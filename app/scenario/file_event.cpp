// `events`: what happens while a scenario plays. Strictly read, as everything of the file.
#include <fmt/format.h>

#include "app/scenario/events.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

std::vector<Text> texts_of(Section& section, std::string_view key) {
  std::vector<Text> texts;
  for (const config::Node node : section.texts(key)) {
    texts.push_back({std::string(node.text()), node.span()});
  }
  return texts;
}

void check_key(Section& section, config::Node where, std::string_view key) {
  if (const auto problem = cluster::invalid_label_key(key)) {
    section.error("bad-value", fmt::format("\"{}\" is no label key: {}", printable(key, 80), *problem), where);
  } else if (key == "kubernetes.io/metadata.name") {
    section.error("bad-value", "kubernetes.io/metadata.name cannot be changed", where,
                  "the API server sets it to the namespace's name");
  }
}

// That something changes nothing is said only where nothing else is wrong with it: what was meant may be what could not
// be read.
EventLabels read_labels(Section& section) {
  const std::size_t errors = section.diagnostics().error_count();
  EventLabels labels;
  labels.span = section.span();
  section.require("object");
  if (const auto object = section.string("object")) {
    labels.object = {*object, section.get("object").span()};
  }
  const config::Node set = section.get("set");
  if (!set.is_null() && !set.is_mapping()) {
    section.error("wrong-type", "set is a mapping of labels", set, "for example {app: web}");
  } else {
    for (const config::Node value : set) {
      check_key(section, value, value.key());
      if (value.is_null()) {
        section.error("bad-value", fmt::format("the label \"{}\" has no value", printable(value.key(), 80)), value,
                      "`remove: [KEY]` takes a label away, \"\" is an empty value");
      }
      const auto problem = value.is_scalar() ? cluster::invalid_label_value(value.text()) : std::nullopt;
      if (problem || value.is_sequence() || value.is_mapping()) {
        section.error("bad-value",
                      fmt::format("\"{}\" is no label value{}", printable(value.text(), 80),
                                  problem ? ": " + *problem : std::string()),
                      value);
      }
      labels.change.emplace_back(std::string(value.key()), std::string(value.text()));
    }
  }
  for (const config::Node key : section.texts("remove")) {
    check_key(section, key, key.text());
    if (set.is_mapping() && set.find(key.text()).is_present()) {
      section.error("bad-value", fmt::format("the label \"{}\" is set and removed at once", printable(key.text(), 80)),
                    key);
    }
    labels.change.emplace_back(std::string(key.text()), std::nullopt);
  }
  section.finish();
  if (labels.change.empty() && section.diagnostics().error_count() == errors) {
    section.error("missing-key", "the item changes no label", {}, "give set, remove or both");
  }
  return labels;
}

EventPatch read_patch(Section& section) {
  EventPatch patch;
  patch.span = section.span();
  section.require("object");
  if (const auto object = section.string("object")) {
    patch.object = {*object, section.get("object").span()};
  }
  patch.merge = section.require("merge");
  if (patch.merge.is_present() && !patch.merge.is_mapping()) {
    section.error("wrong-type", "merge is a mapping: what changes of the object", patch.merge,
                  "for example {spec: {ingress: []}}; null takes a field away");
  }
  section.finish();
  return patch;
}

/// What an event and a Step have in common. Whether it changes anything.
bool read_changes(Section& section, EventFile& event) {
  const std::vector<Text> removed = texts_of(section, "delete");
  event.remove.insert(event.remove.end(), removed.begin(), removed.end());
  const std::size_t before = event.labels.size() + event.patches.size();
  for (Section& item : section.items("patch", "Patch")) {
    event.patches.push_back(read_patch(item));
  }
  for (Section& item : section.items("label", "Label change")) {
    event.labels.push_back(read_labels(item));
  }
  return !removed.empty() || event.labels.size() + event.patches.size() > before;
}

}  // namespace

EventFile read_event_section(Section& section) {
  const std::size_t errors = section.diagnostics().error_count();
  EventFile event;
  event.span = section.span();
  section.require("at");
  event.at = section.duration("at").value_or(Duration::zero());
  event.policy_sets = texts_of(section, "policySets");
  event.apply = texts_of(section, "apply");
  const bool has_changes = read_changes(section, event) || !event.apply.empty();
  section.finish();
  if (!has_changes && section.diagnostics().error_count() == errors) {
    section.error("missing-key", "the event changes nothing", {}, "give apply, patch, delete or label");
  }
  return event;
}

void read_step(config::Node node, EventFile& event, Diagnostics& diagnostics) {
  Settings none;
  Section section(node, {"step"}, "Step", none, diagnostics);
  const std::size_t errors = diagnostics.error_count();
  if (const config::Node version = section.get("apiVersion"); version.text() != "podwire/v1") {
    section.error("bad-value", fmt::format("\"{}\" is no version of a Step", printable(version.text(), 60)), version,
                  "write podwire/v1");
  }
  section.get("kind");
  section.get("metadata");
  const bool has_changes = read_changes(section, event);
  section.finish();
  if (!has_changes && diagnostics.error_count() == errors) {
    section.error("missing-key", "the Step changes nothing", {}, "give delete, patch or label");
  }
}

}  // namespace podwire::scenario
