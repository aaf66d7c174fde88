#include "app/scenario/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "app/scenario/declared_workloads.hpp"
#include "app/scenario/detect_cni.hpp"
#include "app/scenario/kubernetes_version.hpp"
#include "app/scenario/names.hpp"
#include "app/scenario/policy_sets.hpp"
#include "app/scenario/resolve.hpp"
#include "models/cluster/objects.hpp"
#include "sim/base/text.hpp"
#include "sim/config/decompress.hpp"
#include "sim/config/files.hpp"

namespace podwire::scenario {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestScenario = 4 << 20;  // bytes; manifests may be larger, and are read once only
constexpr std::string_view kFileName = "scenario.yaml";

// One load in progress; what is finished goes into `scenario`.
class Loader {
 public:
  Loader(SourceMap& sources, const LoadOptions& options) : sources_(sources), options_(options) {}

  Result<Scenario> load(const std::vector<std::string>& paths) {
    for (const std::string& text : options_.settings) {
      settings_.add(sources_, text, diagnostics_);
    }
    const bool is_scenario = open_scenario(paths);
    if (!diagnostics_.has_errors() && !is_scenario) {
      open_manifests(paths);
    }
    // Problems of the scenario file do not hide those of the manifests, as long as it says where they are.
    if (scenario_.file != nullptr && !scenario_.file->cluster.from.empty()) {
      build();
    }
    if (diagnostics_.has_errors()) {
      return Result<Scenario>(std::move(diagnostics_));
    }
    return Result<Scenario>(std::move(scenario_), std::move(diagnostics_));
  }

  Result<Scenario> load_objects(const cluster::ObjectStore& store, const std::vector<std::string>& shown) {
    for (const std::string& text : options_.settings) {
      settings_.add(sources_, text, diagnostics_);
    }
    open_manifests({});
    scenario_.sources = shown;
    for (const std::string& text : shown) {
      scenario_.path += (scenario_.path.empty() ? "" : " + ") + text;
    }
    build_from(store);
    if (diagnostics_.has_errors()) {
      return Result<Scenario>(std::move(diagnostics_));
    }
    return Result<Scenario>(std::move(scenario_), std::move(diagnostics_));
  }

 private:
  bool open_scenario(const std::vector<std::string>& paths);
  void open_manifests(const std::vector<std::string>& paths);
  std::optional<config::Document> read_candidate(const std::string& path, bool is_certain);
  void apply_command_line();
  void add_steps();

  void build();
  void build_from(const cluster::ObjectStore& store);
  bool add_layers(cluster::ObjectStore& store, const std::vector<Text>& texts);
  void choose_profile(const cluster::ObjectStore& store, ClusterState& state);
  const ClusterState* state_for(const PolicySetFile& file, const cluster::ObjectStore& store);
  std::unique_ptr<ClusterState> build_state(const cluster::ObjectStore& store, const cluster::ClusterOptions& options);
  void plan_policy_set(const PolicySetFile& file, const cluster::ObjectStore& applied,
                       const cluster::ObjectStore& store, const policy::PolicySet& base);
  bool load_events(std::vector<std::string>& selected);
  void check_event_policies();
  void plan_events(const cluster::ObjectStore& store, const std::vector<const cluster::ObjectStore*>& applied);
  const cluster::Cluster* build_all_pods(const cluster::ObjectStore& base, const std::vector<cluster::LatePods>& late);

