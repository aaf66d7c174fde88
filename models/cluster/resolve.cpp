// From what a user typed to what it stands for.
//
// Forms: `namespace/kind/name` with any of kubectl's names for the kind, `namespace/name`, `namespace/name[Kind]` as
// podwire prints workloads, and addresses. A name that fits several things is an error that lists them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "models/cluster/cluster.hpp"
#include "models/cluster/kinds.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::size_t kMostCandidates = 8;

std::string_view word_of(WorkloadKind kind) {
  return find_kind_by_word(to_string(kind))->singular;
}

class Resolver {
 public:
  Resolver(const Cluster& cluster, std::string_view text, Span span, Diagnostics& diagnostics)
      : cluster_(cluster), text_(text), span_(span), diagnostics_(diagnostics) {}

  std::optional<NamedTarget> run(bool prefers_workloads) {
    if (const auto ip = IpAddress::parse(text_)) {
      return at_address(*ip);
    }
    std::vector<std::string_view> parts;
    std::string_view rest = text_;
    while (true) {
      const std::size_t slash = rest.find('/');
      parts.push_back(rest.substr(0, slash));
      if (slash == std::string_view::npos) {
        break;
      }
      rest.remove_prefix(slash + 1);
    }
    const bool has_empty = std::ranges::any_of(parts, [](std::string_view part) { return part.empty(); });
    if (has_empty || parts.size() < 2 || parts.size() > 3) {
      return fail("bad-name", fmt::format("\"{}\" is no name of an object", printable(text_)),
                  "write namespace/kind/name, namespace/name or an address");
    }
    name_space_ = cluster_.find_namespace(parts[0]);
    if (!name_space_.is_valid()) {
      return unknown_namespace(parts);
    }
    return parts.size() == 3 ? by_kind(parts[1], parts[2]) : by_name(parts[1], prefers_workloads);
  }

 private:
  std::optional<NamedTarget> fail(std::string code, std::string message, std::string help) {
    diagnostics_.add({.code = std::move(code), .message = std::move(message), .span = span_, .help = std::move(help)});
    return std::nullopt;
  }

  std::optional<NamedTarget> at_address(IpAddress ip) const {
    if (const ServiceId service = cluster_.service_at(ip); service.is_valid()) {
      return of_service(service);
    }
    NamedTarget target{.kind = NamedTarget::Kind::address, .pod = cluster_.pod_at(ip), .address = ip};
    if (target.pod.is_valid()) {
      target.workload = cluster_.pods[target.pod.index()].workload;
    }
    return target;
  }

  NamedTarget of_workload(WorkloadId id) const { return {.kind = NamedTarget::Kind::workload, .workload = id}; }

  NamedTarget of_pod(PodId id) const {
    const Pod& pod = cluster_.pods[id.index()];
    return {.kind = NamedTarget::Kind::pod, .workload = pod.workload, .pod = id, .address = pod.ip};
  }

  NamedTarget of_service(ServiceId id) const {
    return {.kind = NamedTarget::Kind::service, .service = id, .address = cluster_.services[id.index()].cluster_ip};
  }

  std::optional<NamedTarget> unknown_namespace(const std::vector<std::string_view>& parts) {
    std::vector<std::string_view> names;
    for (const Namespace& n : cluster_.namespaces) {
      names.push_back(n.name);
    }
    const std::string near = nearest_word(parts[0], names);
    std::string help = near.empty() ? fmt::format("{} namespaces: {}", names.size(), shortened(names))
                                    : fmt::format("did you mean \"{}\"?", near);
    if (find_kind_by_word(parts[0]) != nullptr) {
      help = fmt::format("the namespace comes first: namespace/{}/{}", parts[0], parts[1]);
    }
    return fail("unknown-object",
                fmt::format("there is no namespace \"{}\" (in \"{}\")", printable(parts[0]), printable(text_)),
                printable(help));
  }

