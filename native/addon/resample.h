#pragma once

#include <napi.h>

namespace sda::addon {

// resample(waveform, from, to, cancel?): a copy at another rate.
Napi::Value resample(const Napi::CallbackInfo& info);

}  // namespace sda::addon