  SourceMap& sources_;
  const LoadOptions& options_;
  Settings settings_;
  Diagnostics diagnostics_;
  Scenario scenario_;
  fs::path root_;  // relative paths of the scenario resolve against it
  std::string root_as_written_;
  config::FileAccess access_;
  const ClusterState* without_policies_ = nullptr;  // for policy sets with base: none, where that differs
  std::set<std::size_t> reported_expectations_;
  bool reported_profile_ = false;
  std::optional<config::Document> document_;  // the scenario's: what the file keeps of it are nodes
  std::vector<LoadedEvent> events_;           // by time
};

fs::path canonical_or_same(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path : canonical;
}

std::optional<config::Document> Loader::read_candidate(const std::string& path, bool is_certain) {
  if (path == "-") {
    auto document = config::parse_text(sources_, "-", options_.standard_input.value_or(""));
    if (!document) {
      if (is_certain || options_.requires_scenario) {
        diagnostics_.append(document.diagnostics());
      }
      return std::nullopt;
    }
    return std::move(document).value();
  }
  std::error_code error;
  const bool is_packed = config::packing_of(path) != config::Packing::none;  // a dump; large, perhaps
  if (!is_certain && ((is_packed && !options_.requires_scenario) || fs::file_size(path, error) > kLargestScenario)) {
    return std::nullopt;
  }
  Diagnostics problems;
  auto document = config::read_file(sources_, path, path, {}, {}, problems);
  // What is no scenario is read again as manifests, and reported then.
  if (is_certain || options_.requires_scenario || document) {
    diagnostics_.append(problems);
  }
  return document;
}

bool Loader::open_scenario(const std::vector<std::string>& paths) {
  if (paths.size() != 1) {
    if (options_.requires_scenario) {
      diagnostics_.error("not-a-scenario", "one scenario at a time", {});
    }
    return false;
  }
  const fs::path given = paths.front();
  std::error_code error;
  const bool is_folder = paths.front() != "-" && fs::is_directory(given, error);
  if (paths.front() != "-" && !fs::exists(given, error)) {
    diagnostics_.error("no-such-file", fmt::format("no file or folder \"{}\"", printable(paths.front())));
    return false;
  }
  const fs::path path = is_folder ? given / kFileName : given;
  if (is_folder && !fs::exists(path, error)) {
    if (options_.requires_scenario) {
      diagnostics_.error("not-a-scenario",
                         fmt::format("folder \"{}\" holds no {}", printable(paths.front()), kFileName), {},
                         "`podwire reach` and `podwire explain` take plain manifests");
    }
    return false;
  }
  scenario_.path = path.string();
  document_ = read_candidate(path.string(), is_folder);
  const auto& document = document_;
  if (!document) {
    return false;
  }
  const auto& roots = document->roots();
  const bool is_scenario_file = std::any_of(roots.begin(), roots.end(), [](config::Node r) { return is_scenario(r); });
  if (!is_scenario_file && !is_folder && !options_.requires_scenario) {
    return false;
  }
  if (roots.size() != 1) {
    diagnostics_.error("not-a-scenario",
                       roots.empty() ? fmt::format("\"{}\" is empty", printable(scenario_.path))
                                     : "a scenario is the only document of its file",
                       roots.size() > 1 ? roots[1].span() : Span{});
    return false;
  }
  root_ = path == "-" ? fs::current_path(error) : canonical_or_same(path).parent_path();
  root_as_written_ = path.parent_path().string();
  access_.roots = {root_};
  for (const fs::path& allowed : options_.allowed_paths) {
    access_.roots.push_back(canonical_or_same(allowed));
  }
  scenario_.file = std::make_unique<ScenarioFile>(read_scenario_file(roots.front(), settings_, diagnostics_));
  settings_.finish(diagnostics_);
  apply_command_line();
  return true;
}

void Loader::open_manifests(const std::vector<std::string>& paths) {
  settings_.finish(diagnostics_);  // there is no scenario whose fields could be set
  scenario_.is_manifests = true;
  scenario_.path.clear();
  scenario_.file = std::make_unique<ScenarioFile>();
  scenario_.file->policy_sets.push_back({.name = "current"});
  scenario_.file->cluster.cni.profile.text = "auto";
  scenario_.file->cluster.options.adds_dns = options_.adds_dns;
  for (const std::string& path : paths) {
    scenario_.path += (scenario_.path.empty() ? "" : " ") + path;
    scenario_.file->cluster.from.push_back({path, {}});
    if (path != "-") {
      access_.roots.push_back(canonical_or_same(path));
    }
  }
  for (const fs::path& allowed : options_.allowed_paths) {
    access_.roots.push_back(canonical_or_same(allowed));
  }
  if (paths.size() > 1) {
    scenario_.path = fmt::format("{} inputs", paths.size());
  }
  apply_command_line();
}

void Loader::apply_command_line() {
  ScenarioFile& file = *scenario_.file;
  if (options_.cni) {
    file.cluster.cni = {.profile = {*options_.cni, {}}, .overrides = {}, .is_from_command_line = true};
  }
  if (options_.seeds) {
    file.run.seeds = *options_.seeds;
  }
  auto& ignored = file.cluster.options.ignored_kinds;
  ignored.insert(ignored.end(), options_.ignored_kinds.begin(), options_.ignored_kinds.end());
  scenario_.settings = settings_.texts();
  if (options_.is_probe) {
    add_steps();
  }
}

// A step's file is an event that applies it; what else it asks for is read with its objects. Steps are a second apart
// until whoever plays them knows better.
void Loader::add_steps() {
  ScenarioFile& file = *scenario_.file;
  file.events.clear();
  std::error_code error;
  for (const std::string& step : options_.steps) {
    EventFile& event = file.events.emplace_back();
    event.at = Duration::from_s(static_cast<std::int64_t>(file.events.size()));
    event.apply.push_back({scenario_.is_manifests ? step : fs::absolute(step, error).string(), {}});
    access_.roots.push_back(canonical_or_same(step));
  }
}

bool Loader::add_layers(cluster::ObjectStore& store, const std::vector<Text>& texts) {
  const std::size_t errors = diagnostics_.error_count();
  for (const Text& text : texts) {
    cluster::Layer layer{.path = text.text, .shown_as = text.text, .text = {}, .span = text.span};
    if (text.text == "-") {
      if (!options_.standard_input) {
        diagnostics_.error("bad-value", "standard input is not read here", text.span, "give - on the command line");
        continue;
      }
      layer.text = *options_.standard_input;
    } else if (!scenario_.is_manifests && layer.path.is_relative()) {
      layer.shown_as = (fs::path(root_as_written_) / layer.path).lexically_normal().string();
      layer.path = root_ / layer.path;
    }
    store.add_layer(sources_, layer, access_, diagnostics_);
  }
  scenario_.document_count += store.document_count();
  return diagnostics_.error_count() == errors;
}

void Loader::build() {
  check_names(*scenario_.file, options_.policy_sets, diagnostics_);
  cluster::ObjectStore store;
  add_layers(store, scenario_.file->cluster.from);
  for (const Text& text : scenario_.file->cluster.from) {
    scenario_.sources.push_back(text.text);
  }
  build_from(store);
  if (options_.keeps_objects) {
    scenario_.stores.push_back(std::make_unique<cluster::ObjectStore>(std::move(store)));
    for (PolicySetPlan& plan : scenario_.policy_sets) {
      plan.stores.insert(plan.stores.begin(), scenario_.stores.back().get());
    }
  }
}

void Loader::build_from(const cluster::ObjectStore& store) {
  for (const cluster::Object* object : store.all("podwire", "Scenario")) {
    diagnostics_.error("not-a-scenario", "a scenario cannot be combined with other inputs", object->span,
                       "give its file or folder alone");
  }
  if (!diagnostics_.has_errors() && store.objects().empty()) {
    diagnostics_.error("empty-input", fmt::format("\"{}\" holds no object", printable(scenario_.path)));
  }
  if (diagnostics_.has_errors()) {
    return;
  }
  // The policies that policy sets bring come first: labels that each pod has of its own are kept only where some
  // selector mentions them.
  struct Wanted {
    const PolicySetFile* file = nullptr;
    cluster::ObjectStore applied;
    bool is_complete = false;
  };
  std::vector<Wanted> wanted;
  std::vector<std::string>& selected = scenario_.file->cluster.options.selected_keys;
  for (const PolicySetFile& file : scenario_.file->policy_sets) {
    const auto& names = options_.policy_sets;
    if (names.empty() || std::find(names.begin(), names.end(), file.name) != names.end()) {
      Wanted& set = wanted.emplace_back();
      set.file = &file;
      set.is_complete = add_layers(set.applied, file.apply);
      const auto keys = cluster::selected_pod_keys(set.applied);
      selected.insert(selected.end(), keys.begin(), keys.end());
    }
  }
  const bool has_events = load_events(selected);
  auto base = policy::read_policies(store);
  diagnostics_.append(base.diagnostics());
  auto state = build_state(store, scenario_.file->cluster.options);
  if (!base || state == nullptr) {
    check_event_policies();
    return;
  }
  scenario_.clusters.push_back(std::move(state));
  expand_declared(*scenario_.file, *scenario_.clusters.front(), diagnostics_);
  std::vector<const cluster::ObjectStore*> applied;
  for (Wanted& set : wanted) {
    if (set.is_complete) {
      plan_policy_set(*set.file, set.applied, store, *base);
      applied.push_back(&set.applied);
      if (options_.keeps_objects) {
        scenario_.stores.push_back(std::make_unique<cluster::ObjectStore>(std::move(set.applied)));
        scenario_.policy_sets.back().stores = {scenario_.stores.back().get()};
        applied.back() = scenario_.stores.back().get();
      }
    }
  }
  if (has_events) {
    plan_events(store, applied);
  }
  for (PolicySetPlan& plan : scenario_.policy_sets) {
    plan.names = declared_names(plan, scenario_.file->cluster.externals);
    resolve_expectations(*scenario_.file, plan, reported_expectations_, diagnostics_);
  }
}

// Events of one time are taken in the file's order. Those of policy sets that are not played are not read.
bool Loader::load_events(std::vector<std::string>& selected) {
  auto& events = scenario_.file->events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    LoadedEvent& event = events_.emplace_back();
    event.file = &events[i];
    event.number = static_cast<std::uint32_t>(i);
    event.is_complete = add_layers(event.applied, events[i].apply);
    for (const cluster::Object* step : event.applied.all("podwire", "Step")) {
      read_step(step->node, events[i], diagnostics_);
    }
    if (event.is_complete && event.applied.objects().empty() && !events[i].apply.empty() && events[i].remove.empty() &&
        events[i].patches.empty() && events[i].labels.empty()) {
      const Text& from = events[i].apply.front();
      diagnostics_.error("empty-input", fmt::format("\"{}\" holds no object", printable(from.text)), from.span,
                         "give what is to be applied, or a document of kind Step that deletes, patches or labels");
    }
    const auto keys = cluster::selected_pod_keys(event.applied);
    selected.insert(selected.end(), keys.begin(), keys.end());
    for (const EventPatch& patch : events[i].patches) {
      const auto more = cluster::mentioned_pod_keys(patch.merge);
      selected.insert(selected.end(), more.begin(), more.end());
    }
  }
  std::stable_sort(events_.begin(), events_.end(),
                   [](const LoadedEvent& a, const LoadedEvent& b) { return a.file->at < b.file->at; });
  return !events_.empty();
}

