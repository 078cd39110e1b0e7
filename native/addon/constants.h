// The numbers and names that C++ and TypeScript both state.
#pragma once

#include <napi.h>

namespace sda::addon {

// constants() → NativeConstants of lib/native/types.ts, for the test that compares both sides.
Napi::Value constants(const Napi::CallbackInfo& info);

}  // namespace sda::addon
