#include "engine/random/torch_random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace sda::engine {
namespace {

constexpr std::size_t kShift = 397;  // MT19937's m
constexpr std::size_t kBlock = 16;
// For larger integers, torch takes 64 bits.
constexpr std::uint64_t kFewBits = std::uint64_t{1} << 28;

// a·b + c, rounded once.
float fused(float a, float b, float c) { return std::fma(a, b, c); }

// The approximations below are those of Cephes (Moshier 1992) as torch evaluates them for eight
// numbers at a time. Which products are fused with a sum is part of the result.

// ln x for x in (0, 1]
float logarithm(float x) {
  constexpr float kTerms[] = {-1.1514610310e-1F, 1.1676998740e-1F,  -1.2420140846e-1F,
                              1.4249322787e-1F,  -1.6668057665e-1F, 2.0000714765e-1F,
                              -2.4999993993e-1F, 3.3333331174e-1F};
  const auto bits = std::bit_cast<std::uint32_t>(x);
  auto exponent = static_cast<float>(static_cast<int>(bits >> 23) - 126);
  // In [0.5, 1): the mantissa's bits with the exponent of 0.5.
  const auto mantissa = std::bit_cast<float>((bits & 0x007fffffU) | 0x3f000000U);
  float y = mantissa - 1.0F;
  if (mantissa < std::numbers::sqrt2_v<float> / 2.0F) {
    exponent -= 1.0F;
    y += mantissa;
  }
  const float square = y * y;
  float sum = 7.0376836292e-2F;
  for (const float term : kTerms) sum = fused(sum, y, term);
  sum = fused(sum * y, square, exponent * -2.12194440e-4F);
  sum = fused(square, -0.5F, sum);
  return fused(exponent, 0.693359375F, y + sum);
}

struct SineAndCosine {
  float sine, cosine;
};

// For x in [0, 2π)
SineAndCosine sine_and_cosine(float x) {
  constexpr float kPer = 4.0F * std::numbers::inv_pi_v<float>;
  // The octant, rounded up to an even number.
  const int octant = (static_cast<int>(x * kPer) + 1) & ~1;
  const auto turns = static_cast<float>(octant);
  // π/4 in three parts
  float rest = fused(turns, -0.78515625F, x);
  rest = fused(turns, -2.4187564849853515625e-4F, rest);
  rest = fused(turns, -3.77489497744594108e-8F, rest);
  const float square = rest * rest;

  float even = fused(2.443315711809948e-5F, square, -1.388731625493765e-3F);
  even = fused(even, square, 4.166664568298827e-2F);
  even = fused(even * square, square, square * -0.5F) + 1.0F;

  float odd = fused(-1.9515295891e-4F, square, 8.3321608736e-3F);
  odd = fused(odd, square, -1.6666654611e-1F);
  odd = fused(odd * square, rest, rest);

  const bool swapped = (octant & 2) != 0;
  const float sine = swapped ? even : odd, cosine = swapped ? odd : even;
  return {(octant & 4) != 0 ? -sine : sine, ((octant + 2) & 4) != 0 ? -cosine : cosine};
}

// Turns 16 uniform numbers into normal ones.
void make_normal(float* block) {
  for (std::size_t i = 0; i < kBlock / 2; ++i) {
    const float radius = std::sqrt(-2.0F * logarithm(1.0F - block[i]));
    const float angle = 2.0F * std::numbers::pi_v<float> * block[i + kBlock / 2];
    const auto [sine, cosine] = sine_and_cosine(angle);
    block[i] = radius * cosine;
    block[i + kBlock / 2] = radius * sine;
  }
}

}  // namespace

TorchRandom::TorchRandom(std::uint64_t seed) {
  state_[0] = static_cast<std::uint32_t>(seed);
  for (std::uint32_t i = 1; i < kWords; ++i)
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
}

void TorchRandom::refill() {
  const auto mix = [](std::uint32_t high, std::uint32_t low, std::uint32_t other) {
    const std::uint32_t joined = (high & 0x80000000U) | (low & 0x7fffffffU);
    return other ^ (joined >> 1) ^ ((0U - (low & 1U)) & 0x9908b0dfU);
  };
  std::size_t i = 0;
  for (; i < kWords - kShift; ++i) state_[i] = mix(state_[i], state_[i + 1], state_[i + kShift]);
  for (; i < kWords - 1; ++i)
    state_[i] = mix(state_[i], state_[i + 1], state_[i + kShift - kWords]);
  state_[i] = mix(state_[i], state_[0], state_[kShift - 1]);
  for (i = 0; i < kWords; ++i) {
    std::uint32_t word = state_[i];
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680U;
    word ^= (word << 15) & 0xefc60000U;
    words_[i] = word ^ (word >> 18);
  }
  used_ = 0;
}

std::uint32_t TorchRandom::next() {
  if (used_ == kWords) refill();
  return words_[used_++];
}

std::uint64_t TorchRandom::next_pair() {
  const std::uint64_t high = next();
  return (high << 32) | next();
}

double TorchRandom::next_double() {
  return static_cast<double>(next_pair() & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
}

double TorchRandom::next_normal() {
  if (partner_) return *std::exchange(partner_, std::nullopt);
  const double angle = 2.0 * std::numbers::pi * next_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-next_double()));
  partner_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void TorchRandom::rand(std::span<float> out) {
  for (std::size_t done = 0; done < out.size();) {
    if (used_ == kWords) refill();
    const std::size_t count = std::min(out.size() - done, kWords - used_);
    for (std::size_t i = 0; i < count; ++i)
      out[done + i] = static_cast<float>(words_[used_ + i] & 0xffffffU) * 0x1p-24F;
    used_ += count;
    done += count;
  }
}

void TorchRandom::randn(std::span<float> out) {
  if (out.size() < kBlock) {
    for (float& value : out) value = static_cast<float>(next_normal());
    return;
  }
  rand(out);
  for (std::size_t i = 0; i + kBlock <= out.size(); i += kBlock) make_normal(out.data() + i);
  if (out.size() % kBlock == 0) return;
  const std::span<float> last = out.last(kBlock);
  rand(last);
  make_normal(last.data());
}

std::uint64_t TorchRandom::randint(std::uint64_t bound) {
  return (bound < kFewBits ? next() : next_pair()) % bound;
}

// The first of n exponential clocks to ring, each with its own rate.
std::size_t TorchRandom::multinomial(std::span<const float> weights) {
  std::size_t best = 0;
  float highest = -1.0F;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto wait = static_cast<float>(-std::log1p(-next_double()));
    const float ratio = weights[i] / wait;
    if (ratio > highest) {
      highest = ratio;
      best = i;
    }
  }
  return best;
}

}  // namespace sda::engine