  static std::string shortened(const std::vector<std::string_view>& names) {
    const std::size_t shown = std::min(names.size(), kMostCandidates);
    return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                       shown < names.size() ? ", …" : "");
  }

  std::optional<NamedTarget> by_kind(std::string_view word, std::string_view name) {
    const KindInfo* kind = find_kind_by_word(word);
    const bool is_service = kind != nullptr && kind->kind == "Service";
    const auto workload = kind == nullptr ? std::nullopt : workload_kind(kind->kind);
    if (!workload && !is_service) {
      return fail("bad-name", fmt::format("\"{}\" is no kind of workload, pod or Service", printable(word)),
                  "one of deployment, replicaset, statefulset, daemonset, job, cronjob, replicationcontroller, pod, "
                  "service, or a short name of kubectl");
    }
    if (is_service) {
      if (const ServiceId id = cluster_.find_service(name_space_, name); id.is_valid()) {
        return of_service(id);
      }
      return unknown(name);
    }
    if (const WorkloadId id = cluster_.find_workload(name_space_, *workload, name); id.is_valid()) {
      return of_workload(id);
    }
    if (*workload == WorkloadKind::pod) {
      if (const PodId id = cluster_.find_pod(name_space_, name); id.is_valid()) {
        return of_pod(id);
      }
    }
    return unknown(name);
  }

  std::optional<NamedTarget> by_name(std::string_view name, bool prefers_workloads) {
    const std::size_t bracket = name.find('[');
    if (bracket != std::string_view::npos && name.back() == ']') {
      return by_kind(name.substr(bracket + 1, name.size() - bracket - 2), name.substr(0, bracket));
    }
    std::vector<NamedTarget> workloads;
    for (int kind = 0; kind <= static_cast<int>(WorkloadKind::pod); ++kind) {
      const WorkloadId id = cluster_.find_workload(name_space_, static_cast<WorkloadKind>(kind), name);
      if (id.is_valid()) {
        workloads.push_back(of_workload(id));
      }
    }
    std::vector<NamedTarget> others;
    const PodId pod = cluster_.find_pod(name_space_, name);
    // A bare pod is its own workload; a workload's own pod of that very name is the workload.
    const bool is_own = pod.is_valid() && std::ranges::any_of(workloads, [&](const NamedTarget& t) {
                          return t.workload == cluster_.pods[pod.index()].workload;
                        });
    if (pod.is_valid() && !is_own) {
      others.push_back(of_pod(pod));
    }
    if (const ServiceId id = cluster_.find_service(name_space_, name); id.is_valid()) {
      others.push_back(of_service(id));
    }
    if (prefers_workloads && workloads.size() == 1) {
      return workloads.front();
    }
    std::vector<NamedTarget> all = prefers_workloads && !workloads.empty() ? workloads : others;
    if (!prefers_workloads) {
      all.insert(all.begin(), workloads.begin(), workloads.end());
    }
    if (all.size() == 1) {
      return all.front();
    }
    return all.empty() ? unknown(name) : ambiguous(all);
  }

  std::string shown(const NamedTarget& target) const {
    const std::string& name_space = cluster_.namespaces[name_space_.index()].name;
    switch (target.kind) {
      case NamedTarget::Kind::workload: {
        const Workload& w = cluster_.workloads[target.workload.index()];
        return fmt::format("{}/{}/{}", name_space, word_of(w.kind), w.name);
      }
      case NamedTarget::Kind::pod:
        return fmt::format("{}/pod/{}", name_space, cluster_.pod_name(target.pod));
      default:
        return fmt::format("{}/service/{}", name_space, cluster_.services[target.service.index()].name);
    }
  }

  std::optional<NamedTarget> ambiguous(const std::vector<NamedTarget>& targets) {
    std::vector<std::string> names;
    for (const NamedTarget& target : targets) {
      names.push_back(shown(target));
    }
    return fail("ambiguous-name", fmt::format("\"{}\" names {} objects", printable(text_), targets.size()),
                printable(fmt::format("write one of {}", fmt::join(names, ", "))));
  }

  // The nearest names of the namespace; the same name elsewhere, if there is nothing near.
  std::optional<NamedTarget> unknown(std::string_view name) {
    std::vector<std::string_view> names;
    std::string elsewhere;
    for (const Workload& w : cluster_.workloads) {
      if (w.name_space == name_space_) {
        names.push_back(w.name);
      } else if (w.name == name && elsewhere.empty()) {
        elsewhere = fmt::format("{}/{}/{}", cluster_.namespaces[w.name_space.index()].name, word_of(w.kind), w.name);
      }
    }
    for (const Service& s : cluster_.services) {
      if (s.name_space == name_space_) {
        names.push_back(s.name);
      } else if (s.name == name && elsewhere.empty()) {
        elsewhere = fmt::format("{}/service/{}", cluster_.namespaces[s.name_space.index()].name, s.name);
      }
    }
    std::ranges::sort(names);
    const auto repeated = std::unique(names.begin(), names.end());
    names.erase(repeated, names.end());
    const std::string near = nearest_word(name, names);
    const std::string exact = std::ranges::binary_search(names, name) ? std::string(name) : near;
    std::string help = !exact.empty() ? fmt::format("did you mean \"{}\"?", exact == name ? other_kinds(name) : exact)
                       : !elsewhere.empty() ? fmt::format("there is {}", elsewhere)
                       : names.empty()      ? "the namespace holds no workloads and no Services"
                                            : fmt::format("the namespace holds {}", shortened(names));
    return fail("unknown-object",
                fmt::format("there is no \"{}\" in namespace \"{}\" (in \"{}\")", printable(name),
                            cluster_.namespaces[name_space_.index()].name, printable(text_)),
                printable(help));
  }

  // The name exists under another kind.
  std::string other_kinds(std::string_view name) const {
    for (int kind = 0; kind <= static_cast<int>(WorkloadKind::pod); ++kind) {
      const WorkloadId id = cluster_.find_workload(name_space_, static_cast<WorkloadKind>(kind), name);
      if (id.is_valid()) {
        return shown(of_workload(id));
      }
    }
    return shown(of_service(cluster_.find_service(name_space_, name)));
  }

  const Cluster& cluster_;
  std::string_view text_;
  Span span_;
  Diagnostics& diagnostics_;
  NamespaceId name_space_;
};

}  // namespace

std::optional<NamedTarget> resolve_name(const Cluster& cluster, std::string_view text, bool prefers_workloads,
                                        Span span, Diagnostics& diagnostics) {
  return Resolver(cluster, text, span, diagnostics).run(prefers_workloads);
}

}  // namespace podwire::cluster
