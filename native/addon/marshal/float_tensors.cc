#include "addon/marshal/float_tensors.h"

#include <algorithm>
#include <random>

#include "addon/marshal/arguments.h"
#include "addon/marshal/external_buffer.h"
#include "addon/marshal/numbers.h"

namespace sda::addon {
namespace {

constexpr std::uint32_t kMaxDimensions = 8;

}  // namespace

engine::FloatTensor float_tensor_argument(const Napi::Value& value, const char* name) {
  const auto wrong = [&](const char* what) {
    return Error(ErrorCode::kArgument, std::string(name) + " " + what)
        .with("option", std::string(name));
  };
  const Napi::Object object = object_argument(value, name);
  const Napi::Value shape = object.Get("shape");
  const Napi::Value data = object.Get("data");
  if (!shape.IsArray() || !data.IsTypedArray() ||
      data.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
    throw wrong("must be a float32 tensor");
  const auto sizes = shape.As<Napi::Array>();
  if (sizes.Length() > kMaxDimensions) throw wrong("has too many dimensions");
  engine::FloatTensor tensor;
  double count = 1;
  for (std::uint32_t d = 0; d < sizes.Length(); ++d) {
    const double size = number_argument(sizes.Get(d), name);
    if (!(size >= 0) || !is_safe_integer(size))
      throw wrong("has a size that is not a whole number");
    tensor.shape.push_back(static_cast<std::int64_t>(size));
    count *= size;
  }
  // Read last: reading the shape may run JavaScript, which could detach the array.
  const auto floats = data.As<Napi::Float32Array>();
  if (count != static_cast<double>(floats.ElementLength()))
    throw wrong("does not have as many elements as its shape says");
  tensor.data.reset(new float[floats.ElementLength()]);
  std::copy_n(floats.Data(), floats.ElementLength(), tensor.data.get());
  return tensor;
}

Napi::Value float_array(Napi::Env env, float* data, std::size_t count,
                        std::shared_ptr<const void> owner) {
  if (count == 0) return Napi::Float32Array::New(env, 0);
  const napi_value buffer = external_buffer(env, data, count * sizeof(float), std::move(owner));
  return Napi::Float32Array::New(env, count, Napi::ArrayBuffer(env, buffer), 0);
}

Napi::Object to_object(Napi::Env env, const engine::FloatTensor& tensor) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
  for (std::uint32_t d = 0; d < tensor.shape.size(); ++d)
    shape.Set(d, static_cast<double>(tensor.shape[d]));
  object.Set("shape", shape);
  object.Set("data", float_array(env, tensor.data.get(), static_cast<std::size_t>(tensor.numel()),
                                 tensor.data));
  return object;
}

std::vector<std::int32_t> codes_argument(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
    throw Error(ErrorCode::kArgument, "codes must be an Int32Array")
        .with("option", std::string("codes"));
  const auto codes = value.As<Napi::Int32Array>();
  return {codes.Data(), codes.Data() + codes.ElementLength()};
}

Napi::Value codes_array(Napi::Env env, const std::vector<std::int32_t>& codes) {
  auto array = Napi::Int32Array::New(env, codes.size());
  std::copy(codes.begin(), codes.end(), array.Data());
  return array;
}

std::uint64_t seed_argument(const Napi::Value& value) {
  if (value.IsUndefined()) {
    std::random_device device;
    return device();
  }
  const double seed = number_argument(value, "seed");
  if (!(seed >= 0) || !is_safe_integer(seed))
    throw Error(ErrorCode::kArgument, "seed must be a whole number from 0 to 2^53 - 1")
        .with("option", std::string("seed"));
  return static_cast<std::uint64_t>(seed);
}

}  // namespace sda::addon
