// Detects keys that were chosen to collide. V8 hashes strings with a secret seed, but numbers
// without one. A hostile file can choose numeric keys that all fall into one bucket of a Map, and
// filling that Map takes quadratic time on Node's main thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "addon/marshal/numbers.h"
#include "checkpoint/error.h"
#include "checkpoint/pickle/value.h"

namespace sda::addon {

// Thomas Wang's integer hashes, as in V8 (src/numbers/hash-seed-inl.h). If V8 changes its hashes,
// ordinary keys still pass.
inline std::uint32_t number_hash(std::uint32_t key) noexcept {
  key = ~key + (key << 15);
  key ^= key >> 12;
  key += key << 2;
  key ^= key >> 4;
  key *= 2057;
  return key ^ (key >> 16);
}

inline std::uint32_t long_hash(std::uint64_t key) noexcept {
  key = ~key + (key << 18);
  key ^= key >> 31;
  key *= 21;
  key ^= key >> 11;
  key += key << 6;
  return static_cast<std::uint32_t>(key ^ (key >> 22));
}

inline std::uint32_t float_hash(double key) noexcept {
  const bool small = key >= -2147483648.0 && key <= 2147483647.0;
  if (small && key == static_cast<std::int32_t>(key))
    return number_hash(static_cast<std::uint32_t>(static_cast<std::int32_t>(key)));
  return long_hash(std::bit_cast<std::uint64_t>(key));
}

inline std::uint32_t integer_hash(std::int64_t key) noexcept {
  if (is_safe(key)) return float_hash(static_cast<double>(key));
  const auto bits = static_cast<std::uint64_t>(key);  // a BigInt in V8: it hashes the magnitude
  return long_hash(key < 0 ? ~bits + 1 : bits);
}

// Whether a bucket of a Map or Set gets far more of these keys than by chance. `key_at(i)` returns
// the i-th of `count` keys, in the order of insertion.
template <typename F>
bool keys_collide(std::size_t count, F&& key_at) {
  constexpr std::size_t kFewKeys = 512;  // quadratic time is harmless for so few
  constexpr std::uint32_t kLongChain = 64;
  if (count < kFewKeys) return false;
  std::vector<std::uint32_t> hashes;
  hashes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Value key = key_at(i);
    const auto* big = key.as<BigInt>();
    if (key.kind == Kind::kInt)
      hashes.push_back(integer_hash(key.integer));
    else if (key.kind == Kind::kFloat)
      hashes.push_back(float_hash(key.real));
    else if (big != nullptr)
      hashes.push_back(big->magnitude.empty() ? 0 : long_hash(big->magnitude.front()));
  }
  // The table doubles as it fills, and each of its sizes has different buckets.
  std::vector<std::uint32_t> chains;
  for (std::size_t capacity = kFewKeys; capacity / 2 < hashes.size(); capacity *= 2) {
    chains.assign(capacity / 2, 0);
    const std::size_t held = std::min(capacity, hashes.size());
    for (std::size_t i = 0; i < held; ++i)
      if (++chains[hashes[i] & (capacity / 2 - 1)] > kLongChain) return true;
  }
  return false;
}

// Throws kLimit for keys that collide.
template <typename F>
void check_spread(std::size_t count, F&& key_at) {
  if (keys_collide(count, key_at))
    throw Error(ErrorCode::kLimit, "a dict or set with too many keys of the same hash");
}

}  // namespace sda::addon
