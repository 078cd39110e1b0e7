#include "addon/resample.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "addon/engine_work.h"
#include "addon/errors.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/float_tensors.h"
#include "engine/sound/resample.h"

namespace sda::addon {
namespace {

// Samples between two checks of the cancel token.
constexpr std::size_t kAtOnce = std::size_t{1} << 16;

engine::FloatTensor resampled(const engine::FloatTensor& waveform, std::int64_t from,
                              std::int64_t to, const CancelToken& cancel) {
  engine::Resampler resampler(from, to);
  const auto count = static_cast<std::size_t>(waveform.numel());
  const auto out = std::make_shared<std::vector<float>>();
  out->reserve(static_cast<std::size_t>((waveform.numel() * to + from - 1) / from));
  for (std::size_t at = 0; at < count; at += kAtOnce) {
    cancel.throw_if_cancelled();
    resampler.push(waveform.data.get() + at, std::min(kAtOnce, count - at), *out);
  }
  resampler.finish(*out);
  return {{static_cast<std::int64_t>(out->size())}, {out, out->data()}};
}

}  // namespace

Napi::Value resample(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(call.Env(), cancel_argument(call[3]),
                         [waveform = float_tensor_argument(call[0], "waveform"),
                          from = integer_argument(call[1], "fromRate"),
                          to = integer_argument(call[2], "toRate")](const CancelToken& cancel) {
                           return
                               [result = resampled(waveform, from, to, cancel)](
                                   Napi::Env env) -> Napi::Value { return to_object(env, result); };
                         });
  });
}

}  // namespace sda::addon
