// Converts float tensors and seeds between C++ and JavaScript.
#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::addon {

// Copies { shape, data: Float32Array }, because JavaScript may change the array while the work
// waits.
engine::FloatTensor float_tensor_argument(const Napi::Value& value, const char* name);

// { shape, data } over the tensor's own memory, without a copy.
Napi::Object to_object(Napi::Env env, const engine::FloatTensor& tensor);

// A Float32Array over `data`, which shares `owner` to keep it alive.
Napi::Value float_array(Napi::Env env, float* data, std::size_t count,
                        std::shared_ptr<const void> owner);

// Copies an Int32Array of codes.
std::vector<std::int32_t> codes_argument(const Napi::Value& value);
// An Int32Array of its own memory.
Napi::Value codes_array(Napi::Env env, const std::vector<std::int32_t>& codes);

// A seed from 0 to 2^53 - 1; for undefined, a random one from the system.
std::uint64_t seed_argument(const Napi::Value& value);

}  // namespace sda::addon
