// Finds which of many texts contain another text. The texts follow each other in one block of
// memory: one search through the block is many times as fast as a search through each text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sda::library {

// `starts` has the offset of each text in `all`, in ascending order. Returns the indices of the
// texts that contain `sought`, in ascending order, each once. Neither the texts nor `sought` may
// contain the separator between texts, so that no match spans two texts.
std::vector<std::uint32_t> find_text(std::string_view all, std::span<const std::uint32_t> starts,
                                     std::string_view sought);

}  // namespace sda::library
