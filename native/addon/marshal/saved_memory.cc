#include "addon/marshal/saved_memory.h"

#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <utility>

#include "addon/marshal/external_buffer.h"
#include "checkpoint/error.h"

namespace sda::addon {
namespace {

// How often a waiting thread looks whether its work has been cancelled.
constexpr std::chrono::milliseconds kLook{20};

// One call by the environment's thread. The thread that waits for it may leave.
struct Call {
  std::mutex mutex;
  std::condition_variable done;
  bool ended = false;
  bool changed = false;
  bool abandoned = false;
};

}  // namespace

bool SavedMemory::keep(const void* buffer_data) {
  auto owner = owner_of_buffer(buffer_data);
  if (!owner) return false;
  if (owners_.empty() || owners_.back() != owner) owners_.push_back(std::move(owner));
  return true;
}

void SavedMemory::guard(napi_value buffer, const std::byte* data, std::size_t size) {
  const auto [noted, is_new] = buffers_.try_emplace(data, Buffer{nullptr, data, size});
  if (is_new && napi_create_reference(env_, buffer, 1, &noted->second.reference) != napi_ok)
    throw Error(ErrorCode::kNative, "cannot keep a JavaScript value");
}

void SavedMemory::access(const void* data, const std::function<void()>& f,
                         const CancelToken& cancel) const {
  const auto after = buffers_.upper_bound(data);
  if (after == buffers_.begin()) return f();
  const Buffer& buffer = std::prev(after)->second;
  if (data >= buffer.data + buffer.size) return f();

  const auto call = std::make_shared<Call>();
  environment_.post([call, buffer, &f](Napi::Env env) {
    const std::lock_guard lock(call->mutex);
    if (call->abandoned) return;  // and `f` is gone
    napi_value value;
    void* now = nullptr;
    std::size_t size = 0;
    call->changed = napi_get_reference_value(env, buffer.reference, &value) != napi_ok ||
                    value == nullptr ||
                    napi_get_arraybuffer_info(env, value, &now, &size) != napi_ok ||
                    now != buffer.data || size != buffer.size;
    if (!call->changed) f();
    call->ended = true;
    call->done.notify_one();
  });
  std::unique_lock lock(call->mutex);
  while (!call->done.wait_for(lock, kLook, [&] { return call->ended; })) {
    if (!cancel.cancelled()) continue;
    call->abandoned = true;
    throw Cancelled();
  }
  if (call->changed)
    throw Error(ErrorCode::kArgument, "an array's buffer was transferred or resized during save");
}

void SavedMemory::release() {
  for (const auto& [data, buffer] : buffers_) napi_delete_reference(env_, buffer.reference);
  buffers_.clear();
  owners_.clear();
}

}  // namespace sda::addon
