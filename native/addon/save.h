// save(): a plan of values to a file, on the pool.
#pragma once

#include <napi.h>

#include <memory>

#include "checkpoint/checkpoint.h"
#include "checkpoint/container/writer.h"

namespace sda::addon {

// What a plan may carry values over from: one or both may be null.
struct SaveSource {
  std::shared_ptr<const Document> document;
  std::shared_ptr<const SourceFile> file;  // of weights that are not in memory
};

// (plan, target, _, cancel?) → Promise<{ path, bytes }>. The target is { path }, whose file is
// replaced, or { folder, stem, extension }, which gets a name that is not taken.
Napi::Value start_save(const Napi::CallbackInfo& call, SaveSource source);

// save(plan, target, source?, cancel?)
Napi::Value save(const Napi::CallbackInfo& info);

// openSource(path, cancel?) → Promise<{ content, source }>: the top-level dict without weights.
Napi::Value open_source(const Napi::CallbackInfo& info);
// closeSource(source): lets go of the file.
Napi::Value close_source(const Napi::CallbackInfo& info);

// removeStaleTemps(folder) → Promise<number>
Napi::Value remove_stale(const Napi::CallbackInfo& info);

}  // namespace sda::addon
