#include "addon/library.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/marshal/arguments.h"
#include "library/find_text.h"
#include "library/folder_lock.h"
#include "library/index_file.h"
#include "library/rename.h"

namespace sda::addon {

template <>
struct HandleTag<library::FolderLock> {
  static constexpr napi_type_tag kTag = {0x51c9a2e07d3b4c18, 0xb7f0d46e1a8352c9};
};

namespace {

const char* name_of(library::Renamed outcome) {
  switch (outcome) {
    case library::Renamed::kDone:
      return "done";
    case library::Renamed::kTaken:
      return "taken";
    case library::Renamed::kMissing:
      return "missing";
    case library::Renamed::kUnsupported:
      return "unsupported";
  }
  return "unsupported";
}

// An ArrayBuffer over the bytes, without a copy where the runtime allows that. It keeps them alive.
Napi::ArrayBuffer array_buffer(Napi::Env env, std::shared_ptr<PageBuffer> bytes) {
  if (bytes->size() == 0) return Napi::ArrayBuffer::New(env, 0);
  auto keeper = std::make_unique<std::shared_ptr<PageBuffer>>(bytes);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, bytes->data(), bytes->size(),
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<PageBuffer>*>(hint); },
      keeper.get(), &buffer);
  if (status == napi_ok) {
    keeper.release();
    return Napi::ArrayBuffer(env, buffer);
  }
  auto copy = Napi::ArrayBuffer::New(env, bytes->size());
  std::memcpy(copy.Data(), bytes->data(), bytes->size());
  return copy;
}

}  // namespace

Napi::Value read_index(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) {
          auto file = std::make_shared<library::IndexFile>(library::read_index(path, cancel));
          return [file](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            const std::size_t size = file->bytes->size();
            result.Set("bytes",
                       Napi::Uint8Array::New(env, size, array_buffer(env, file->bytes), 0));
            result.Set("identity", file->identity);
            if (!file->layout) {
              result.Set("layout", env.Null());
              return result;
            }
            auto layout = Napi::Uint32Array::New(env, file->layout->size());
            // Not memcpy(), whose pointers must not be null: an index without entries has none.
            std::copy(file->layout->begin(), file->layout->end(), layout.Data());
            result.Set("layout", layout);
            return result;
          };
        });
  });
}

Napi::Value try_lock(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env()).run(call.Env(), nullptr, [path](const CancelToken&) {
      const std::shared_ptr<library::FolderLock> lock = library::FolderLock::try_acquire(path);
      return [lock](Napi::Env env) -> Napi::Value {
        if (!lock) return env.Null();
        return wrap_handle(env, lock);
      };
    });
  });
}

Napi::Value can_lock(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string folder = string_argument(call[0], "folder");
    return Environment::of(call.Env()).run(call.Env(), nullptr, [folder](const CancelToken&) {
      const bool supported = library::FolderLock::is_supported(folder);
      return
          [supported](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, supported); };
    });
  });
}

Napi::Value unlock(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    unwrap_handle<library::FolderLock>(call[0])->release();
    return call.Env().Undefined();
  });
}

Napi::Value rename_file(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string from = string_argument(call[0], "from");
    const std::string to = string_argument(call[1], "to");
    const bool exchange = string_argument(call[2], "mode") == "exchange";
    std::optional<std::string> expected;
    if (call[3].IsString()) expected = string_argument(call[3], "expected");
    const int descriptor = call[4].IsNumber() ? call[4].As<Napi::Number>().Int32Value() : -1;
    return Environment::of(call.Env())
        .run(call.Env(), nullptr, [from, to, exchange, expected, descriptor](const CancelToken&) {
          const auto outcome = exchange ? library::exchange_names(from, to, expected, descriptor)
                                        : library::rename_without_replacing(from, to);
          return [outcome](Napi::Env env) -> Napi::Value {
            return Napi::String::New(env, name_of(outcome));
          };
        });
  });
}

Napi::Value find_text(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto text_of = [](const Napi::Value& value) {
      if (!value.IsTypedArray() ||
          value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
        throw Error(ErrorCode::kArgument, "texts must be Uint8Array");
      const auto bytes = value.As<Napi::Uint8Array>();
      return std::string_view(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
    };
    if (!call[1].IsTypedArray() ||
        call[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
      throw Error(ErrorCode::kArgument, "starts must be a Uint32Array");
    const auto starts = call[1].As<Napi::Uint32Array>();
    const auto found = library::find_text(text_of(call[0]), {starts.Data(), starts.ElementLength()},
                                          text_of(call[2]));
    auto result = Napi::Uint32Array::New(call.Env(), found.size());
    std::copy(found.begin(), found.end(), result.Data());
    return result;
  });
}

}  // namespace sda::addon
