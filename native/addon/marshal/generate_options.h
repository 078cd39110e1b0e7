// What a request for sound brings with it from JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/engine.h"
#include "engine/generation/generation.h"

namespace sda::addon {

engine::GenerateOptions generate_options_argument(const Napi::Value& value);

// Progress for a JavaScript callback. The engine's threads report as often as they like; at most
// one message is under way at a time, and it carries the newest numbers.
class ProgressChannel;
// Null when the argument is no function.
std::shared_ptr<ProgressChannel> progress_argument(const Napi::Value& value);
// For GenerationEvents::progress; null for a null channel.
std::function<void(std::int64_t, std::int64_t)> reporter(
    const std::shared_ptr<ProgressChannel>& channel);
// On the environment's thread, when the work has ended: the last numbers, if they are not out yet,
// and no more afterwards.
void close_progress(const std::shared_ptr<ProgressChannel>& channel);

}  // namespace sda::addon
