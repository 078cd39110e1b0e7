// Native objects behind opaque JavaScript objects. A type tag makes passing the wrong one an error
// and not a crash. The handle shares the object, so that running work may outlive the JavaScript
// object. Only on the environment's thread.
#pragma once

#include <napi.h>

#include <memory>

#include "checkpoint/error.h"

namespace sda::addon {

// Each T behind a handle specialises this with a random 128-bit number.
template <typename T>
struct HandleTag;

template <typename T>
Napi::Object wrap_handle(Napi::Env env, std::shared_ptr<T> value) {
  Napi::Object object = Napi::Object::New(env);
  auto holder = std::make_unique<std::shared_ptr<T>>(std::move(value));
  const auto release = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<T>*>(data);
  };
  // The wrap comes last: once it succeeds, the object owns the holder. A worker thread that is
  // being terminated may refuse every call.
  if (napi_type_tag_object(env, object, &HandleTag<T>::kTag) != napi_ok ||
      napi_wrap(env, object, holder.get(), release, nullptr, nullptr) != napi_ok)
    throw Error(ErrorCode::kNative, "cannot make a native handle");
  holder.release();
  return object;
}

// The pointer in the handle, which the caller may change. Throws kArgument for any other value.
template <typename T>
std::shared_ptr<T>& unwrap_handle(const Napi::Value& value) {
  bool tagged = false;
  void* holder = nullptr;
  if (!value.IsObject() ||
      napi_check_object_type_tag(value.Env(), value, &HandleTag<T>::kTag, &tagged) != napi_ok ||
      !tagged || napi_unwrap(value.Env(), value, &holder) != napi_ok)
    throw Error(ErrorCode::kArgument, "not a native handle of the expected kind");
  return *static_cast<std::shared_ptr<T>*>(holder);
}

}  // namespace sda::addon