// Where no timeline can be made: what is wrong with the policies that events bring.
void Loader::check_event_policies() {
  policy::PolicySet none;
  for (const LoadedEvent& event : events_) {
    for (const cluster::Object& object : event.applied.objects()) {
      if ((object.kind == "NetworkPolicy" && object.group() == "networking.k8s.io") ||
          policy::is_admin_policy(object)) {
        apply_policy(none, object, diagnostics_);
      }
    }
  }
}

/// `applied`: by policy set, what it lays over the layers.
void Loader::plan_events(const cluster::ObjectStore& store, const std::vector<const cluster::ObjectStore*>& applied) {
  std::vector<TimelineStart> starts;
  for (std::size_t s = 0; s < scenario_.policy_sets.size(); ++s) {
    const PolicySetPlan& plan = scenario_.policy_sets[s];
    const auto& files = scenario_.file->policy_sets;
    const auto file =
        std::find_if(files.begin(), files.end(), [&](const PolicySetFile& it) { return it.name == plan.name; });
    starts.push_back({.name = &plan.name,
                      .cluster = &plan.cluster(),
                      .policies = &plan.policies,
                      .applied = applied[s],
                      .namespaces = &file->namespaces,
                      .is_complete = plan.is_complete});
  }
  auto timelines = plan_timelines(
      sources_, events_, starts, store, [&](const auto& late) { return build_all_pods(store, late); }, diagnostics_);
  for (std::size_t s = 0; s < timelines.size(); ++s) {
    PolicySetPlan& plan = scenario_.policy_sets[s];
    plan.timeline = std::move(timelines[s]);
    if (plan.timeline == nullptr) {
      continue;
    }
    for (const workload::WorkloadSpec& spec : plan.workloads) {
      const auto file = std::find_if(scenario_.file->workloads.begin(), scenario_.file->workloads.end(),
                                     [&](const WorkloadFile& w) { return w.spec.name == spec.name; });
      workload::WorkloadSpec resolved = file->spec;
      Diagnostics repeated;  // reported for the state at the start
      const auto source = resolve_source(*plan.timeline->all, file->from, repeated);
      if (source) {
        resolved.from = *source;
      }
      if (!source || !resolve_target(*plan.timeline->all, *file, resolved, repeated)) {
        diagnostics_.append(repeated);  // what an event brings makes the name mean something else
        continue;
      }
      plan.timeline->workloads.push_back(std::move(resolved));
    }
  }
}

