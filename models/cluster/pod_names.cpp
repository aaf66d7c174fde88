#include "models/cluster/pod_names.hpp"

namespace podwire::cluster {
namespace {

constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";  // 27 characters
constexpr std::size_t kSuffixLength = 5;
constexpr std::size_t kHashLength = 10;
constexpr std::uint64_t kSpace = 27ull * 27 * 27 * 27 * 27;  // 3^15
constexpr std::uint64_t kFactor = 7'368'787;                 // not divisible by 3, hence a permutation

constexpr std::uint64_t power(std::uint64_t base, std::uint64_t exponent) {
  std::uint64_t result = 1;
  for (; exponent > 0; exponent /= 2, base = base * base % kSpace) {
    result = exponent % 2 == 1 ? result * base % kSpace : result;
  }
  return result;
}

// Euler: the units modulo 3^15 number 2 × 3^14.
constexpr std::uint64_t kInverse = power(kFactor, kSpace / 3 * 2 - 1);
static_assert(kFactor * kInverse % kSpace == 1);

}  // namespace

std::string pod_suffix(std::uint64_t salt, std::uint32_t ordinal) {
  std::uint64_t value = (ordinal % kSpace * kFactor + salt % kSpace) % kSpace;
  std::string text(kSuffixLength, ' ');
  for (char& c : text) {
    c = kAlphabet[value % kAlphabet.size()];
    value /= kAlphabet.size();
  }
  return text;
}

std::optional<std::uint32_t> ordinal_of(std::uint64_t salt, std::string_view suffix) {
  if (suffix.size() != kSuffixLength) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (std::size_t i = suffix.size(); i > 0; --i) {
    const std::size_t digit = kAlphabet.find(suffix[i - 1]);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    value = value * kAlphabet.size() + digit;
  }
  return static_cast<std::uint32_t>((value + kSpace - salt % kSpace) % kSpace * kInverse % kSpace);
}

std::string template_hash(std::uint64_t salt) {
  std::string text(kHashLength, ' ');
  for (char& c : text) {
    c = kAlphabet[salt % kAlphabet.size()];
    salt = salt / kAlphabet.size() + (salt << 58);
  }
  return text;
}

std::uint64_t name_salt(std::string_view name_space, std::string_view name) {
  std::uint64_t h = 0xcbf2'9ce4'8422'2325u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) {
      h = (h ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3u;
    }
    h = (h ^ '/') * 0x100'0000'01b3u;
  };
  add(name_space);
  add(name);
  return h ^ h >> 32;
}

}  // namespace podwire::cluster
