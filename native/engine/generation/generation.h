// A request for sound: engine threads decode chunks and rebuild their waves in parallel; the waves
// are put together in order.
#pragma once

#include <functional>
#include <memory>

#include "engine/engine.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

// Callbacks. All are called on engine threads, except `ended` (see Request::ended).
struct GenerationEvents {
  // Units of work done: chunks, windows, or steps and iterations, of all channels. Several threads
  // may call it at the same time.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  // Set for streaming: takes the next samples, interleaved where there are two channels. One call
  // at a time, in order. `ended` then gets no audio, and the loudness must not be kPeak.
  std::function<void(std::vector<float> piece)> piece;
  // Called once, with the result or a failure. The request no longer uses the model by then.
  std::function<void(Generation result, std::exception_ptr failure)> ended;
};

class GenerationRequest : public Request {
 public:
  using Request::Request;
  // Reports that the receiver has taken a piece. The request pauses while many pieces wait to be
  // taken. From any thread.
  virtual void piece_taken() = 0;
};

// Checks the options (throws kArgument with detail "option"). Scheduler::start starts the request.
// The request keeps the instrument and `owner` alive until it calls `ended`, and releases them
// before.
std::shared_ptr<GenerationRequest> make_generation(Instrument instrument,
                                                   const GenerateOptions& options,
                                                   std::shared_ptr<CancelToken> cancel,
                                                   GenerationEvents events,
                                                   std::shared_ptr<const void> owner);

}  // namespace sda::engine
