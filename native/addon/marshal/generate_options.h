// Converts the options and the progress callback of a generation from JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/engine.h"
#include "engine/generation/generation.h"

namespace sda::addon {

engine::GenerateOptions generate_options_argument(const Napi::Value& value);

// Passes progress to a JavaScript callback. Engine threads may report at any rate: at most one
// message is pending at a time, and it carries the newest numbers.
class ProgressChannel;
// Null when the argument is not a function.
std::shared_ptr<ProgressChannel> progress_argument(const Napi::Value& value);
// The function for GenerationEvents::progress; null for a null channel. Callable from any thread.
std::function<void(std::int64_t, std::int64_t)> reporter(
    const std::shared_ptr<ProgressChannel>& channel);
// Called on the environment's thread when the work has ended: delivers the last numbers if they are
// still pending, and then no more.
void close_progress(const std::shared_ptr<ProgressChannel>& channel);

// Reads temperature, topK and topP.
engine::SampleOptions sample_options_argument(const Napi::Object& options);

}  // namespace sda::addon
