// save(): writes a plan's values to a file, on the pool.
#pragma once

#include <napi.h>

#include <memory>

#include "checkpoint/checkpoint.h"
#include "checkpoint/container/writer.h"

namespace sda::addon {

// Where a plan may carry values over from. Either may be null.
struct SaveSource {
  std::shared_ptr<const Document> document;
  std::shared_ptr<const SourceFile> file;  // holds weights that are not in memory
};

// Takes the arguments (plan, target, _, cancel?) and returns Promise<{ path, bytes }>. The target
// is { path }, whose file is replaced, or { folder, stem, extension } for a new file under a free
// name.
Napi::Value start_save(const Napi::CallbackInfo& call, SaveSource source);

// save(plan, target, source?, cancel?)
Napi::Value save(const Napi::CallbackInfo& info);

// openSource(path, cancel?) → Promise<{ content, source }>. `content` is the top-level dict; its
// tensors have no data.
Napi::Value open_source(const Napi::CallbackInfo& info);
// closeSource(source): closes the file once no save uses it.
Napi::Value close_source(const Napi::CallbackInfo& info);

// removeStaleTemps(folder) → Promise<number>
Napi::Value remove_stale(const Napi::CallbackInfo& info);

}  // namespace sda::addon
