// Finds which of many texts contain another. They lie one after the other in one piece of memory:
// one search through all of it is many times as fast as one through each.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sda::library {

// `starts` has where each text begins, ascending. Returns the numbers of those with `sought` in
// them, ascending, each once. No text contains what separates it from the next, and neither does
// `sought`, so a match never spans two of them.
std::vector<std::uint32_t> find_text(std::string_view all, std::span<const std::uint32_t> starts,
                                     std::string_view sought);

}  // namespace sda::library
