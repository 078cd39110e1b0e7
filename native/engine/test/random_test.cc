// Random numbers, against CRC-32 of PyTorch's: scripts/python/golden_random.py.
#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/io/crc32.h"
#include "engine/random/torch_random.h"
#include "engine/test/support.h"

namespace sda::engine {
namespace {

template <typename T>
std::uint32_t crc_of(const std::vector<T>& values) {
  return crc32(0, values.data(), values.size() * sizeof(T));
}

// `times` tensors of `length` normal numbers.
std::vector<float> normal(std::uint64_t seed, std::size_t length, std::size_t times) {
  TorchRandom random(seed);
  std::vector<float> values(length * times);
  for (std::size_t i = 0; i < times; ++i)
    random.randn(std::span(values).subspan(i * length, length));
  return values;
}

TEST_CASE("a million normal numbers are PyTorch's, in tensors of any length") {
  CHECK(crc_of(normal(1, 1000000, 1)) == 0xfeb0a05bU);
  const struct {
    std::size_t length, times;
    std::uint32_t crc;
  } rows[] = {{1, 1000000, 0x8a512402U}, {8, 125000, 0x8a512402U}, {12, 83333, 0x6cac5eb4U},
              {13, 76923, 0xbea3ed42U},  {15, 66666, 0x4c7088cfU}, {16, 62500, 0x928bc59dU},
              {19, 52631, 0x2b098b52U},  {64, 15625, 0x928bc59dU}, {100, 10000, 0x61d682ebU}};
  for (const auto& row : rows) {
    CAPTURE(row.length);
    CHECK(crc_of(normal(7, row.length, row.times)) == row.crc);
  }
}

TEST_CASE("the partner of an odd number is kept while longer tensors are drawn") {
  TorchRandom random(11);
  std::vector<float> values(71);
  random.randn(std::span(values).first(3));
  random.randn(std::span(values).subspan(3, 64));
  random.randn(std::span(values).last(4));
  CHECK(crc_of(values) == 0xdd68abb5U);
}

TEST_CASE("a million uniform numbers are PyTorch's, whatever the pieces") {
  std::vector<float> values(1000000);
  TorchRandom((std::uint64_t{1} << 33) + 5).rand(values);  // the seed's low 32 bits count
  CHECK(crc_of(values) == 0x07bdab95U);
  TorchRandom random(5);
  std::size_t done = 0;
  for (std::size_t piece = 0; done < values.size(); ++piece) {
    const std::size_t count = std::min(piece % 1000, values.size() - done);
    random.rand(std::span(values).subspan(done, count));
    done += count;
  }
  CHECK(crc_of(values) == 0x07bdab95U);
}

TEST_CASE("a million integers are PyTorch's") {
  for (const auto& [bound, crc] :
       {std::pair{0x7fffffffU, 0xafffcfefU}, std::pair{10U, 0xbd19335bU}}) {
    TorchRandom random(3);
    std::vector<std::uint32_t> values(1000000);
    for (std::uint32_t& value : values) value = static_cast<std::uint32_t>(random.randint(bound));
    CHECK(crc_of(values) == crc);
  }
}

TEST_CASE("a million clocks of multinomial are PyTorch's, those of no weight included") {
  std::vector<float> weights(37);
  TorchRandom(5).rand(weights);
  for (const std::size_t i : {0, 3, 6, 9, 12}) weights[i] = 0.0F;
  TorchRandom random(9);
  std::vector<std::int32_t> drawn(27027);
  for (std::int32_t& index : drawn) {
    index = static_cast<std::int32_t>(random.multinomial(weights));
    CHECK(weights[static_cast<std::size_t>(index)] > 0.0F);
  }
  CHECK(crc_of(drawn) == 0x77b77490U);
}

}  // namespace
}  // namespace sda::engine
