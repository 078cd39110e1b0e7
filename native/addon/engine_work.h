// Work on the engine's threads, scheduled fairly among the other requests.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/environment.h"

namespace sda::addon {

// As Environment::run(), but `work` runs on a thread of the engine. Throws kLimit when the engine's
// queue is full.
Napi::Promise run_on_engine(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work);

// configureEngine({ threads?, maxRequests? }) → the settings in force
Napi::Value configure_engine(const Napi::CallbackInfo& info);

// stopWork(): stops the work on the engine's threads and on the pool's.
Napi::Value stop_all_work(const Napi::CallbackInfo& info);

}  // namespace sda::addon
