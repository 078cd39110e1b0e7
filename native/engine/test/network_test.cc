// The parts of engine/network, against formulas and the C library.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>

#include "checkpoint/tensor/half.h"
#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/network/conv_kernels.h"
#include "engine/network/conv_vae.h"
#include "engine/test/support.h"
#include "os/cpu_features.h"

namespace sda::engine {
namespace {

#if defined(__x86_64__)
struct ConvKernels {
  decltype(&kernels::plain::dot) dot;
  decltype(&kernels::plain::conv_row) conv;
  decltype(&kernels::plain::transposed_conv_row) row;
  decltype(&kernels::plain::transposed_conv_row_of_one) row_of_one;
};
#define SDA_KERNELS_OF(set) \
  ConvKernels { set::dot, set::conv_row, set::transposed_conv_row, set::transposed_conv_row_of_one }

void expect_same_bits(const ConvKernels& plain, const ConvKernels& wide) {
  for (const auto& [inputs, height, width] :
       {std::tuple{24, 4, 18}, std::tuple{1, 2, 16}, std::tuple{8, 6, 2}}) {
    const std::int64_t outputs = 64;
    const std::vector<float> x = noise(height * width * inputs), taps = noise(9 * inputs * outputs);
    const std::vector<float> bias = noise(outputs, 2), scale = noise(outputs, 3),
                             shift = noise(outputs, 4);
    const kernels::Conv layer{taps.data(),  bias.data(), scale.data(),
                              shift.data(), inputs,      outputs};
    std::vector<float> expected(static_cast<std::size_t>(4 * height * width * outputs)),
        found(expected.size());
    const auto check = [&] {
      CHECK(expected == found);
      CHECK(std::any_of(found.begin(), found.end(), [](float value) { return value > 0.0F; }));
    };
    for (std::int64_t row = 0; row < height; ++row) {
      plain.row(layer, x.data(), row, height, width, expected.data());
      wide.row(layer, x.data(), row, height, width, found.data());
    }
    check();
    for (std::int64_t row = 0; row < height / 2; ++row) {
      plain.conv(layer, x.data(), row, height, width, expected.data());
      wide.conv(layer, x.data(), row, height, width, found.data());
    }
    check();
    if (inputs % 8 == 0) {
      plain.row_of_one(layer.taps, inputs, x.data(), 0, height, width, expected.data());
      wide.row_of_one(layer.taps, inputs, x.data(), 0, height, width, found.data());
      check();
    }
  }
  const std::vector<float> a = noise(64, 5), b = noise(64, 6);
  for (std::int64_t count : {1, 7, 8, 21, 64})
    CHECK(plain.dot(a.data(), b.data(), count) == wide.dot(a.data(), b.data(), count));
}
#endif

// The kernels for any processor and those for this one must agree to the last bit.
TEST_CASE("all versions of the kernels give the same bits") {
#if defined(__x86_64__)
  const ConvKernels plain = SDA_KERNELS_OF(kernels::plain);
  if (os::cpu_features().avx2 && os::cpu_features().fma)
    expect_same_bits(plain, SDA_KERNELS_OF(kernels::fma));
  if (os::cpu_features().avx512f) expect_same_bits(plain, SDA_KERNELS_OF(kernels::avx512));
#endif
}

// Pictures [channel][row][column] in double precision, and the layers by their definition.
struct Picture {
  std::int64_t channels, height, width;
  std::vector<double> values;
  double& at(std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>((c * height + y) * width + x)];
  }
};

Picture blank(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return {channels, height, width,
          std::vector<double>(static_cast<std::size_t>(channels * height * width))};
}

const float* weights_of(StateDict& state, const std::string& name) {
  return reinterpret_cast<const float*>(named(state, name).data);
}

// Calls f(channel in, channel out, tap row, tap column, weight) for each weight.
template <typename F>
void each_weight(StateDict& state, const std::string& prefix, const F& f) {
  const NamedTensor tensor = named(state, prefix + ".weight");
  const auto* weight = reinterpret_cast<const float*>(tensor.data);
  for (std::int64_t a = 0; a < tensor.shape[0]; ++a)
    for (std::int64_t b = 0; b < tensor.shape[1]; ++b)
      for (std::int64_t i = 0; i < 9; ++i) f(a, b, i / 3, i % 3, double{*weight++});
}

void add_bias(StateDict& state, const std::string& prefix, Picture& picture) {
  const float* const bias = weights_of(state, prefix + ".bias");
  for (std::int64_t c = 0; c < picture.channels; ++c)
    for (std::int64_t i = 0; i < picture.height * picture.width; ++i)
      picture.values[static_cast<std::size_t>(c * picture.height * picture.width + i)] += bias[c];
}

void normalise_and_rectify(StateDict& state, const std::string& prefix, Picture& picture) {
  const std::int64_t pixels = picture.height * picture.width;
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    const auto of = [&](const char* part) { return double{weights_of(state, prefix + part)[c]}; };
    const double scale = of(".weight") / std::sqrt(of(".running_var") + 1e-5);
    for (std::int64_t i = 0; i < pixels; ++i) {
      double& value = picture.values[static_cast<std::size_t>(c * pixels + i)];
      value = std::max(0.0, (value - of(".running_mean")) * scale + of(".bias"));
    }
  }
}

