// PyTorch's random numbers on the CPU: the same seed gives the same numbers as there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sda::engine {

// MT19937 (Matsumoto and Nishimura 1998, "Mersenne Twister"), seeded as torch.manual_seed does, and
// torch's distributions. Each function draws as many outputs of the generator as torch's function
// of that name. Used by one thread at a time.
class TorchRandom {
 public:
  explicit TorchRandom(std::uint64_t seed);

  // Uniform in [0, 1), in steps of 2^-24: torch.rand(…). The elements of a complex tensor are its
  // real and imaginary parts, in turn.
  void rand(std::span<float> out);

  // Standard normal, by Box and Muller (1958): torch.randn(…). Fewer than 16 numbers are made in
  // pairs in double precision; of an odd count, the last one's partner is the first of the next
  // such call. Others are made in blocks of 16 in float32, with the bits of torch on processors
  // with AVX2.
  void randn(std::span<float> out);

  // An integer in [0, bound): torch.randint(bound, (1,)), as of torch 2.13.
  std::uint64_t randint(std::uint64_t bound);

  // An index drawn with these weights: torch.multinomial(weights, 1). They must not be negative.
  std::size_t multinomial(std::span<const float> weights);

 private:
  static constexpr std::size_t kWords = 624;

  std::uint32_t next();
  void refill();
  std::uint64_t next_pair();
  double next_double();  // in [0, 1), in steps of 2^-53
  double next_normal();

  std::array<std::uint32_t, kWords> state_;
  std::array<std::uint32_t, kWords> words_;  // of this state; the first `used_` are drawn
  std::size_t used_ = kWords;
  std::optional<double> partner_;  // of the last of an odd count
};

}  // namespace sda::engine
