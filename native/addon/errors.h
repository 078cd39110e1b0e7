// Converts C++ exceptions to JavaScript errors with `code` and `details`.
#pragma once

#include <napi.h>

#include <string_view>

#include "checkpoint/error.h"

namespace sda::addon {

// The code of a cancelled call. lib/native/call.ts turns such an error into the signal's reason.
inline constexpr std::string_view kAbortedCode = "ERR_SDA_ABORTED";

// The code of a call that needs bytes of the file that are not in its image; `details` has their
// offset and size. lib/torch/containers/source.ts fetches them and calls again.
inline constexpr std::string_view kPartMissingCode = "ERR_SDA_PART_MISSING";

// The exception that is being handled, of any type, as an Error object. Only inside a catch block,
// on the environment's thread.
Napi::Value current_error(Napi::Env env);

// Runs the body of a native function. An exception of any type becomes a JavaScript exception.
template <typename F>
auto guarded(const Napi::CallbackInfo& info, F&& body) {
  try {
    return body(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(info.Env(), current_error(info.Env()));
  }
}

}  // namespace sda::addon
