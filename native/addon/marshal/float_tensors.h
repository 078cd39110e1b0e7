// Float tensors and seeds across the boundary.
#pragma once

#include <napi.h>

#include "engine/engine.h"

namespace sda::addon {

// A copy of { shape, data: Float32Array }: the caller may change the array while the work waits.
engine::FloatTensor float_tensor_argument(const Napi::Value& value, const char* name);

// { shape, data } on the tensor's own memory.
Napi::Object to_object(Napi::Env env, const engine::FloatTensor& tensor);

// A Float32Array on memory that `owner` keeps alive.
Napi::Value float_array(Napi::Env env, float* data, std::size_t count,
                        std::shared_ptr<const void> owner);

// 0 to 2^53 - 1; undefined: drawn from the system.
std::uint64_t seed_argument(const Napi::Value& value);

}  // namespace sda::addon
