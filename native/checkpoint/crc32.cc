#include "checkpoint/crc32.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sda {
namespace {

constexpr std::uint32_t kPolynomial = 0xEDB88320;  // reflected

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t)
    for (std::size_t i = 0; i < 256; ++i)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xFF];
  return tables;
}

constexpr Tables kTables = make_tables();

// Works on the inverted register, as do the functions below.
std::uint32_t slice_by_8(std::uint32_t state, const unsigned char* p, std::size_t size) noexcept {
  while (size >= 8) {
    std::uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + 4, 4);
    low ^= state;
    state = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^
            kTables[5][(low >> 16) & 0xFF] ^ kTables[4][low >> 24] ^ kTables[3][high & 0xFF] ^
            kTables[2][(high >> 8) & 0xFF] ^ kTables[1][(high >> 16) & 0xFF] ^
            kTables[0][high >> 24];
    p += 8;
    size -= 8;
  }
  for (; size > 0; --size) state = (state >> 8) ^ kTables[0][(state ^ *p++) & 0xFF];
  return state;
}

#if defined(__x86_64__)

constexpr std::size_t kFoldMinimum = 64;

// Folding by carry-less multiplication after Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction" (Intel, 2009); the constants are x^k mod P, reflected,
// for k = 4·128±32, 128±32 and 64, then P' and its Barrett constant.
// `size` is a multiple of 16 and at least 64.
__attribute__((target("pclmul,sse4.1"))) std::uint32_t fold(std::uint32_t state,
                                                            const unsigned char* p,
                                                            std::size_t size) noexcept {
  const __m128i by_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i by_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  const __m128i by_64 = _mm_set_epi64x(0, 0x0163cd6124);
  const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
  const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);
  const auto load = [](const unsigned char* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };

  __m128i lane[4];
  for (int i = 0; i < 4; ++i) lane[i] = load(p + 16 * i);
  lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  p += 64;
  size -= 64;

  for (; size >= 64; p += 64, size -= 64) {
    for (int i = 0; i < 4; ++i) {
      const __m128i low = _mm_clmulepi64_si128(lane[i], by_512, 0x00);
      const __m128i high = _mm_clmulepi64_si128(lane[i], by_512, 0x11);
      lane[i] = _mm_xor_si128(_mm_xor_si128(low, high), load(p + 16 * i));
    }
  }

  __m128i x = lane[0];
  const auto fold_in = [&](__m128i next) __attribute__((target("pclmul,sse4.1"))) {
    const __m128i low = _mm_clmulepi64_si128(x, by_128, 0x00);
    const __m128i high = _mm_clmulepi64_si128(x, by_128, 0x11);
    x = _mm_xor_si128(_mm_xor_si128(low, high), next);
  };
  for (int i = 1; i < 4; ++i) fold_in(lane[i]);
  for (; size >= 16; p += 16, size -= 16) fold_in(load(p));

  // 128 bits to 64, then Barrett reduction to 32.
  __m128i folded = _mm_clmulepi64_si128(x, by_128, 0x10);
  x = _mm_xor_si128(_mm_srli_si128(x, 8), folded);
  folded = _mm_srli_si128(x, 4);
  x = _mm_clmulepi64_si128(_mm_and_si128(x, low_words), by_64, 0x00);
  x = _mm_xor_si128(x, folded);
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, low_words), barrett, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
  x = _mm_xor_si128(x, quotient);
  return static_cast<std::uint32_t>(_mm_extract_epi32(x, 1));
}

bool can_fold() noexcept {
  static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return can;
}

#endif

// a·b mod P over GF(2), both reflected.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b >> 1) ^ ((b & 1) ? kPolynomial : 0);
  }
  return product;
}

}  // namespace

std::uint32_t crc32_portable(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  return ~slice_by_8(~crc, static_cast<const unsigned char*>(data), size);
}

std::uint32_t crc32(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint32_t state = ~crc;
#if defined(__x86_64__)
  if (size >= kFoldMinimum && can_fold()) {
    const std::size_t folded = size & ~std::size_t{15};
    state = fold(state, p, folded);
    p += folded;
    size -= folded;
  }
#endif
  return ~slice_by_8(state, p, size);
}

std::uint32_t crc32_combine(std::uint32_t crc_a, std::uint32_t crc_b,
                            std::uint64_t size_b) noexcept {
  // Shifting A by size_b zero bytes is multiplying by x^(8·size_b).
  std::uint32_t power = 0x80000000;   // x^0
  std::uint32_t square = 0x00800000;  // x^8
  for (; size_b != 0; size_b >>= 1) {
    if (size_b & 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return multiply(power, crc_a) ^ crc_b;
}

}  // namespace sda
