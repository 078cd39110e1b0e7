// A request for sound: chunks are decoded and rebuilt side by side, and put together in order.
#pragma once

#include <functional>
#include <memory>

#include "engine/engine.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

// All are called on engine threads, except `ended` (see Request::ended).
struct GenerationEvents {
  // Chunks done, of all channels; from several threads at once.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  // For sound that is heard while it is made: the next samples, interleaved where there are two
  // channels; one call at a time, in order. Then `ended` brings no audio, and kPeak isn't possible.
  std::function<void(std::vector<float> piece)> piece;
  // Once: the result, or a failure. Nothing of the model is in use any more.
  std::function<void(Generation result, std::exception_ptr failure)> ended;
};

class GenerationRequest : public Request {
 public:
  using Request::Request;
  // One of the pieces has been taken: work goes on as long as few are waiting to be.
  virtual void piece_taken() = 0;
};

// Checks the options (kArgument with detail "option"); Scheduler::start starts it. `owner` is
// let go before `ended`.
std::shared_ptr<GenerationRequest> make_generation(std::shared_ptr<const Model> model,
                                                   std::shared_ptr<const Spectrogram> spectrogram,
                                                   const GenerateOptions& options,
                                                   std::shared_ptr<CancelToken> cancel,
                                                   GenerationEvents events,
                                                   std::shared_ptr<const void> owner);

}  // namespace sda::engine