// Layers replace what stands in earlier ones: those of the events come first, so that an object that is there at the
// start is as it is then, and one that comes later as it first comes.
const cluster::Cluster* Loader::build_all_pods(const cluster::ObjectStore& base,
                                               const std::vector<cluster::LatePods>& late) {
  cluster::ObjectStore store;
  const std::size_t documents = scenario_.document_count;
  Diagnostics repeated;
  std::swap(repeated, diagnostics_);
  for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
    add_layers(store, event->file->apply);
  }
  add_layers(store, scenario_.file->cluster.from);
  scenario_.document_count = documents;
  auto built = cluster::build_union(store, base, scenario_.file->cluster.options, late);
  std::swap(repeated, diagnostics_);
  if (!built) {  // what is wrong with late objects; the others were accepted before
    diagnostics_.append(built.diagnostics());
    return nullptr;
  }
  scenario_.all_pods = std::make_unique<cluster::Cluster>(std::move(built).value());
  return scenario_.all_pods.get();
}

std::unique_ptr<ClusterState> Loader::build_state(const cluster::ObjectStore& store,
                                                  const cluster::ClusterOptions& options) {
  auto built = cluster::build_cluster(store, options);
  diagnostics_.append(built.diagnostics());
  if (!built) {
    return nullptr;
  }
  auto state = std::make_unique<ClusterState>();
  state->cluster = std::move(built).value();
  state->kubelet_versions = kubelet_versions(store);
  const std::size_t errors = diagnostics_.error_count();
  state->entry_points = analysis::read_entry_points(store, state->cluster, diagnostics_);
  const auto& workloads = scenario_.file->workloads;
  if (options_.reads_declared ||
      std::any_of(workloads.begin(), workloads.end(), [](const WorkloadFile& w) { return w.is_declared; })) {
    state->declared = read_declared(store, state->cluster, scenario_.file->cluster.externals);
  }
  choose_profile(store, *state);
  return diagnostics_.error_count() == errors && !state->profile.name.empty() ? std::move(state) : nullptr;
}

