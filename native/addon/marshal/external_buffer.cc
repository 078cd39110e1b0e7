#include "addon/marshal/external_buffer.h"

#include <cstring>
#include <string>

#include "addon/environment.h"
#include "checkpoint/error.h"

namespace sda::addon {
napi_value external_buffer(Napi::Env env, void* data, std::size_t size,
                           std::shared_ptr<const void> owner) {
  // Checked here, because Node frees the memory and then reports a failure when the size is too
  // large.
  const double limit = Environment::of(env).max_buffer_bytes;
  if (static_cast<double>(size) > limit)
    throw Error(ErrorCode::kLimit, "a tensor of " + std::to_string(size) +
                                       " bytes; this Node's buffers have at most " +
                                       std::to_string(limit));
  napi_value buffer;
  auto keep = std::make_unique<std::shared_ptr<const void>>(std::move(owner));
  const auto release = [](napi_env, void*, void* hint) {
    delete static_cast<std::shared_ptr<const void>*>(hint);
  };
  const napi_status status =
      napi_create_external_arraybuffer(env, data, size, release, keep.get(), &buffer);
  if (status == napi_ok) {
    keep.release();
    return buffer;
  }
  if (status == napi_generic_failure) keep.release();  // Node has called `release` already
  void* copy;
  if (status != napi_no_external_buffers_allowed ||
      napi_create_arraybuffer(env, size, &copy, &buffer) != napi_ok) {
    if (env.IsExceptionPending()) throw env.GetAndClearPendingException();
    throw Error(ErrorCode::kNative, "cannot make an ArrayBuffer");
  }
  std::memcpy(copy, data, size);
  return buffer;
}

}  // namespace sda::addon
