// ArrayBuffers over native memory.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

namespace sda::addon {

// An ArrayBuffer over `size` bytes at `data`, which shares `owner` to keep them alive. In a runtime
// that allows no external memory (Electron), it is a copy. Throws kLimit when an ArrayBuffer cannot
// be that large. Only on the environment's thread.
napi_value external_buffer(Napi::Env env, void* data, std::size_t size,
                           std::shared_ptr<const void> owner);

// What keeps the memory of such a buffer alive, by the buffer's first byte. Null for any other
// memory. From any thread.
std::shared_ptr<const void> owner_of_buffer(const void* data);

}  // namespace sda::addon