StateDict random_state(std::int64_t latent, const SpectrogramConfig& config) {
  StateDict state = make_state(latent, config);
  std::uint64_t seed = 1;
  for (NamedTensor& tensor : state) {
    auto* const data = reinterpret_cast<float*>(tensor.data);
    if (tensor.name.ends_with(".running_var")) std::fill_n(data, tensor.shape[0], 0.7F);
    if (!tensor.name.ends_with(".weight") || tensor.shape.size() < 2) continue;
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= extent;
    const std::vector<float> random = noise(count, seed++);
    const float size = tensor.shape.size() == 4             ? 0.1F
                       : tensor.name.starts_with("decoder") ? 0.5F
                                                            : 0.01F;
    std::transform(random.begin(), random.end(), data, [&](float value) { return value * size; });
  }
  return state;
}

// For a model whose mel is cropped on both sides.
SpectrogramConfig cropped_config() {
  SpectrogramConfig config = small_config();
  config.n_mels = 40;
  return config;
}

std::vector<double> decoded(StateDict& state, const VaeShape& shape, const std::vector<float>& z) {
  Picture x = blank(256, shape.small_height, shape.small_width);
  const float* weight = weights_of(state, "decoder.fc.weight");
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] = weights_of(state, "decoder.fc.bias")[i];
    for (const float value : z) x.values[i] += double{*weight++} * value;
  }
  for (int layer = 0; layer < 4; ++layer) {
    const std::string prefix = "decoder.deconvs." + std::to_string(4 * layer);
    Picture y = blank(named(state, prefix + ".bias").shape[0], 2 * x.height, 2 * x.width);
    each_weight(state, prefix, [&](auto in, auto out, auto down, auto right, double w) {
      for (std::int64_t i = 0; i < x.height; ++i)
        for (std::int64_t j = 0; j < x.width; ++j) {
          const std::int64_t row = 2 * i + down - 1, column = 2 * j + right - 1;
          if (row >= 0 && row < y.height && column >= 0 && column < y.width)
            y.at(out, row, column) += w * x.at(in, i, j);
        }
    });
    add_bias(state, prefix, y);
    if (layer < 3)
      normalise_and_rectify(state, "decoder.deconvs." + std::to_string(4 * layer + 1), y);
    x = std::move(y);
  }
  std::vector<double> mel;
  for (std::int64_t m = 0; m < shape.n_mels; ++m)
    for (std::int64_t f = 0; f < shape.frames; ++f)
      mel.push_back(1.0 / (1.0 + std::exp(-x.at(0, m, f))));
  return mel;
}

