#include "checkpoint/io/crc32.h"

#include <array>
#include <cstring>

#include "os/cpu_features.h"

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

// `state` is the inverted CRC, here and in the functions below.
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

// a·b mod P over GF(2), both reflected.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b >> 1) ^ ((b & 1) ? kPolynomial : 0);
  }
  return product;
}

#if defined(__x86_64__)

// x^n mod P, reflected.
constexpr std::uint32_t power_of_x(std::uint64_t n) noexcept {
  std::uint32_t power = 0x80000000;   // x^0
  std::uint32_t square = 0x40000000;  // x^1
  for (; n != 0; n >>= 1) {
    if (n & 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

// Folding by carry-less multiplication after Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction" (Intel, 2009): 128 bits are carried over the `distance`
// bits that follow them by two products with x^k mod P, reflected.
struct Fold {
  std::int64_t low, high;
};
constexpr Fold fold_over(std::uint64_t distance) {
  return {std::int64_t{power_of_x(distance + 32)} << 1,
          std::int64_t{power_of_x(distance - 32)} << 1};
}
constexpr Fold kOver16 = fold_over(8 * 16);
constexpr Fold kOver64 = fold_over(8 * 64);
constexpr Fold kOver256 = fold_over(8 * 256);
constexpr std::int64_t kOver8 = std::int64_t{power_of_x(64)} << 1;
constexpr std::int64_t kBarrett = 0x01f7011641;  // floor(x^64 / P), reflected
constexpr std::int64_t kWholePolynomial = (std::int64_t{kPolynomial} << 1) | 1;

#define SDA_FOLD __attribute__((target("pclmul,sse4.1")))
#define SDA_FOLD_256 __attribute__((target("avx2,vpclmulqdq")))
#define SDA_FOLD_512 __attribute__((target("avx512f,vpclmulqdq")))

// The state of folding: 64 bytes that stand for all bytes read so far.
struct alignas(64) Folded {
  __m128i lane[4];
};

SDA_FOLD inline __m128i load_16(const unsigned char* from) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

SDA_FOLD inline __m128i fold(__m128i x, __m128i over, __m128i next) noexcept {
  const __m128i low = _mm_clmulepi64_si128(x, over, 0x00);
  const __m128i high = _mm_clmulepi64_si128(x, over, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// Loads the first 64 bytes and XORs the CRC's state into them.
SDA_FOLD void start(std::uint32_t state, const unsigned char* p, Folded& to) noexcept {
  for (int i = 0; i < 4; ++i) to.lane[i] = load_16(p + 16 * i);
  to.lane[0] = _mm_xor_si128(to.lane[0], _mm_cvtsi32_si128(static_cast<int>(state)));
}

// Folds in the `size` bytes at `p`, a multiple of 16, and reduces the result to 32 bits.
SDA_FOLD std::uint32_t finish(const Folded& from, const unsigned char* p,
                              std::size_t size) noexcept {
  const __m128i over_64 = _mm_set_epi64x(kOver64.high, kOver64.low);
  const __m128i over_16 = _mm_set_epi64x(kOver16.high, kOver16.low);
  const __m128i over_8 = _mm_set_epi64x(0, kOver8);
  const __m128i barrett = _mm_set_epi64x(kBarrett, kWholePolynomial);
  const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);

  __m128i lane[4];
  for (int i = 0; i < 4; ++i) lane[i] = from.lane[i];
  for (; size >= 64; p += 64, size -= 64)
    for (int i = 0; i < 4; ++i) lane[i] = fold(lane[i], over_64, load_16(p + 16 * i));
  __m128i x = lane[0];
  for (int i = 1; i < 4; ++i) x = fold(x, over_16, lane[i]);
  for (; size >= 16; p += 16, size -= 16) x = fold(x, over_16, load_16(p));

  // 128 bits to 64, then Barrett reduction to 32.
  __m128i folded = _mm_clmulepi64_si128(x, over_16, 0x10);
  x = _mm_xor_si128(_mm_srli_si128(x, 8), folded);
  folded = _mm_srli_si128(x, 4);
  x = _mm_clmulepi64_si128(_mm_and_si128(x, low_words), over_8, 0x00);
  x = _mm_xor_si128(x, folded);
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, low_words), barrett, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
  x = _mm_xor_si128(x, quotient);
  return static_cast<std::uint32_t>(_mm_extract_epi32(x, 1));
}

// The same with wider registers: folds in the `size` bytes at `p`, a multiple of 256, in four rows
// of 64 bytes at a time.
SDA_FOLD_256 inline __m256i fold(__m256i x, __m256i over, __m256i next) noexcept {
  const __m256i low = _mm256_clmulepi64_epi128(x, over, 0x00);
  const __m256i high = _mm256_clmulepi64_epi128(x, over, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(low, high), next);
}

SDA_FOLD_512 inline __m512i fold(__m512i x, __m512i over, __m512i next) noexcept {
  constexpr int kXorOfThree = 0x96;
  const __m512i low = _mm512_clmulepi64_epi128(x, over, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(x, over, 0x11);
  return _mm512_ternarylogic_epi64(low, high, next, kXorOfThree);
}

SDA_FOLD_256 inline __m256i load_32(const void* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

SDA_FOLD_256 void fold_256(Folded& state, const unsigned char* p, std::size_t size) noexcept {
  const __m256i over_64 = _mm256_broadcastsi128_si256(_mm_set_epi64x(kOver64.high, kOver64.low));
  const __m256i over_256 = _mm256_broadcastsi128_si256(_mm_set_epi64x(kOver256.high, kOver256.low));
  constexpr int kInFlight = 8;
  __m256i half[kInFlight];
  for (int i = 0; i < kInFlight; ++i) half[i] = load_32(p + 32 * i);
  for (int i = 0; i < 2; ++i) half[i] = fold(load_32(&state.lane[2 * i]), over_64, half[i]);
  for (p += 256, size -= 256; size >= 256; p += 256, size -= 256)
    for (int i = 0; i < kInFlight; ++i) half[i] = fold(half[i], over_256, load_32(p + 32 * i));
  for (int i = 2; i < kInFlight; ++i) half[i] = fold(half[i - 2], over_64, half[i]);
  for (int i = 0; i < 2; ++i)
    _mm256_store_si256(reinterpret_cast<__m256i*>(&state.lane[2 * i]), half[kInFlight - 2 + i]);
}

SDA_FOLD_512 void fold_512(Folded& state, const unsigned char* p, std::size_t size) noexcept {
  const __m512i over_64 = _mm512_set4_epi64(kOver64.high, kOver64.low, kOver64.high, kOver64.low);
  const __m512i over_256 =
      _mm512_set4_epi64(kOver256.high, kOver256.low, kOver256.high, kOver256.low);
  constexpr int kInFlight = 4;
  __m512i row[kInFlight];
  for (int i = 0; i < kInFlight; ++i) row[i] = _mm512_loadu_si512(p + 64 * i);
  row[0] = fold(_mm512_load_si512(&state), over_64, row[0]);
  for (p += 256, size -= 256; size >= 256; p += 256, size -= 256)
    for (int i = 0; i < kInFlight; ++i)
      row[i] = fold(row[i], over_256, _mm512_loadu_si512(p + 64 * i));
  for (int i = 1; i < kInFlight; ++i) row[i] = fold(row[i - 1], over_64, row[i]);
  _mm512_store_si512(&state, row[kInFlight - 1]);
}

#undef SDA_FOLD
#undef SDA_FOLD_256
#undef SDA_FOLD_512

constexpr std::size_t kFoldFrom = 64;
constexpr std::size_t kFoldWideFrom = 64 + 256;
#endif

}  // namespace

bool crc32_has(Crc32Path path) noexcept {
#if defined(__x86_64__)
  switch (path) {
    case Crc32Path::kTables:
      return true;
    case Crc32Path::kFold128:
      return os::cpu_features().pclmul && os::cpu_features().sse41;
    case Crc32Path::kFold256:
      return crc32_has(Crc32Path::kFold128) && os::cpu_features().avx2 &&
             os::cpu_features().vpclmulqdq;
    case Crc32Path::kFold512:
      return crc32_has(Crc32Path::kFold256) && os::cpu_features().avx512f;
  }
  return false;
#else
  return path == Crc32Path::kTables;
#endif
}

std::uint32_t crc32_by(Crc32Path path, std::uint32_t crc, const void* data,
                       std::size_t size) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint32_t state = ~crc;
#if defined(__x86_64__)
  if (path != Crc32Path::kTables && size >= kFoldFrom) {
    const unsigned char* const end = p + size;
    Folded folded;
    start(state, p, folded);
    p += kFoldFrom;
    if (path != Crc32Path::kFold128 && size >= kFoldWideFrom) {
      const std::size_t wide = (size - kFoldFrom) & ~std::size_t{255};
      (path == Crc32Path::kFold512 ? fold_512 : fold_256)(folded, p, wide);
      p += wide;
    }
    const std::size_t narrow = static_cast<std::size_t>(end - p) & ~std::size_t{15};
    state = finish(folded, p, narrow);
    p += narrow;
    size = static_cast<std::size_t>(end - p);
  }
#else
  (void)path;
#endif
  return ~slice_by_8(state, p, size);
}

std::uint32_t crc32(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  static const Crc32Path best = [] {
    for (const Crc32Path path : {Crc32Path::kFold512, Crc32Path::kFold256, Crc32Path::kFold128})
      if (crc32_has(path)) return path;
    return Crc32Path::kTables;
  }();
  return crc32_by(best, crc, data, size);
}

std::uint32_t crc32_combine(std::uint32_t crc_a, std::uint32_t crc_b,
                            std::uint64_t size_b) noexcept {
  if (crc_a == 0) return crc_b;
  // Appending size_b zero bytes to A multiplies its CRC by x^(8·size_b).
  std::uint32_t power = 0x80000000;   // x^0
  std::uint32_t square = 0x00800000;  // x^8
  for (; size_b != 0; size_b >>= 1) {
    if (size_b & 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return multiply(power, crc_a) ^ crc_b;
}

}  // namespace sda
