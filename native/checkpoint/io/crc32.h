// CRC-32 as zip uses it (polynomial 0x04C11DB7, reflected).
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda {

// Continues `crc` (0 at the start) over `size` bytes. Uses carry-less multiplication where the
// processor has it, and otherwise eight table look-ups for each eight bytes.
std::uint32_t crc32(std::uint32_t crc, const void* data, std::size_t size) noexcept;

// The ways to compute a CRC, for tests that compare them. crc32() takes the last one that the
// processor supports.
enum class Crc32Path { kTables, kFold128, kFold256, kFold512 };
bool crc32_has(Crc32Path path) noexcept;
std::uint32_t crc32_by(Crc32Path path, std::uint32_t crc, const void* data,
                       std::size_t size) noexcept;

// The CRC of A followed by B, from the CRCs of both and B's length in bytes.
std::uint32_t crc32_combine(std::uint32_t crc_a, std::uint32_t crc_b,
                            std::uint64_t size_b) noexcept;

}  // namespace sda
