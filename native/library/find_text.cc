#include "library/find_text.h"

#include <algorithm>

#include "os/memory.h"

namespace sda::library {

std::vector<std::uint32_t> find_text(std::string_view all, std::span<const std::uint32_t> starts,
                                     std::string_view sought) {
  std::vector<std::uint32_t> found;
  if (sought.empty() || starts.empty()) return found;
  auto next = starts.begin();
  std::size_t from = *next;
  while (from < all.size()) {
    // The C library's search uses the processor's vector instructions.
    const void* hit =
        os::find_bytes(all.data() + from, all.size() - from, sought.data(), sought.size());
    if (hit == nullptr) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(hit) - all.data());
    next = std::upper_bound(next, starts.end(), at);
    found.push_back(static_cast<std::uint32_t>(next - starts.begin() - 1));
    if (next == starts.end()) break;
    from = *next;
  }
  return found;
}

}  // namespace sda::library
