// Rows of lost packets, found by their integers.
#include "models/dataplane/drops.hpp"

namespace podwire::dataplane {

std::string_view to_string(DropReason reason) {
  constexpr std::string_view kNames[kDropReasonCount] = {
      "policy-denied", "policy-unknown", "service-rejected", "service-local", "no-route",
      "mtu-exceeded",  "conntrack-full", "queue-full",       "link-loss",     "closed",
      "no-listener",   "no-pod",         "start-window"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::size_t DropTable::KeyHash::operator()(const Key& key) const noexcept {
  std::uint64_t h = key.high * 0x9e37'79b9'7f4a'7c15u;
  h ^= h >> 32;
  h = (h ^ key.low ^ std::uint64_t{key.version} << 40) * 0xbf58'476d'1ce4'e5b9u;
  return static_cast<std::size_t>(h ^ (h >> 29));
}

void DropTable::count(DropReason reason, Place place, const policy::Verdict& verdict, std::uint32_t account,
                      std::uint32_t bytes, std::uint32_t version) {
  const Key key{.high = static_cast<std::uint64_t>(account) << 32 | static_cast<std::uint64_t>(verdict.rule) << 16 |
                        static_cast<std::uint64_t>(verdict.cause) << 8 | static_cast<std::uint64_t>(reason) << 3 |
                        static_cast<std::uint64_t>(place.kind),
                .low = static_cast<std::uint64_t>(verdict.policy.value()) << 32 | place.index,
                .version = version};
  const auto [at, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(rows_.size()));
  if (is_new) {
    rows_.push_back({.reason = reason,
                     .place = place,
                     .verdict = verdict,
                     .version = version,
                     .account = account,
                     .packets = 0,
                     .bytes = 0});
  }
  DropRow& row = rows_[at->second];
  ++row.packets;
  row.bytes += bytes;
  ++packets_;
  bytes_ += bytes;
}

std::uint64_t DropTable::packets(DropReason reason) const {
  std::uint64_t packets = 0;
  for (const DropRow& row : rows_) {
    packets += row.reason == reason ? row.packets : 0;
  }
  return packets;
}

}  // namespace podwire::dataplane
