// The memory of typed arrays while a save writes it. JavaScript may transfer or resize a buffer
// meanwhile, and a worker thread's buffers go before its jobs end, so a job never reads memory that
// only JavaScript owns.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "addon/environment.h"
#include "checkpoint/cancel.h"

namespace sda::addon {

class SavedMemory {
 public:
  // On the environment's thread, as are keep(), add() and release().
  explicit SavedMemory(Napi::Env env) : env_(env), environment_(Environment::of(env)) {}

  // Keeps the native memory at `buffer_data`, the start of an ArrayBuffer. False if this addon did
  // not make that buffer, or if it is a copy.
  bool keep(const void* buffer_data);

  // Notes a buffer whose memory may only be read in access().
  void guard(napi_value buffer, const std::byte* data, std::size_t size);

  bool has_guarded() const noexcept { return !buffers_.empty(); }

  // Calls `f`, which may read a little of the memory at `data`. If guard() has noted that memory,
  // the environment's thread calls it, after checking that the buffer has not changed. On a pool
  // thread. Throws kArgument if the buffer has changed, and Cancelled.
  void access(const void* data, const std::function<void()>& f, const CancelToken& cancel) const;

  void release();

 private:
  struct Buffer {
    napi_ref reference;
    const std::byte* data;
    std::size_t size;
  };

  Napi::Env env_;
  Environment& environment_;
  std::map<const void*, Buffer> buffers_;  // by their first byte
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace sda::addon
