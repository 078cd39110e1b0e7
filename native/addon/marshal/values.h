// What JavaScript's form of a value is, and the way there. Tensors view the document's bytes
// without a copy. Functions that take an environment run on its thread only.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "checkpoint/tensor/dtype.h"

namespace sda::addon {

struct Program;

// Marks the ArrayBuffer of a loaded storage. Saving a tensor on such a buffer saves the whole
// storage. For a tensor on any other buffer, only the bytes that the tensor views are saved.
inline constexpr napi_type_tag kStorageBufferTag = {0x4d1c40f3a0b84c0e, 0x9f2f6a5be77d1ac6};

// The typed array that holds the elements of a dtype. JavaScript has no type for some of them:
// float16, bfloat16 and complex32 come as bits in a Uint16Array, 8-bit floats and bools as bits in
// a Uint8Array. Complex numbers are interleaved real and imaginary parts.
struct ArrayLayout {
  napi_typedarray_type type;
  std::size_t bytes;  // of one element of the typed array
};
ArrayLayout array_layout(DType dtype);

// Passes a program to JavaScript, which makes the values of it: see lib/values/program.ts. It takes
// each text and buffer once.
Napi::Object program_object(Napi::Env env, std::shared_ptr<Program> program);
// The values of a program, made at once.
Napi::Value values_of(Napi::Env env, std::shared_ptr<Program> program);

// prepare(factories): once in each thread, before any file is read
Napi::Value prepare(const Napi::CallbackInfo& info);
// programText(handle, index)
Napi::Value program_text(const Napi::CallbackInfo& info);
// programBuffer(handle, index)
Napi::Value program_buffer(const Napi::CallbackInfo& info);

}  // namespace sda::addon
