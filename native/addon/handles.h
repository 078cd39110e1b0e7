// Native objects behind opaque JavaScript objects: type-tagged, so that handing the wrong one over
// is an error and not a crash, and shared, so that running work outlives the JavaScript object.
#pragma once

#include <napi.h>

#include <memory>

#include "checkpoint/error.h"

namespace sda::addon {

// Each T that is used as a handle specialises this with a random 128-bit number.
template <typename T>
struct HandleTag;

template <typename T>
Napi::Object wrap_handle(Napi::Env env, std::shared_ptr<T> value) {
  Napi::Object object = Napi::Object::New(env);
  auto holder = std::make_unique<std::shared_ptr<T>>(std::move(value));
  const auto release = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<T>*>(data);
  };
  // The wrap comes last: once it has succeeded the object owns the holder, and a worker that is
  // being terminated may refuse any call after it.
  if (napi_type_tag_object(env, object, &HandleTag<T>::kTag) != napi_ok ||
      napi_wrap(env, object, holder.get(), release, nullptr, nullptr) != napi_ok)
    throw Error(ErrorCode::kNative, "cannot make a native handle");
  holder.release();
  return object;
}

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
