// Work on the engine's threads, in turn with everything else that they do.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/environment.h"

namespace sda::addon {

// As Environment::run. Throws kLimit where the engine has too much to do already.
Napi::Promise run_on_engine(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work);

// configureEngine({ threads?, maxRequests? }) → the settings in force
Napi::Value configure_engine(const Napi::CallbackInfo& info);

// stopWork(): the engine's threads and the pool's.
Napi::Value stop_all_work(const Napi::CallbackInfo& info);

}  // namespace sda::addon
