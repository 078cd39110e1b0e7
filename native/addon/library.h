// What a models folder needs of the system: its lock, its index, and renames.
#pragma once

#include <napi.h>

namespace sda::addon {

// readIndex(path, cancel?) → { bytes, identity, layout }
Napi::Value read_index(const Napi::CallbackInfo& info);

// tryLock(path) → a handle, or null when somebody else holds the lock
Napi::Value try_lock(const Napi::CallbackInfo& info);

// unlock(handle): at once; idempotent. A handle that gets collected unlocks as well.
Napi::Value unlock(const Napi::CallbackInfo& info);

// rename(from, to, "exchange" | "keep", expected?, descriptor?) → "done" | "taken" | "missing" |
// "unsupported"
Napi::Value rename_file(const Napi::CallbackInfo& info);

// findText(texts, starts, sought) → the numbers of the texts that have it, at once
Napi::Value find_text(const Napi::CallbackInfo& info);

}  // namespace sda::addon
