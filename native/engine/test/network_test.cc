// The parts of engine/network, against ATen and the C library.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/kernels.h"
#include "engine/network/conv_kernels.h"
#include "engine/network/conv_vae.h"
#include "engine/tensors.h"
#include "engine/test/support.h"

namespace sda::engine {
namespace {

#if defined(__x86_64__)
struct ConvKernels {
  decltype(&kernels::plain::dot) dot;
  decltype(&kernels::plain::transposed_conv_row) row;
  decltype(&kernels::plain::transposed_conv_row_of_one) row_of_one;
};
#define SDA_KERNELS_OF(set) \
  ConvKernels { set::dot, set::transposed_conv_row, set::transposed_conv_row_of_one }

void expect_same_bits(const ConvKernels& plain, const ConvKernels& wide) {
  const std::int64_t inputs = 24, outputs = 64, height = 3, width = 9;
  const at::Tensor x = at::randn({height, width, inputs}), taps = at::randn({9, inputs, outputs});
  const at::Tensor bias = at::randn({outputs}), scale = at::randn({outputs}),
                   shift = at::randn({outputs});
  const kernels::TransposedConv layer{taps.const_data_ptr<float>(),
                                      bias.const_data_ptr<float>(),
                                      scale.const_data_ptr<float>(),
                                      shift.const_data_ptr<float>(),
                                      inputs,
                                      outputs};
  const at::Tensor expected = at::zeros({2 * height, 2 * width, outputs}),
                   found = at::zeros_like(expected);
  const at::Tensor expected_line = at::zeros({2, 2 * width}), line = at::zeros({2, 2 * width});
  for (std::int64_t row = 0; row < height; ++row) {
    const float* const in = x.const_data_ptr<float>();
    plain.row(layer, in, row, height, width, expected.data_ptr<float>());
    wide.row(layer, in, row, height, width, found.data_ptr<float>());
    plain.row_of_one(layer.taps, inputs, in, row, height, width, expected_line.data_ptr<float>());
    wide.row_of_one(layer.taps, inputs, in, row, height, width, line.data_ptr<float>());
    CHECK(at::equal(expected_line, line));
  }
  CHECK(at::equal(expected, found));
  CHECK((expected != 0).any().item<bool>());
  for (std::int64_t count : {1, 7, 8, 21, 64})
    CHECK(plain.dot(layer.taps, layer.bias, count) == wide.dot(layer.taps, layer.bias, count));
}
#endif

// The kernels for any processor and those for this one must agree to the last bit.
TEST_CASE("all versions of the kernels give the same bits") {
  const c10::InferenceMode guard;
#if defined(__x86_64__)
  const ConvKernels plain = SDA_KERNELS_OF(kernels::plain);
  if (__builtin_cpu_supports("fma")) expect_same_bits(plain, SDA_KERNELS_OF(kernels::fma));
  if (__builtin_cpu_supports("avx512f")) expect_same_bits(plain, SDA_KERNELS_OF(kernels::avx512));
#endif
}

// For a model whose mel is cropped on both sides.
TEST_CASE("the decoder gives what ATen gives, for each item of a batch") {
  const c10::InferenceMode guard;
  SpectrogramConfig config = small_config();
  config.n_mels = 40;
  StateDict state = make_state(11, config);
  for (NamedTensor& tensor : state) {
    if (tensor.name.ends_with(".running_var"))
      std::fill_n(reinterpret_cast<float*>(tensor.data), tensor.shape[0], 0.7F);
    if (!tensor.name.starts_with("decoder.") || !tensor.name.ends_with(".weight")) continue;
    const at::Tensor random = at::randn(tensor.shape) * (tensor.shape.size() == 4 ? 0.1 : 0.5);
    std::copy_n(random.const_data_ptr<float>(), random.numel(),
                reinterpret_cast<float*>(tensor.data));
  }
  const ConvVae model(state, 11, config, at::kCPU);
  const at::Tensor z = at::randn({3, 11}, at::kFloat);
  const FloatTensor mel = model.decode(to_float_tensor(z), {});
  const at::Tensor expected = model.decode_aten(z, {});
  CHECK(mel.shape == expected.sizes().vec());
  const at::Tensor found = view_of(mel, {-1, 1, 40, -1}, "mel");
  CHECK((found - expected).abs().max().item<double>() < 1e-5);
  CHECK((expected.max() - expected.min()).item<double>() > 0.01);
  // An item of a batch gives the same bits as alone.
  const FloatTensor last = model.decode(to_float_tensor(z.narrow(0, 2, 1).contiguous()), {});
  CHECK(at::equal(view_of(last, {1, 1, 40, -1}, "mel"), found.narrow(0, 2, 1)));
}

TEST_CASE("a model has the shapes of its configuration, and unexpected tensors are refused") {
  const c10::InferenceMode guard;
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(16, config);
  const auto create = [&] { return Model::create(state, 16, config, "cpu"); };
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
