// Functions for a models folder: its lock, its index, renames and the text search.
#pragma once

#include <napi.h>

namespace sda::addon {

// readIndex(path, cancel?) → Promise<{ bytes, identity, layout }>
Napi::Value read_index(const Napi::CallbackInfo& info);

// tryLock(path) → Promise of a handle, or of null when another holder has the lock
Napi::Value try_lock(const Napi::CallbackInfo& info);

// canLock(folder) → Promise<boolean>: false where the file system has no locks
Napi::Value can_lock(const Napi::CallbackInfo& info);

// unlock(handle): unlocks at once; a second call does nothing. A garbage-collected handle unlocks
// too.
Napi::Value unlock(const Napi::CallbackInfo& info);

// rename(from, to, "exchange" | "keep", expected?, descriptor?) → "done" | "taken" | "missing" |
// "unsupported"
Napi::Value rename_file(const Napi::CallbackInfo& info);

// findText(texts, starts, sought) → the indices of the texts that contain `sought`. Synchronous.
Napi::Value find_text(const Napi::CallbackInfo& info);

}  // namespace sda::addon