TEST_CASE("the decoder is that of the formula, and gives an item of a batch as alone") {
  const SpectrogramConfig config = cropped_config();
  StateDict state = random_state(11, config);
  const VaeShape shape(Network::kSigmoid, 11, config);
  const auto model = Model::create(state, Network::kSigmoid, 11, config);
  const std::vector<float> z = noise(3 * 11, 50);
  const FloatTensor mel = model->decode(tensor_of({3, 11}, z), {});
  CHECK(mel.shape == std::vector<std::int64_t>{3, 1, 40, shape.frames});
  for (std::int64_t item = 0; item < 3; ++item) {
    const std::vector<float> own(z.begin() + 11 * item, z.begin() + 11 * (item + 1));
    const std::vector<float> found = values_of(slice(mel, item, 1));
    const std::vector<double> expected = decoded(state, shape, own);
    CHECK(largest_difference(found, expected) < 1e-5);
    const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
    CHECK(*high - *low > 0.01);
    CHECK(values_of(model->decode(tensor_of({1, 11}, own), {})) == found);
  }
}

TEST_CASE("the encoder is that of the formula, and gives an item of a batch as alone") {
  const SpectrogramConfig config = cropped_config();
  StateDict state = random_state(11, config);
  const VaeShape shape(Network::kSigmoid, 11, config);
  const auto model = Model::create(state, Network::kSigmoid, 11, config);
  const std::vector<float> mels = noise(2 * shape.n_mels * shape.frames, 60);
  const FloatTensor input = tensor_of({2, 1, shape.n_mels, shape.frames}, mels);
  const auto [mu, logvar] = model->encode(input, {});
  CHECK(mu.shape == std::vector<std::int64_t>{2, 11});

  Picture x = blank(1, 16 * shape.small_height, 16 * shape.small_width);
  for (std::int64_t m = 0; m < shape.n_mels; ++m)
    for (std::int64_t f = 0; f < shape.frames; ++f)
      x.at(0, m, f) = mels[static_cast<std::size_t>(m * shape.frames + f)];
  for (int layer = 0; layer < 4; ++layer) {
    const std::string prefix = "encoder.convs." + std::to_string(4 * layer);
    Picture y = blank(named(state, prefix + ".bias").shape[0], x.height / 2, x.width / 2);
    each_weight(state, prefix, [&](auto out, auto in, auto down, auto right, double w) {
      for (std::int64_t i = 0; i < y.height; ++i)
        for (std::int64_t j = 0; j < y.width; ++j) {
          const std::int64_t row = 2 * i + down - 1, column = 2 * j + right - 1;
          if (row >= 0 && row < x.height && column >= 0 && column < x.width)
            y.at(out, i, j) += w * x.at(in, row, column);
        }
    });
    add_bias(state, prefix, y);
    normalise_and_rectify(state, "encoder.convs." + std::to_string(4 * layer + 1), y);
    x = std::move(y);
  }
  for (const auto& [name, found] :
       {std::pair{"encoder.fc_mu", mu}, {"encoder.fc_logvar", logvar}}) {
    const float* weight = weights_of(state, name + std::string(".weight"));
    double largest = 0.0;
    for (std::int64_t i = 0; i < 11; ++i) {
      double expected = weights_of(state, name + std::string(".bias"))[i];
      for (const double value : x.values) expected += double{*weight++} * value;
      CHECK(near(found.data[i], expected, 1e-4));
      largest = std::max(largest, std::abs(expected));
    }
    CHECK(largest > 0.1);
  }
  const FloatTensor second = model->encode(slice(input, 1, 1), {}).first;
  CHECK(values_of(second) == values_of(slice(mu, 1, 1)));
}

