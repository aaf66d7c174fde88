#include "models/workload/learning.hpp"

namespace podwire::workload {

dataplane::DomainNames domain_names(const policy::PolicyEngine& engine, const control::TimelineInput* timeline) {
  std::vector<std::string> patterns = dataplane::DomainNames::patterns_of(engine.policies());
  if (timeline != nullptr) {
    for (const control::View& view : timeline->views) {
      const policy::PolicySet& policies = view.policies != nullptr ? *view.policies : view.engine->policies();
      const auto more = dataplane::DomainNames::patterns_of(policies);
      patterns.insert(patterns.end(), more.begin(), more.end());
    }
  }
  return {std::move(patterns), static_cast<std::uint32_t>(engine.cluster().nodes.size())};
}

NameLearning::NameLearning(des::Simulator& simulator, const dataplane::Network& network, dns::Resolver& resolver,
                           dataplane::DomainNames& names)
    : simulator_(simulator), network_(network), names_(names) {
  if (names.is_needed()) {
    resolver.on_heard<&NameLearning::on_heard>(*this);
  }
}

void NameLearning::on_heard(const dns::Resolver::Heard& heard) {
  names_.see(network_.machine_of(heard.client), heard.name, heard.addresses, simulator_.now() + heard.ttl);
}

}  // namespace podwire::workload
