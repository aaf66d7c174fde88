// Layers by hand: the dump is read once and shared by both sides.
#include "app/scenario/diff_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "app/scenario/git.hpp"
#include "app/scenario/pod_starts.hpp"
#include "models/cluster/objects.hpp"
#include "sim/base/text.hpp"

namespace podwire::scenario {
namespace {

namespace fs = std::filesystem;

/// What a node says, whatever the layout: members sorted, quotes and comments gone.
void append_content(config::Node node, std::string& text) {
  if (node.is_mapping()) {
    std::vector<config::Node> members;
    for (const config::Node member : node) {
      members.push_back(member);
    }
    std::sort(members.begin(), members.end(), [](config::Node a, config::Node b) { return a.key() < b.key(); });
    text += '{';
    for (const config::Node member : members) {
      text += fmt::format("{}:{}=", member.key().size(), member.key());
      append_content(member, text);
    }
    text += '}';
  } else if (node.is_sequence()) {
    text += '[';
    for (const config::Node item : node) {
      append_content(item, text);
      text += ',';
    }
    text += ']';
  } else {
    text += fmt::format("{}:{}{}", node.text().size(), node.text(), node.is_quoted() ? "s" : "");
  }
}

/// Objects of these kinds: what they are called and all that they say but status and bookkeeping.
std::vector<std::string> contents(const cluster::ObjectStore& store, const std::set<std::string>& kinds) {
  std::vector<std::string> texts;
  for (const cluster::Object& object : store.objects()) {
    if (!kinds.contains(object.kind)) {
      continue;
    }
    std::string text = fmt::format("{} {} ", object.api_version, object.full_name());
    const config::Node metadata = object.node.find("metadata");
    append_content(metadata.find("labels"), text);
    append_content(metadata.find("annotations"), text);
    for (const config::Node member : object.node) {
      if (member.key() != "metadata" && member.key() != "status") {
        text += fmt::format("{}:{}=", member.key().size(), member.key());
        append_content(member, text);
      }
    }
    texts.push_back(std::move(text));
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

/// Whether one of these (kind, namespace, name) owns the object.
bool has_owner(const cluster::Object& object,
               const std::set<std::tuple<std::string, std::string, std::string>>& governed) {
  for (const config::Node owner : object.node.find("metadata").find("ownerReferences")) {
    if (governed.contains(
            {std::string(owner.find("kind").text()), object.name_space, std::string(owner.find("name").text())})) {
      return true;
    }
  }
  return false;
}

class DiffLoader {
 public:
  DiffLoader(SourceMap& sources, const DiffSources& given, const LoadOptions& options)
      : sources_(sources), given_(given), options_(options) {}

  Result<DiffInput> load() {
    given_.scenario.empty() ? load_sides() : load_scenario();
    if (diagnostics_.has_errors()) {
      return Result<DiffInput>(std::move(diagnostics_));
    }
    return Result<DiffInput>(std::move(input_), std::move(diagnostics_));
  }

  Result<DiffInput> load_over(const std::vector<std::string>& pruned) {
    load_candidate(pruned);
    if (diagnostics_.has_errors()) {
      return Result<DiffInput>(std::move(diagnostics_));
    }
    return Result<DiffInput>(std::move(input_), std::move(diagnostics_));
  }

 private:
  /// The dump is `base`, the candidate the only side that says anything.
  void load_candidate(const std::vector<std::string>& pruned) {
    cluster::ObjectStore base;
    for (const std::string& word : given_.cluster) {
      add_path(base, word);
    }
    cluster::ObjectStore candidate;
    if (!add_side(candidate, given_.after)) {
      check_missing(true, {}, false, given_.after);
    }
    if (!diagnostics_.has_errors() && candidate.objects().empty()) {
      diagnostics_.error("no-candidate", fmt::format("\"{}\" holds no object", printable(given_.after)));
    }
    const std::set<std::string> spaces = pruned_namespaces(base, candidate, pruned);
    if (diagnostics_.has_errors()) {
      return;
    }
    cluster::ObjectStore left;
    left.add_layer(base, [&](const cluster::Object& object) {
      return !is_network_policy(object) || !spaces.contains(object.name_space) || candidate.has(object);
    });
    cluster::ObjectStore after = combined(left, candidate, {});
    input_.first = build(base, "");
    input_.second = build(after, given_.after);
    if (input_.first == nullptr || input_.second == nullptr) {
      return;
    }
    input_.before = &input_.first->policy_sets.front();
    input_.after = &input_.second->policy_sets.front();
    if (input_.before->cluster().pods.empty()) {
      diagnostics_.error(
          "no-workloads", "the dump has no pod, so no flow can be anybody's", {},
          "dump the cluster with `kubectl get ns,nodes,deploy,rs,sts,ds,jobs,cronjobs,po,svc,ep,netpol -A "
          "-o json`");
      return;
    }
    input_.pruned.assign(spaces.begin(), spaces.end());
    input_.pod_starts = pod_starts(base, input_.before->cluster());
    compare_unmodelled(base, after);
    compare_policies(base, after);
  }

  static bool is_network_policy(const cluster::Object& object) {
    return object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io";
  }

  std::set<std::string> pruned_namespaces(const cluster::ObjectStore& base, const cluster::ObjectStore& candidate,
                                          const std::vector<std::string>& pruned) {
    std::set<std::string> known;
    std::set<std::string> governed;
    for (const auto* const store : {&base, &candidate}) {
      for (const cluster::Object& object : store->objects()) {
        known.insert(object.kind == "Namespace" ? object.name : object.name_space);
        if (store == &candidate && is_network_policy(object)) {
          governed.insert(object.name_space);
        }
      }
    }
    std::set<std::string> chosen;
    for (const std::string& name : pruned) {
      if (name == "namespaces") {
        chosen.insert(governed.begin(), governed.end());
      } else if (known.contains(name)) {
        chosen.insert(name);
      } else {
        const std::vector<std::string_view> names(known.begin(), known.end());
        const std::string nearest = nearest_word(name, names);
        diagnostics_.error("unknown-namespace", fmt::format("no namespace \"{}\" to prune", printable(name)), {},
                           nearest.empty() ? "" : fmt::format("did you mean \"{}\"?", nearest));
      }
    }
    return chosen;
  }

  void load_scenario() {
    LoadOptions options = options_;
    options.policy_sets = {given_.before, given_.after};
    options.requires_scenario = true;
    auto scenario = scenario::load(sources_, {given_.scenario}, options);
    diagnostics_.append(scenario.diagnostics());
    if (!scenario) {
      return;
    }
    input_.first = std::make_unique<Scenario>(std::move(scenario).value());
    const auto plan_of = [&](const std::string& name) {
      const auto& plans = input_.first->policy_sets;
      return &*std::find_if(plans.begin(), plans.end(), [&](const PolicySetPlan& plan) { return plan.name == name; });
    };
    input_.before = plan_of(given_.before);
    input_.after = plan_of(given_.after);
    input_.unmodelled_differ = input_.before->state != input_.after->state;
  }

  void load_sides() {
    std::vector<std::string> words = given_.cluster;
    words.insert(words.end(), {given_.before, given_.after});
    if (std::count(words.begin(), words.end(), "-") > 1) {
      diagnostics_.error("two-inputs", "standard input can be one of the inputs, and here it is two");
      return;
    }
    cluster::ObjectStore base;
    for (const std::string& word : given_.cluster) {
      add_path(base, word);
    }
    cluster::ObjectStore before;
    cluster::ObjectStore after;
    const bool has_before = add_side(before, given_.before);
    const bool has_after = add_side(after, given_.after);
    check_missing(has_before, given_.before, has_after, given_.after);
    if (diagnostics_.has_errors()) {
      return;
    }
    cluster::ObjectStore old_side = combined(base, before, after);
    cluster::ObjectStore new_side = combined(base, after, before);
    input_.first = build(old_side, given_.before);
    input_.second = build(new_side, given_.after);
    if (input_.first == nullptr || input_.second == nullptr) {
      return;
    }
    input_.before = &input_.first->policy_sets.front();
    input_.after = &input_.second->policy_sets.front();
    check_workloads();
    compare_unmodelled(old_side, new_side);
    compare_policies(old_side, new_side);
    compare_routes(old_side, new_side);
  }

  config::FileAccess access_for(const std::string& word) const {
    config::FileAccess access;
    for (fs::path path : options_.allowed_paths) {
      access.roots.push_back(canonical(path));
    }
    access.roots.push_back(canonical(word));
    return access;
  }

  static fs::path canonical(const fs::path& path) {
    std::error_code error;
    fs::path result = fs::weakly_canonical(path, error);
    return error ? path : result;
  }

  void add_path(cluster::ObjectStore& store, const std::string& word) {
    if (word == "-") {
      store.add_layer(sources_, {.path = "-", .shown_as = "-", .text = options_.standard_input.value_or("")}, {},
                      diagnostics_);
      return;
    }
    std::error_code error;
    if (!fs::exists(word, error)) {
      diagnostics_.error("no-such-file", fmt::format("no file or folder \"{}\"", printable(word)), {},
                         given_.scenario.empty() && word.find('/') == std::string::npos
                             ? "policy sets are compared with -s SCENARIO OLD NEW, git revisions with REV:PATH"
                             : "");
      return;
    }
    if (fs::exists(fs::path(word) / "scenario.yaml", error)) {
      diagnostics_.error("not-manifests",
                         fmt::format("\"{}\" is a scenario, and its folder is no layer", printable(word)), {},
                         fmt::format("compare two of its policy sets with -s {} OLD NEW", printable(word)));
      return;
    }
    store.add_layer(sources_, {.path = word, .shown_as = word}, access_for(word), diagnostics_);
  }

  /// False when a revision has no such path, or a folder no manifest.
  bool add_side(cluster::ObjectStore& store, const std::string& word) {
    const auto git_path = parse_git_path(word);
    if (!git_path) {
      const std::size_t known = diagnostics_.all().size();
      add_path(store, word);
      const std::vector<Diagnostic>& all = diagnostics_.all();
      if (all.size() != known + 1 || all.back().code != "no-manifests" || given_.cluster.empty()) {
        return true;
      }
      Diagnostics before;  // what is wrong with an empty folder depends on the other side
      for (std::size_t i = 0; i < known; ++i) {
        before.add(all[i]);
      }
      diagnostics_ = std::move(before);
      return false;
    }
    auto files = read_git_files(*git_path, {}, diagnostics_);
    if (!files) {
      return true;
    }
    if (files->exists) {
      store.add_layer(sources_,
                      {.path = {}, .shown_as = word, .text = {}, .span = {}, .files = std::move(files->files)}, {},
                      diagnostics_);
    }
    return files->exists;
  }

  /// A path that only one of two revisions has is a folder made or removed between them, and an empty folder a side
  /// without objects where --cluster gives the rest; elsewhere either is a mistake.
  void check_missing(bool has_before, const std::string& before, bool has_after, const std::string& after) {
    const auto old_path = parse_git_path(before);
    const auto new_path = parse_git_path(after);
    const bool is_explained = has_before != has_after && old_path && new_path && old_path->path == new_path->path;
    for (const auto& [has, word] : {std::pair(has_before, before), std::pair(has_after, after)}) {
      if (has) {
        continue;
      }
      if (!parse_git_path(word)) {
        const std::string message = fmt::format("no manifest below \"{}\"", printable(word));
        if (has_before != has_after && !before.empty()) {
          diagnostics_.warning("no-manifests", message + "; that side is taken as empty");
        } else {
          diagnostics_.error("no-manifests", message);
        }
        continue;
      }
      const GitPath path = *parse_git_path(word);
      const std::string message = fmt::format("\"{}\": revision \"{}\" has no \"{}\"", printable(word),
                                              printable(path.revision), printable(path.path));
      if (is_explained) {
        diagnostics_.warning("unknown-path", message + "; that side is taken as empty");
      } else {
        diagnostics_.error("unknown-path", message, {},
                           "paths count from the top of the repository; write REV:./PATH to count from here");
      }
    }
  }

  /// `own` over what is left of `base`: what only `other` has is gone from it, and so is what the objects of either
  /// side own there, because the pods of a workload that a side names are those of its template.
  static cluster::ObjectStore combined(const cluster::ObjectStore& base, const cluster::ObjectStore& own,
                                       const cluster::ObjectStore& other) {
    std::set<std::tuple<std::string, std::string, std::string>> governed;
    std::set<const cluster::Object*> dropped;
    for (const cluster::Object& object : base.objects()) {
      if (own.has(object) || other.has(object)) {
        governed.insert({object.kind, object.name_space, object.name});
      }
      if (other.has(object) && !own.has(object)) {
        dropped.insert(&object);
      }
    }
    for (bool is_growing = !governed.empty(); is_growing;) {
      is_growing = false;
      for (const cluster::Object& object : base.objects()) {
        if (!own.has(object) && !dropped.contains(&object) && has_owner(object, governed)) {
          dropped.insert(&object);
          governed.insert({object.kind, object.name_space, object.name});
          is_growing = true;
        }
      }
    }
    cluster::ObjectStore store;
    store.add_layer(base, [&](const cluster::Object& object) { return !dropped.contains(&object); });
    store.add_layer(own, [](const cluster::Object&) { return true; });
    return store;
  }

  std::unique_ptr<Scenario> build(const cluster::ObjectStore& store, const std::string& word) {
    std::vector<std::string> shown = given_.cluster;
    if (!word.empty()) {
      shown.push_back(word);
    }
    auto scenario = load_objects(sources_, store, shown, options_);
    // What both sides have in common is reported once.
    for (const Diagnostic& diagnostic : scenario.diagnostics().all()) {
      if (reported_.insert({diagnostic.code, diagnostic.span, diagnostic.message}).second) {
        diagnostics_.add(diagnostic);
      }
    }
    return scenario ? std::make_unique<Scenario>(std::move(scenario).value()) : nullptr;
  }

  void check_workloads() {
    if (input_.before->cluster().pods.empty() && input_.after->cluster().pods.empty()) {
      diagnostics_.error("no-workloads", "neither side has a pod, so there is no connection to compare", {},
                         "give the rest of the cluster with --cluster DUMP (`kubectl get ns,nodes,deploy,sts,ds,po,svc "
                         "-A -o yaml`)");
    }
  }

  void compare_unmodelled(const cluster::ObjectStore& before, const cluster::ObjectStore& after) {
    std::set<std::string> kinds;
    for (const PolicySetPlan* const plan : {input_.before, input_.after}) {
      for (const cluster::UnmodelledObject& object : plan->cluster().unmodelled) {
        kinds.insert(object.kind);
      }
    }
    input_.unmodelled_differ = contents(before, kinds) != contents(after, kinds);
  }

  struct Written {
    std::string content;
    Span span;
    bool is_modelled = false;
  };

  /// Policies of one side by the name that results give them.
  static std::map<std::string, Written> policies_of(const cluster::ObjectStore& store) {
    std::map<std::string, Written> policies;
    for (const cluster::Object& object : store.objects()) {
      if (!object.kind.ends_with("Policy")) {
        continue;
      }
      const bool is_network_policy = object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io";
      const std::string name =
          object.name_space.empty() ? object.name : fmt::format("{}/{}", object.name_space, object.name);
      Written& written = policies[is_network_policy ? name : fmt::format("{} {}", object.kind, name)];
      append_content(object.node.find("spec"), written.content);
      written.span = object.span;
      written.is_modelled = is_network_policy || policy::is_admin_policy(object);
    }
    return policies;
  }

  void compare_policies(const cluster::ObjectStore& before, const cluster::ObjectStore& after) {
    using analysis::ChangeKind;
    using analysis::PolicyChange;
    const auto old_policies = policies_of(before);
    const auto new_policies = policies_of(after);
    std::map<std::string, PolicyChange> changes;
    for (const auto& [name, written] : old_policies) {
      const auto other = new_policies.find(name);
      if (other == new_policies.end()) {
        changes[name] = {.kind = ChangeKind::removed, .name = name, .before = written.span};
      } else if (other->second.content != written.content) {
        // Where the meaning differs too, analysis knows; where it does not, there is no effect.
        changes[name] = {.kind = ChangeKind::changed,
                         .name = name,
                         .before = written.span,
                         .after = other->second.span,
                         .effect = written.is_modelled ? PolicyChange::Effect::none : PolicyChange::Effect::not_tried};
      }
    }
    for (const auto& [name, written] : new_policies) {
      if (!old_policies.contains(name)) {
        changes[name] = {.kind = ChangeKind::added, .name = name, .before = {}, .after = written.span};
      }
    }
    for (auto& [name, change] : changes) {
      input_.rewritten.push_back(std::move(change));
    }
  }

  /// Objects that lead to pods: a difference of theirs is none between pods.
  void compare_routes(const cluster::ObjectStore& before, const cluster::ObjectStore& after) {
    const auto routes = [](const cluster::ObjectStore& store) {
      static const std::set<std::string, std::less<>> kKinds = {"Service", "Ingress", "HTTPRoute", "Gateway"};
      std::map<std::string, std::string> found;
      for (const cluster::Object& object : store.objects()) {
        if (kKinds.contains(object.kind)) {
          append_content(object.node.find("spec"),
                         found[fmt::format("{} {}/{}", object.kind, object.name_space, object.name)]);
        }
      }
      return found;
    };
    const std::map<std::string, std::string> old_routes = routes(before);
    const std::map<std::string, std::string> new_routes = routes(after);
    for (const auto& [name, content] : old_routes) {
      const auto other = new_routes.find(name);
      if (other == new_routes.end() || other->second != content) {
        input_.routes.push_back(fmt::format("{} {}", name, other == new_routes.end() ? "removed" : "changed"));
      }
    }
    for (const auto& [name, content] : new_routes) {
      if (!old_routes.contains(name)) {
        input_.routes.push_back(name + " added");
      }
    }
    std::sort(input_.routes.begin(), input_.routes.end());
  }

  SourceMap& sources_;
  const DiffSources& given_;
  const LoadOptions& options_;
  Diagnostics diagnostics_;
  std::set<std::tuple<std::string, Span, std::string>> reported_;  // of the two clusters
  DiffInput input_;
};

}  // namespace

Result<DiffInput> load_diff(SourceMap& sources, const DiffSources& given, const LoadOptions& options) {
  return DiffLoader(sources, given, options).load();
}

Result<DiffInput> load_candidate(SourceMap& sources, const CandidateSources& given, const LoadOptions& options) {
  const DiffSources sides{.before = {}, .after = given.candidate, .cluster = given.cluster, .scenario = {}};
  return DiffLoader(sources, sides, options).load_over(given.pruned);
}

}  // namespace podwire::scenario
