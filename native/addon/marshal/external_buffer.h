// ArrayBuffers over native memory.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

namespace sda::addon {

// An ArrayBuffer over `size` bytes that `owner` keeps alive; a copy in runtimes that take no
// foreign memory (Electron). kLimit for more bytes than an ArrayBuffer can have.
napi_value external_buffer(Napi::Env env, void* data, std::size_t size,
                           std::shared_ptr<const void> owner);

}  // namespace sda::addon
