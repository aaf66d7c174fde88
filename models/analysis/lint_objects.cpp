// Rules about objects that name others: service-selects-nothing, role-binding-dangling. Roles and their bindings are
// read here, from the objects as written: nothing else in podwire needs them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "models/analysis/lint_context.hpp"
#include "sim/base/text.hpp"

namespace podwire::analysis {
namespace {

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";
// ClusterRoles of every cluster (kubernetes.io, "Default roles and role bindings"), beside those that begin with
// system:.
constexpr std::array<std::string_view, 4> kBuiltInRoles = {"cluster-admin", "admin", "edit", "view"};

void service_selects_nothing(LintContext& context) {
  const cluster::Cluster& cluster = context.cluster;
  for (std::size_t s = 0; s < cluster.services.size(); ++s) {
    const cluster::Service& service = cluster.services[s];
    if (!service.selector || service.is_added || !context.has_pods ||
        service.type == cluster::ServiceType::external_name || service.selector->matches_everything()) {
      continue;
    }
    const std::vector<PodKind>& kinds = context.kinds_in(service.name_space);
    const bool is_found = kinds.empty() || context.matches_template(*service.selector, service.name_space) ||
                          std::any_of(kinds.begin(), kinds.end(),
                                      [&](const PodKind& k) { return context.is_matched(*service.selector, k); });
    if (is_found) {
      continue;
    }
    std::vector<std::string> seen;
    for (const PodKind& kind : kinds) {
      std::string text = labels_text(cluster, cluster.shapes[kind.shape.index()].labels);
      if (std::find(seen.begin(), seen.end(), text) == seen.end()) {
        seen.push_back(std::move(text));
      }
    }
    const Span span = service.selector->span.is_known() ? service.selector->span : service.span;
    context.add("service-selects-nothing",
                fmt::format("{}/service/{}", context.name_of(service.name_space), service.name), span,
                fmt::format("no pod of {} has {}: Service {} has no endpoint", context.name_of(service.name_space),
                            service.selector->to_string(), cluster.service_name(cluster::ServiceId(s))),
                fmt::format("the pods there have {}", listed(seen)));
  }
}

class Bindings {
 public:
  explicit Bindings(LintContext& context)
      : context_(context), has_cluster_roles_(!context.objects_of(kRbac, "ClusterRole").empty()) {}

  void run() {
    for (const std::string_view kind : {"RoleBinding", "ClusterRoleBinding"}) {
      for (const cluster::Object* object : context_.objects_of(kRbac, kind)) {
        role(*object);
        for (const config::Node subject : object->node.find("subjects")) {
          account(*object, subject);
        }
      }
    }
  }

 private:
  void role(const cluster::Object& binding) {
    const config::Node ref = binding.node.find("roleRef");
    const std::string name(ref.find("name").text());
    const std::string_view kind = ref.find("kind").text();
    if (name.empty()) {
      return;
    }
    if (kind == "Role" && !binding.name_space.empty()) {
      if (context_.find_object(fmt::format("{}/role/{}", binding.name_space, name)) == nullptr) {
        add(binding, ref.find("name"), fmt::format("there is no Role {} in {}", name, binding.name_space),
            nearest("role", binding.name_space, name));
      }
    } else if (kind == "ClusterRole" && has_cluster_roles_ && !name.starts_with("system:") &&
               std::find(kBuiltInRoles.begin(), kBuiltInRoles.end(), name) == kBuiltInRoles.end() &&
               context_.find_object("clusterrole/" + name) == nullptr) {
      add(binding, ref.find("name"), fmt::format("there is no ClusterRole {}", name), nearest("clusterrole", "", name));
    }
  }

  void account(const cluster::Object& binding, config::Node subject) {
    const std::string name(subject.find("name").text());
    if (subject.find("kind").text() != "ServiceAccount" || name.empty() || name == "default") {
      return;
    }
    const std::string where(subject.find("namespace").text());
    if (where.empty()) {
      add(binding, subject,
          fmt::format("the ServiceAccount {} is named without its namespace, which is required", name),
          "add `namespace: …`");
      return;
    }
    // Accounts of the system come with the cluster.
    const bool is_judged =
        !LintContext::is_system_namespace(where) && (where == binding.name_space || is_in_input(where, name));
    if (is_judged && context_.find_object(fmt::format("{}/serviceaccount/{}", where, name)) == nullptr) {
      add(binding, subject.find("name"), fmt::format("there is no ServiceAccount {} in {}", name, where),
          nearest("serviceaccount", where, name));
    }
  }

  /// Whether the input says anything about what lives in a namespace, or has an account of this name elsewhere: what
  /// another repository holds is not missed here.
  bool is_in_input(const std::string& where, const std::string& account) const {
    return std::any_of(context_.objects().begin(), context_.objects().end(),
                       [&](const auto& entry) {
                         const cluster::Object& object = *entry.second;
                         const bool is_account = object.kind == "ServiceAccount";
                         return (object.name_space == where && (is_account || object.kind == "Service")) ||
                                (is_account && object.name == account);
                       }) ||
           has_pods(where);
  }

  bool has_pods(const std::string& where) const {
    const cluster::NamespaceId id = context_.cluster.find_namespace(where);
    return id.is_valid() && !context_.kinds_in(id).empty();
  }

  /// "did you mean …", over the objects of one kind, in any namespace.
  std::string nearest(std::string_view kind, std::string_view where, const std::string& name) const {
    std::vector<std::string_view> names;
    const std::string middle = fmt::format("/{}/", kind);
    for (const auto& [full_name, object] : context_.objects()) {
      const bool is_kind =
          kind == "clusterrole" ? full_name.starts_with("clusterrole/") : full_name.find(middle) != std::string::npos;
      if (!is_kind) {
        continue;
      }
      if (object->name == name) {
        return fmt::format("there is one in {}", object->name_space);
      }
      if (object->name_space == where) {
        names.push_back(object->name);
      }
    }
    const std::string word = nearest_word(name, names);
    if (!word.empty()) {
      return fmt::format("did you mean {}?", word);
    }
    return names.empty()
               ? "add it to the input, or delete the binding"
               : fmt::format("{} has {}", where.empty() ? "the cluster" : where, listed({names.begin(), names.end()}));
  }

  void add(const cluster::Object& binding, config::Node where, const std::string& message, std::string remedy) {
    context_.add("role-binding-dangling", binding.full_name(), where.is_null() ? binding.span : where.span(),
                 fmt::format("{}: the binding grants nothing", message), std::move(remedy));
  }

  LintContext& context_;
  bool has_cluster_roles_;
};

}  // namespace

void lint_objects(LintContext& context) {
  service_selects_nothing(context);
  Bindings(context).run();
}

}  // namespace podwire::analysis
