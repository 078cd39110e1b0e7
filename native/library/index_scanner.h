// Finds the entries of a library's index without parsing them.
//
// The Python program writes the index with json.dump(indent=2), so in nearly every index each entry
// has the same 16 lines in the same order. The scanner checks exactly that layout, byte by byte,
// and notes where each value ends: what it accepts is valid JSON, and any value can be cut out
// later. An entry of another shape is marked as odd and left to the caller, who has a real JSON
// parser; so is a file whose frame differs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "checkpoint/cancel.h"

namespace sda::library {

// The numbers that describe one entry, one after the other:
//   where its key's opening quote is, where the key ends, where each of the 16 values ends (0 in
//   odd entries), where the entry ends, and its flags. An entry runs from its key to its closing
//   brace.
inline constexpr std::size_t kFieldCount = 16;
inline constexpr std::size_t kEntryStart = 0;
inline constexpr std::size_t kKeyEnd = 1;
inline constexpr std::size_t kValueEnds = 2;
inline constexpr std::size_t kEntryEnd = kValueEnds + kFieldCount;
inline constexpr std::size_t kFlags = kEntryEnd + 1;
inline constexpr std::size_t kStride = kFlags + 1;

inline constexpr std::uint32_t kOdd = 1;
inline constexpr std::uint32_t kNotFinite =
    2;  // holds NaN, Infinity or -Infinity, which is not JSON

using IndexLayout = std::vector<std::uint32_t>;

// Nothing when the frame isn't `json.dump`'s for version 1, when keys repeat, or when the text is
// longer than 32-bit offsets reach.
std::optional<IndexLayout> scan_index(std::string_view text, const CancelToken& cancel);

}  // namespace sda::library
