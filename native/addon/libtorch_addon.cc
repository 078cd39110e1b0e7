// sda_libtorch.node: LibTorch as a backend of the engine. LibTorch must be open before this addon
// is loaded; see preload() of the checkpoint addon.
#include <napi.h>

#include <exception>

#include "engine/backend_interface.h"
#include "libtorch/device.h"
#include "libtorch/torch_backend.h"

namespace sda::addon {
namespace {

// info() → { version, cudaDevices }. Opens LibTorch's CUDA library.
Napi::Value backend_info(const Napi::CallbackInfo& call) {
  try {
    Napi::Object result = Napi::Object::New(call.Env());
    result.Set("version", libtorch::loaded_version());
    result.Set("cudaDevices", libtorch::cuda_state().devices);
    return result;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(call.Env(), libtorch::reason_of(error));
  }
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("version", SDA_VERSION);
  exports.Set("builtWith", SDA_LIBTORCH_VERSION);
  exports.Set("info", Napi::Function::New(env, backend_info, "info"));
  // Napi::External takes no constant. Nobody changes the interface.
  auto& backend = const_cast<engine::backend::Interface&>(libtorch::torch_backend());
  exports.Set("backend", Napi::External<engine::backend::Interface>::New(env, &backend));
  return exports;
}

}  // namespace

NODE_API_MODULE(sda_libtorch, initialise)

}  // namespace sda::addon
