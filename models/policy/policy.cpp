// What policies say of themselves: names, order, and which domain names a pattern means.
#include "models/policy/policy.hpp"

#include <algorithm>
#include <cctype>
#include <tuple>

namespace podwire::policy {

namespace {

std::string_view without_final_dot(std::string_view name) {
  return name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

std::string_view to_string(Direction direction) {
  return direction == Direction::ingress ? "ingress" : "egress";
}

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::none:
      return "";
    case Tier::admin:
      return "admin";
    case Tier::network_policy:
      return "NetworkPolicy";
    case Tier::baseline:
      return "baseline";
  }
  return "";
}

std::string_view to_string(AdminKind kind) {
  switch (kind) {
    case AdminKind::admin_network_policy:
      return "AdminNetworkPolicy";
    case AdminKind::baseline_admin_network_policy:
      return "BaselineAdminNetworkPolicy";
    case AdminKind::cluster_network_policy:
      return "ClusterNetworkPolicy";
  }
  return "";
}

std::string_view to_string(RuleAction action, AdminKind kind) {
  switch (action) {
    case RuleAction::allow:
      return kind == AdminKind::cluster_network_policy ? "Accept" : "Allow";
    case RuleAction::deny:
      return "Deny";
    case RuleAction::pass:
      return "Pass";
  }
  return "";
}

std::string AdminPolicy::full_name() const {
  switch (kind) {
    case AdminKind::admin_network_policy:
      return "adminnetworkpolicy/" + name;
    case AdminKind::baseline_admin_network_policy:
      return "baselineadminnetworkpolicy/" + name;
    case AdminKind::cluster_network_policy:
      return "clusternetworkpolicy/" + name;
  }
  return name;
}

bool precedes(const AdminPolicy& a, const AdminPolicy& b) {
  return std::tie(a.tier, a.priority, a.name, a.kind) < std::tie(b.tier, b.priority, b.name, b.kind);
}

bool DomainTable::resolves(const std::vector<std::string>& patterns) const {
  return is_complete || std::all_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
           return std::any_of(entries.begin(), entries.end(),
                              [&](const Entry& entry) { return domain_matches(pattern, entry.name); });
         });
}

bool domain_matches(std::string_view pattern, std::string_view name) {
  pattern = without_final_dot(pattern);
  name = without_final_dot(name);
  if (!pattern.starts_with("*.")) {
    return equals_ignoring_case(pattern, name);
  }
  const std::string_view suffix = pattern.substr(1);  // ".example.org"
  return name.size() > suffix.size() && name.front() != '.' &&
         equals_ignoring_case(name.substr(name.size() - suffix.size()), suffix);
}

}  // namespace podwire::policy
