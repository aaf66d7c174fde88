#include "models/policy/view.hpp"

#include <algorithm>

namespace podwire::policy {

void PodPages::start(std::size_t count) {
  count_ = count;
  owned_.clear();
  pages_.clear();
  for (std::size_t first = 0; first < count; first += kPage) {
    owned_.push_back(std::make_unique<Page>());
    pages_.push_back(owned_.back().get());
  }
}

void PodPages::follow(const PodPages& before) {
  count_ = before.count_;
  pages_ = before.pages_;
  owned_.clear();
  owned_.resize(pages_.size());
}

void PodPages::set(std::size_t pod, const PodEntry& entry) {
  const std::size_t page = pod / kPage;
  if (owned_[page] == nullptr) {
    owned_[page] = std::make_unique<Page>(*pages_[page]);
    pages_[page] = owned_[page].get();
  }
  (*pages_[page])[pod % kPage] = entry;
}

void PodPages::take_rest(PodPages& before) {
  for (std::size_t page = 0; page < owned_.size(); ++page) {
    if (owned_[page] == nullptr) {
      owned_[page] = std::move(before.owned_[page]);
    }
  }
}

std::size_t PodPages::memory_bytes() const {
  const auto pages = static_cast<std::size_t>(
      std::count_if(owned_.begin(), owned_.end(), [](const auto& page) { return page != nullptr; }));
  return pages * sizeof(Page) + pages_.capacity() * sizeof(Page*) + owned_.capacity() * sizeof(owned_[0]);
}

PeerId Addresses::stranger_at(IpAddress ip) const {
  const auto found = std::lower_bound(node_peers.begin(), node_peers.end(), ip,
                                      [](const auto& entry, IpAddress address) { return entry.first < address; });
  return found == node_peers.end() || found->first != ip ? peer_at(ip) : found->second;
}

std::size_t Addresses::memory_bytes() const {
  return atoms.memory_bytes() + numbers.capacity() * 4 + strangers.capacity() * sizeof(PeerId) +
         node_peers.capacity() * sizeof(node_peers[0]);
}

std::size_t View::memory_bytes() const {
  return pods.memory_bytes() + (addresses.is_owner() ? addresses->memory_bytes() : 0) +
         (places.is_owner() ? places->capacity() * sizeof(PolicyIndex) : 0);
}

}  // namespace podwire::policy
