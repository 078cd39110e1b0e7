#include "addon/marshal/external_buffer.h"

#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "addon/environment.h"
#include "checkpoint/error.h"

namespace sda::addon {
namespace {

// The owners of the external buffers of this process.
class Owners {
 public:
  static Owners& shared() {
    static auto* owners = new Owners();  // buffers may outlive static objects
    return *owners;
  }
  void add(const void* data, std::weak_ptr<const void> owner) {
    const std::lock_guard lock(mutex_);
    owners_[data] = std::move(owner);
  }
  void forget_expired(const void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(data);
    if (found != owners_.end() && found->second.expired()) owners_.erase(found);
  }
  std::shared_ptr<const void> find(const void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(data);
    return found == owners_.end() ? nullptr : found->second.lock();
  }

 private:
  std::mutex mutex_;
  std::map<const void*, std::weak_ptr<const void>> owners_;
};

}  // namespace

std::shared_ptr<const void> owner_of_buffer(const void* data) {
  return Owners::shared().find(data);
}

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
  const auto release = [](napi_env, void* freed, void* hint) {
    delete static_cast<std::shared_ptr<const void>*>(hint);
    Owners::shared().forget_expired(freed);
  };
  Owners::shared().add(data, *keep);
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