TEST_CASE("weights of all float types and layouts are read") {
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(4, config);
  const VaeShape shape(Network::kSigmoid, 4, config);
  const NamedTensor plain = named(state, "decoder.fc.bias");
  const auto count = static_cast<std::size_t>(plain.shape[0]);
  const auto* const values = reinterpret_cast<const float*>(plain.data);
  const auto read = [&](DType dtype, std::vector<std::byte> bytes, std::int64_t stride) {
    NamedTensor& tensor = named(state, "decoder.fc.bias");
    auto memory = std::make_shared<std::vector<std::byte>>(std::move(bytes));
    tensor.dtype = dtype;
    tensor.strides = {stride};
    tensor.data = memory->data();
    tensor.owner = memory;
    const VaeWeights weights = collect_weights(state, shape);
    return std::vector<float>(weights.fc.bias.data, weights.fc.bias.data + count);
  };
  const auto encoded = [&](std::size_t size, std::size_t stride, auto encode) {
    std::vector<std::byte> bytes(count * size * stride);
    for (std::size_t i = 0; i < count; ++i) {
      const auto bits = encode(values[i]);
      std::memcpy(bytes.data() + i * size * stride, &bits, size);
    }
    return bytes;
  };
  const std::vector<float> expected(values, values + count);
  CHECK(read(DType::kFloat64, encoded(8, 1, [](float v) { return double{v}; }), 1) == expected);
  CHECK(read(DType::kFloat32, encoded(4, 3, [](float v) { return v; }), 3) == expected);
  const auto half =
      read(DType::kFloat16, encoded(2, 2, [](float v) { return double_to_half(v); }), 2);
  const auto brain =
      read(DType::kBFloat16,
           encoded(2, 1,
                   [](float v) {
                     return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16);
                   }),
           1);
  CHECK(largest_difference(half, expected) < 1e-3);
  CHECK(largest_difference(brain, expected) < 1e-2);
  CHECK(half != expected);
}

TEST_CASE("a model has the shapes of its configuration, and unexpected tensors are refused") {
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(16, config);
  const auto create = [&] { return Model::create(state, Network::kSigmoid, 16, config); };
  const auto refused = [&](const std::string& name) {
    return throws(ErrorCode::kSchema, "tensor", name, create);
  };
  const auto model = create();
  CHECK(model->has_encoder());
  CHECK(model->device() == "cpu");
  CHECK(model->byte_size() > 0);
  const FloatTensor mel = model->decode(filled({2, 16}, 0.1F), {});
  CHECK(mel.shape == std::vector<std::int64_t>{2, 1, 32, 126});
  CHECK(model->encode(mel, {}).first.shape == std::vector<std::int64_t>{2, 16});
  CHECK(throws(ErrorCode::kArgument, "found", "[2, 15]", [&] {
    model->decode(filled({2, 15}, 0.0F), {});
  }));
  CHECK(throws(ErrorCode::kArgument, "", "", [&] { model->decode(filled({0, 16}, 0.0F), {}); }));

  StateDict extra = state;
  std::swap(extra, state);
  state.push_back(state.back());
  CHECK(refused(state.back().name));
  state.back().name = "decoder.more";
  CHECK(refused("decoder.more"));
  state = extra;
  named(state, "decoder.fc.bias").shape = {3};
  CHECK(refused("decoder.fc.bias"));
  state = extra;
  named(state, "decoder.fc.bias").dtype = DType::kInt32;
  CHECK(refused("decoder.fc.bias"));
  state = extra;
  std::erase_if(state, [](const NamedTensor& t) { return t.name == "encoder.fc_logvar.bias"; });
  CHECK(refused("encoder.fc_logvar.bias"));
  state = extra;
  std::erase_if(state, [](const NamedTensor& t) { return t.name.starts_with("encoder.fc"); });
  const auto decoder = create();
  CHECK_FALSE(decoder->has_encoder());
  CHECK(throws(ErrorCode::kSchema, "", "", [&] { decoder->encode(mel, {}); }));
}

TEST_CASE("the sigmoid is that of the C library, and NaN stays NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {-800.0F, -30.0F, -1.5F, 0.0F, 0.7F, 20.0F, 800.0F, nan};
  std::vector<float> found(logits.size());
  kernels::sigmoid(logits.data(), 0.25F, found.data(), static_cast<std::int64_t>(logits.size()));
  for (std::size_t i = 0; i + 1 < logits.size(); ++i)
    CHECK(found[i] == static_cast<float>(1.0 / (1.0 + std::exp(-double{logits[i] + 0.25F}))));
  CHECK(std::isnan(found.back()));
}

}  // namespace
}  // namespace sda::engine
