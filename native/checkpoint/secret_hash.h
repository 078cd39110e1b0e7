// A hash of texts for tables whose keys a file or a caller chooses. Its seed is secret and differs
// in each process, so nobody can choose keys that collide.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

namespace sda {

// SipHash-1-3 (Aumasson and Bernstein, 2012, https://www.aumasson.jp/siphash/siphash.pdf), which
// Python and Rust use for the same purpose.
class SecretHash {
 public:
  using is_transparent = void;

  std::size_t operator()(std::string_view text) const noexcept {
    const Seed& seed = Seed::of_process();
    std::uint64_t v0 = seed.a ^ 0x736f6d6570736575, v1 = seed.b ^ 0x646f72616e646f6d;
    std::uint64_t v2 = seed.a ^ 0x6c7967656e657261, v3 = seed.b ^ 0x7465646279746573;
    const auto round = [&] {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    };
    const auto add = [&](std::uint64_t word) {
      v3 ^= word;
      round();
      v0 ^= word;
    };
    std::uint64_t last = std::uint64_t{text.size()} << 56;
    for (; text.size() >= 8; text.remove_prefix(8)) {
      std::uint64_t word;
      std::memcpy(&word, text.data(), 8);
      add(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, text.data(), text.size());
    add(last | rest);
    v2 ^= 0xff;
    round();
    round();
    round();
    return static_cast<std::size_t>(v0 ^ v1 ^ v2 ^ v3);
  }

 private:
  struct Seed {
    std::uint64_t a, b;
    static const Seed& of_process() {
      static const Seed seed = [] {
        std::random_device random;
        const auto word = [&] { return std::uint64_t{random()} << 32 | random(); };
        return Seed{word(), word()};
      }();
      return seed;
    }
  };
};

}  // namespace sda
