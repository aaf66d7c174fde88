// The objects of one policy set as its events so far have left them, so that a patch has something to be laid over.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "app/scenario/events.hpp"

namespace podwire::scenario {

class EventObjects {
 public:
  /// All of it outlives this.
  EventObjects(SourceMap& sources, const TimelineStart& start, const cluster::ObjectStore& base)
      : sources_(sources), start_(start), base_(base) {}

  void put(const cluster::Object& object);
  /// By a name as `delete` writes it; what it does not understand is left to others.
  void remove(std::string_view name);
  /// The object with a merge patch over it, which becomes what it is from now on; null and a problem when there is no
  /// such object or the patch makes another one of it. Errors: unknown-object, bad-patch, and what reading reports.
  const cluster::Object* patch(const EventPatch& patch, Diagnostics& problems);
  /// Notes what `label` did, for the patches after it. Pods that no object of their own brought are left to others.
  void relabel(const EventLabels& labels);
  /// Whether a namespace was deleted and has not been applied again since.
  bool is_gone(std::string_view name_space) const {
    return gone_namespaces_.find(name_space) != gone_namespaces_.end();
  }

 private:
  /// `target` with `merge` over it becomes what it is from now on. `done`: "patched".
  const cluster::Object* lay_over(const std::string& full_name, const cluster::Object& target, config::Node merge,
                                  std::string_view done, Span where, Diagnostics& problems);
  const cluster::Object* find(const std::string& full_name) const;
  /// What the set stamps into the namespace of this name, or null.
  const cluster::Object* find_stamped(const std::string& full_name) const;

  SourceMap& sources_;
  const TimelineStart& start_;
  const cluster::ObjectStore& base_;
  std::map<std::string, const cluster::Object*> now_;   // by full name: applied or patched; null: deleted
  std::set<std::string> deleted_namespaces_;            // ever: what was in them does not come back
  std::set<std::string, std::less<>> gone_namespaces_;  // and not applied again
  std::deque<cluster::ObjectStore> patched_;            // hold the texts of
  std::deque<cluster::Object> objects_;                 // these
  std::deque<config::Document> merges_;                 // of labels
};

}  // namespace podwire::scenario
