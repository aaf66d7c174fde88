// What Kubernetes accepts as names, label keys and label values.
//
// Source: k8s.io/apimachinery pkg/util/validation: IsDNS1123Label (63), IsDNS1123Subdomain (253), IsQualifiedName
// (prefix/name, name 63), IsValidLabelValue (63, may be empty). Written as scans rather than regular expressions, since
// they run on every label of every object.
#include <fmt/format.h>

#include "models/cluster/labels.hpp"
#include "sim/base/text.hpp"

namespace podwire::cluster {
namespace {

constexpr std::size_t kMaxLabel = 63;       // RFC 1123 section 2.1; IsQualifiedName's name part, label values
constexpr std::size_t kMaxSubdomain = 253;  // RFC 1123 section 2.1

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

// [A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?
bool is_qualified_part(std::string_view text) {
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) {
    return false;
  }
  for (const char c : text) {
    if (!is_alphanumeric(c) && c != '-' && c != '_' && c != '.') {
      return false;
    }
  }
  return true;
}

// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool is_dns_part(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) {
    return false;
  }
  for (const char c : text) {
    if (!is_lower_or_digit(c) && c != '-') {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::string> invalid_dns_label(std::string_view name) {
  if (name.empty()) {
    return "is empty";
  }
  if (name.size() > kMaxLabel) {
    return fmt::format("is {} characters long, more than {}", name.size(), kMaxLabel);
  }
  if (!is_dns_part(name)) {
    return "may hold only lower-case letters, digits and '-', and starts and ends with a letter or digit";
  }
  return std::nullopt;
}

std::optional<std::string> invalid_dns_subdomain(std::string_view name) {
  if (name.empty()) {
    return "is empty";
  }
  if (name.size() > kMaxSubdomain) {
    return fmt::format("is {} characters long, more than {}", name.size(), kMaxSubdomain);
  }
  std::string_view rest = name;
  while (true) {
    const std::size_t dot = rest.find('.');
    if (!is_dns_part(rest.substr(0, dot))) {
      return "may hold only lower-case letters, digits, '-' and '.', and each part starts and ends with a letter or "
             "digit";
    }
    if (dot == std::string_view::npos) {
      return std::nullopt;
    }
    rest.remove_prefix(dot + 1);
  }
}

std::optional<std::string> invalid_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash != std::string_view::npos) {
    if (auto problem = invalid_dns_subdomain(key.substr(0, slash))) {
      return fmt::format("has a prefix that {}", *problem);
    }
    key.remove_prefix(slash + 1);
  }
  if (key.empty()) {
    return slash == std::string_view::npos ? "is empty" : "has nothing after its prefix";
  }
  if (key.size() > kMaxLabel) {
    return fmt::format("is {} characters long, more than {}", key.size(), kMaxLabel);
  }
  if (!is_qualified_part(key)) {
    return "may hold only letters, digits, '-', '_' and '.', and starts and ends with a letter or digit";
  }
  return std::nullopt;
}

std::optional<std::string> invalid_label_value(std::string_view value) {
  if (value.size() > kMaxLabel) {
    return fmt::format("is {} characters long, more than {}", value.size(), kMaxLabel);
  }
  if (!value.empty() && !is_qualified_part(value)) {
    return "may hold only letters, digits, '-', '_' and '.', and starts and ends with a letter or digit";
  }
  return std::nullopt;
}

}  // namespace podwire::cluster
