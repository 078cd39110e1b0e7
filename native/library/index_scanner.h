// Finds the entries of a library's index without parsing them.
//
// The Python program writes the index with json.dump(indent=2), so in nearly every index each entry
// has the same 16 fields in the same order, and since version 2 a 17th, the vocoder. The scanner
// checks exactly that layout, byte by byte, and notes where each value ends. A regular entry is
// valid JSON, and any value can be cut out later. An entry of another shape is marked as odd; the
// caller reads it with a JSON parser, and likewise a whole file with another frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "checkpoint/cancel.h"

namespace sda::library {

// kStride numbers describe one entry: the offset of its key's opening quote, the end of the key,
// the end of each of the 17 values (0 in odd entries, and for the vocoder of an entry without this
// field), the end of the entry, and its flags. An entry reaches from its key to its closing brace.
// LAYOUT in lib/library/index/index-image.ts has the same numbers.
inline constexpr std::size_t kFieldCount = 17;
inline constexpr std::size_t kEntryStart = 0;
inline constexpr std::size_t kKeyEnd = 1;
inline constexpr std::size_t kValueEnds = 2;
inline constexpr std::size_t kEntryEnd = kValueEnds + kFieldCount;
inline constexpr std::size_t kFlags = kEntryEnd + 1;
inline constexpr std::size_t kStride = kFlags + 1;

// Flags.
inline constexpr std::uint32_t kOdd = 1;
inline constexpr std::uint32_t kNotFinite = 2;  // has NaN or ±Infinity, which JSON lacks

using IndexLayout = std::vector<std::uint32_t>;

// The layout of all entries. nullopt when the frame is not the one that json.dump writes, with any
// version, when a key repeats, or when the text is too long for 32-bit offsets.
std::optional<IndexLayout> scan_index(std::string_view text, const CancelToken& cancel);

}  // namespace sda::library
