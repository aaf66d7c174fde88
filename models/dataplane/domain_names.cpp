#include "models/dataplane/domain_names.hpp"

#include <algorithm>

namespace podwire::dataplane {

std::vector<std::string> DomainNames::patterns_of(const policy::PolicySet& policies) {
  std::vector<std::string> patterns;
  for (const policy::AdminPolicy& policy : policies.admin_policies) {
    for (const policy::AdminRule& rule : policy.egress) {
      for (const policy::AdminPeer& peer : rule.peers) {
        patterns.insert(patterns.end(), peer.domain_names.begin(), peer.domain_names.end());
      }
    }
  }
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  return patterns;
}

DomainNames::DomainNames(std::vector<std::string> patterns, std::uint32_t machines)
    : patterns_(std::move(patterns)), known_(machines) {}

void DomainNames::see(std::uint16_t machine, std::string_view name, std::span<const IpAddress> addresses, Time until) {
  const bool is_wanted = machine < known_.size() &&
                         std::any_of(patterns_.begin(), patterns_.end(),
                                     [&](const std::string& pattern) { return policy::domain_matches(pattern, name); });
  if (!is_wanted) {
    return;
  }
  for (const IpAddress& address : addresses) {
    Time& known = known_[machine].try_emplace({std::string(name), address}, until).first->second;
    known = std::max(known, until);
  }
}

policy::PolicyEngine& DomainNames::engine(const control::View& state, std::uint16_t machine, Time now) {
  Content content;
  if (machine < known_.size()) {
    std::erase_if(known_[machine], [now](const auto& entry) { return entry.second <= now; });
    for (const auto& [pair, until] : known_[machine]) {
      content.insert(pair);
    }
  }
  Compiled& compiled = compiled_[{&state.engine->cluster(), &state.engine->policies(), content}];
  if (compiled.engine == nullptr) {
    for (const auto& [name, address] : content) {
      if (compiled.table.entries.empty() || compiled.table.entries.back().name != name) {
        compiled.table.entries.push_back({.name = name, .addresses = {}});
      }
      compiled.table.entries.back().addresses.push_back(address);
    }
    compiled.engine = std::make_unique<policy::PolicyEngine>(state.engine->cluster(), state.engine->policies(),
                                                             state.engine->profile(), &compiled.table);
  }
  return *compiled.engine;
}

}  // namespace podwire::dataplane
