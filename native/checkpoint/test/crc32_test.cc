#include "checkpoint/io/crc32.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

using namespace sda;

TEST_CASE("crc32 gives the published check value and 0 for no bytes") {
  CHECK(crc32(0, "123456789", 9) == 0xCBF43926);
  CHECK(crc32(0, nullptr, 0) == 0);
}

TEST_CASE("every way to compute a CRC agrees, at every size and alignment") {
  std::mt19937 random(1);
  std::vector<unsigned char> bytes(2100);
  for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
  bool same = true, continued = true, combined = true;
  for (std::size_t size = 0; size <= 1000; ++size) {
    // Memory of exactly this size, so that AddressSanitizer reports a read beyond it.
    const std::unique_ptr<unsigned char[]> exact(new unsigned char[size]);
    std::memcpy(exact.get(), bytes.data(), size);
    const unsigned char* odd = bytes.data() + 1 + size % 31;
    const std::uint32_t crc = crc32_by(Crc32Path::kTables, 0, bytes.data(), size);
    const std::uint32_t of_odd = crc32_by(Crc32Path::kTables, 7, odd, size);
    for (const Crc32Path path : {Crc32Path::kFold128, Crc32Path::kFold256, Crc32Path::kFold512}) {
      if (!crc32_has(path)) continue;
      same = same && crc == crc32_by(path, 0, exact.get(), size) &&
             of_odd == crc32_by(path, 7, odd, size);
    }
    same = same && crc == crc32(0, exact.get(), size);
    const std::size_t split = size == 0 ? 0 : random() % size;
    const std::uint32_t first = crc32(0, bytes.data(), split);
    continued = continued && crc == crc32(first, bytes.data() + split, size - split);
    const std::uint32_t second = crc32(0, bytes.data() + split, size - split);
    combined = combined && crc == crc32_combine(first, second, size - split);
  }
  CHECK(same);
  CHECK(continued);
  CHECK(combined);
}

TEST_CASE("crc32_combine takes lengths beyond 4 GiB") {
  // The CRC of 2^32 zero bytes, without their memory: doubled from one byte.
  std::uint32_t zeros = crc32(0, "\0", 1);
  std::uint64_t size = 1;
  for (; size < std::uint64_t{1} << 32; size *= 2) zeros = crc32_combine(zeros, zeros, size);
  const std::uint32_t whole = crc32_combine(crc32(0, "a", 1), zeros, size);
  const std::uint32_t half = crc32_combine(zeros, zeros, size);
  CHECK(crc32_combine(whole, zeros, size) == crc32_combine(crc32(0, "a", 1), half, 2 * size));
}
