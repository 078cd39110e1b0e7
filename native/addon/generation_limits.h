#pragma once

#include <napi.h>

namespace sda::addon {

// generationLimits() → the engine's limits, in the form of LIMITS in lib/audio/limits.ts
Napi::Value generation_limits(const Napi::CallbackInfo& info);

}  // namespace sda::addon
