// Unpacking gzip and zstd: never more than the limit, whatever the input claims; the limit is exact; what is unpacked
// does not depend on it.
#include "sim/config/decompress.hpp"
#include "tests/fuzz/oracle.hpp"

namespace podwire::fuzz {
namespace {

constexpr std::uint64_t kMost = 1 << 18;
constexpr std::size_t kPadding = 64;

void check(config::Packing packing, std::string_view packed) {
  std::string text;
  std::string problem;
  const config::Unpacked result = config::unpack(packing, packed, kMost, kPadding, text, problem);
  require((result == config::Unpacked::damaged) == !problem.empty(), "damaged input is said to be so");
  require(result == config::Unpacked::done || text.empty(), "what is refused leaves nothing");
  require(text.capacity() <= 4 * kMost + 4 * kPadding + 64, "room is bounded by the limit");
  if (result != config::Unpacked::done) {
    return;
  }
  require(text.size() <= kMost && text.capacity() >= text.size() + kPadding, "the limit and the padding hold");
  std::string again;
  require(
      config::unpack(packing, packed, text.size(), kPadding, again, problem) == config::Unpacked::done && again == text,
      "the limit may be reached");
  if (!text.empty()) {
    require(config::unpack(packing, packed, text.size() - 1, kPadding, again, problem) == config::Unpacked::too_large,
            "the limit may not be passed");
  }
}

}  // namespace
}  // namespace podwire::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace podwire;
  const std::string packed = fuzz::text_of(data, size);
  fuzz::check(config::Packing::gzip, packed);
  fuzz::check(config::Packing::zstd, packed);
  return 0;
}