void Loader::choose_profile(const cluster::ObjectStore& store, ClusterState& state) {
  const CniChoice& cni = scenario_.file->cluster.cni;
  std::string name = cni.profile.text;
  const auto assume = [&](std::string text) { state.cluster.assumptions.push_back({"cni", std::move(text)}); };
  if (name == "auto") {
    const DetectedCni detected = detect_cni(store);
    name = detected.profile;
    if (detected.plugin.empty()) {
      state.cni_choice = "assumed: the cluster's objects show no network plugin";
      assume("no network plugin found: policies are enforced as the API specifies (profile spec)");
    } else if (detected.has_profile) {
      state.cni_choice = fmt::format("detected from {}", detected.evidence);
      if (!detected.version.empty()) {
        name += "@" + detected.version;
      } else {
        assume(fmt::format("{} of unknown version is like profile {}", detected.plugin, name));
      }
    } else {
      state.cni_choice =
          fmt::format("assumed: {} detected from {} has no profile yet", detected.plugin, detected.evidence);
      assume(fmt::format("{} has no profile yet: policies are enforced as the API specifies (profile spec)",
                         detected.plugin));
    }
  } else if (cni.is_from_command_line) {
    state.cni_choice = "named by --cni";
  } else {
    state.cni_choice = fmt::format("named in {}", sources_.file_and_line(cni.profile.span));
  }
  auto candidates = cni::load_candidates(name, cni.overrides, cni.profile.span);
  // A problem would be reported once for each policy set's cluster.
  if (!reported_profile_) {
    diagnostics_.append(candidates.diagnostics());
    reported_profile_ = true;
  }
  if (!candidates) {
    return;
  }
  if (!candidates->note.empty()) {
    assume(candidates->profiles.size() == 1 ? candidates->note
                                            : fmt::format("{}; it is judged under both, and played as {}",
                                                          candidates->note, candidates->profiles.front().name));
  }
  state.profile = std::move(candidates->profiles.front());
  state.others.assign(std::make_move_iterator(candidates->profiles.begin() + 1),
                      std::make_move_iterator(candidates->profiles.end()));
}

