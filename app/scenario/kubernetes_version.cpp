#include "app/scenario/kubernetes_version.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

namespace podwire::scenario {
namespace {

// v1.9.0 before v1.10.0; what is no number counts as 0.
std::array<std::uint32_t, 3> version_key(std::string_view text) {
  std::array<std::uint32_t, 3> key = {};
  text.remove_prefix(text.starts_with('v') ? 1 : 0);
  for (std::uint32_t& part : key) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), part);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    if (error != std::errc() || !text.starts_with('.')) {
      break;
    }
    text.remove_prefix(1);
  }
  return key;
}

// "v1.29.3", "v1.27.8-gke.1067004": only what looks like one is kept, as it is shown.
bool is_version(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  return text.size() <= kLongest && text.starts_with('v') && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
                  c == '+' || c == '_';
         });
}

}  // namespace

std::vector<std::string> kubelet_versions(const cluster::ObjectStore& store) {
  std::vector<std::string> versions;
  for (const cluster::Object* node : store.all("", "Node")) {
    const std::string_view version = node->node.find("status").find("nodeInfo").find("kubeletVersion").text();
    if (is_version(version)) {
      versions.emplace_back(version);
    }
  }
  std::sort(versions.begin(), versions.end(), [](const std::string& a, const std::string& b) {
    return std::pair(version_key(a), std::string_view(a)) < std::pair(version_key(b), std::string_view(b));
  });
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  return versions;
}

}  // namespace podwire::scenario
