#include "addon/marshal/values.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/external_buffer.h"
#include "addon/marshal/program.h"
#include "checkpoint/error.h"

namespace sda::addon {

template <>
struct HandleTag<Program> {
  static constexpr napi_type_tag kTag = {0x6d2f81b7c3e94a50, 0x93e7054adb1c8f26};
};

namespace {

// Buffers up to this size are copied, because an external buffer needs a finalizer and costs more.
// Those of storages are not: saving reads an external one on any thread.
constexpr std::size_t kCheaperCopied = 4096;

// Throws kLimit for a string, array or Map that is too large for V8, and what else has failed.
void check(Napi::Env env, napi_status status) {
  if (status == napi_ok) return;
  if (env.IsExceptionPending()) {
    const Napi::Error error = env.GetAndClearPendingException();
    if (error.Get("name").ToString().Utf8Value() == "RangeError")
      throw Error(ErrorCode::kLimit, error.Message());
    throw error;
  }
  throw Error(ErrorCode::kNative, "cannot make a JavaScript value");
}

napi_value copied_buffer(Napi::Env env, const std::byte* data, std::size_t size) {
  void* copy;
  napi_value buffer;
  check(env, napi_create_arraybuffer(env, size, &copy, &buffer));
  if (size > 0) std::memcpy(copy, data, size);
  return buffer;
}

napi_value buffer_of(Napi::Env env, void* data, std::size_t size,
                     std::shared_ptr<const void> owner) {
  if (size <= kCheaperCopied) return copied_buffer(env, static_cast<std::byte*>(data), size);
  return external_buffer(env, data, size, std::move(owner));
}

napi_value string_of(Napi::Env env, const Program::Text& text) {
  napi_value result;
  // Node reports a text that is too long as an argument that is wrong.
  const napi_status status =
      text.wide.empty()
          ? napi_create_string_latin1(env, text.latin1.data(), text.latin1.size(), &result)
          : napi_create_string_utf16(env, text.wide.data(), text.wide.size(), &result);
  if (status != napi_ok && !env.IsExceptionPending())
    throw Error(ErrorCode::kLimit, "a text that is longer than a JavaScript string can be");
  check(env, status);
  return result;
}

// Calls `f` with the program and an element of one of its lists.
template <typename F>
Napi::Value with_element(const Napi::CallbackInfo& info, F&& f) {
  return guarded(info, [&](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto program = unwrap_handle<Program>(call[0]);
    const auto index =
        static_cast<std::size_t>(std::max<std::int64_t>(0, integer_argument(call[1], "index")));
    try {
      return {call.Env(), f(call.Env(), *program, index)};
    } catch (Error& error) {
      error.with("path", program->path);
      throw;
    }
  });
}

}  // namespace

ArrayLayout array_layout(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kQInt8:
      return {napi_int8_array, 1};
    case DType::kInt16:
      return {napi_int16_array, 2};
    case DType::kInt32:
    case DType::kQInt32:
      return {napi_int32_array, 4};
    case DType::kInt64:
      return {napi_bigint64_array, 8};
    case DType::kUint16:
    case DType::kBits16:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kComplex32:
      return {napi_uint16_array, 2};
    case DType::kUint32:
      return {napi_uint32_array, 4};
    case DType::kUint64:
      return {napi_biguint64_array, 8};
    case DType::kFloat32:
    case DType::kComplex64:
      return {napi_float32_array, 4};
    case DType::kFloat64:
    case DType::kComplex128:
      return {napi_float64_array, 8};
    default:
      return {napi_uint8_array, 1};
  }
}

Napi::Object program_object(Napi::Env env, std::shared_ptr<Program> program) {
  auto code = std::make_shared<std::vector<double>>(std::move(program->code));
  const std::size_t count = code->size();
  double* const data = code->data();
  const napi_value buffer = buffer_of(env, data, count * sizeof(double), std::move(code));
  Napi::Object result = Napi::Object::New(env);
  napi_value array;
  check(env, napi_create_typedarray(env, napi_float64_array, count, buffer, 0, &array));
  result.Set("code", array);
  result.Set("path", program->path);
  result.Set("handle", wrap_handle(env, std::move(program)));
  return result;
}

Napi::Value values_of(Napi::Env env, std::shared_ptr<Program> program) {
  const auto& factories = Environment::of(env).factories;
  if (factories.IsEmpty()) throw Error(ErrorCode::kNative, "prepare has not been called");
  const napi_value object = program_object(env, std::move(program));
  napi_value result;
  check(env, napi_call_function(env, env.Undefined(), factories.Value().Get("readProgram"), 1,
                                &object, &result));
  return {env, result};
}

Napi::Value prepare(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    Environment& environment = Environment::of(call.Env());
    const Napi::Object factories = object_argument(call[0], "factories");
    environment.max_buffer_bytes =
        number_argument(factories.Get("maxBufferBytes"), "maxBufferBytes");
    environment.factories = Napi::Persistent(factories);
    return call.Env().Undefined();
  });
}

Napi::Value program_text(const Napi::CallbackInfo& info) {
  return with_element(info, [](Napi::Env env, Program& program, std::size_t index) {
    const Program::Text text = std::move(program.texts.at(index));
    return string_of(env, text);
  });
}

Napi::Value program_buffer(const Napi::CallbackInfo& info) {
  return with_element(info, [](Napi::Env env, Program& program, std::size_t index) {
    Program::Buffer& taken = program.buffers.at(index);
    auto owner = std::exchange(taken.owner, nullptr);
    if (!taken.storage) return buffer_of(env, taken.data, taken.size, std::move(owner));
    const napi_value buffer = external_buffer(env, taken.data, taken.size, std::move(owner));
    check(env, napi_type_tag_object(env, buffer, &kStorageBufferTag));
    return buffer;
  });
}

}  // namespace sda::addon