// Policies of kinds that are not modelled make verdicts unknown; `base: none` takes them away with the others.
const ClusterState* Loader::state_for(const PolicySetFile& file, const cluster::ObjectStore& store) {
  const ClusterState* shared = scenario_.clusters.front().get();
  if (file.starts_from_cluster) {
    return shared;
  }
  cluster::ClusterOptions options = scenario_.file->cluster.options;
  const std::size_t before = options.ignored_kinds.size();
  for (const cluster::UnmodelledObject& object : shared->cluster.unmodelled) {
    if (object.kind.ends_with("Policy") && std::find(options.ignored_kinds.begin(), options.ignored_kinds.end(),
                                                     object.kind) == options.ignored_kinds.end()) {
      options.ignored_kinds.push_back(object.kind);
    }
  }
  if (options.ignored_kinds.size() == before) {
    return shared;
  }
  if (without_policies_ == nullptr) {
    if (auto state = build_state(store, options)) {
      without_policies_ = state.get();
      scenario_.clusters.push_back(std::move(state));
    }
  }
  return without_policies_ == nullptr ? shared : without_policies_;
}

void Loader::plan_policy_set(const PolicySetFile& file, const cluster::ObjectStore& applied,
                             const cluster::ObjectStore& store, const policy::PolicySet& base) {
  PolicySetPlan plan{.name = file.name, .state = state_for(file, store)};
  Diagnostics problems;
  plan.policies = compose_policies(file, base, applied, plan.cluster(), problems);
  plan.is_complete = std::none_of(problems.all().begin(), problems.all().end(), [](const Diagnostic& problem) {
    return problem.severity == Severity::error && problem.code != "unknown-object";
  });
  diagnostics_.append(problems);
  // Every cluster has the same pods: problems of names are reported for the first policy set only.
  if (scenario_.policy_sets.empty()) {
    resolve_workloads(*scenario_.file, plan, diagnostics_);
  } else {
    plan.workloads = scenario_.policy_sets.front().workloads;
  }
  scenario_.policy_sets.push_back(std::move(plan));
}

}  // namespace

Result<Scenario> load(SourceMap& sources, const std::vector<std::string>& paths, const LoadOptions& options) {
  return Loader(sources, options).load(paths);
}

Result<Scenario> load_objects(SourceMap& sources, const cluster::ObjectStore& store,
                              const std::vector<std::string>& shown, const LoadOptions& options) {
  return Loader(sources, options).load_objects(store, shown);
}

}  // namespace podwire::scenario
