// Generated sound that JavaScript takes in pieces while the engine makes it.
//
// Lifetime: the JavaScript handle and the request share the stream. Closing the handle, or its
// garbage collection, cancels the request. The environment waits for the request before it ends.
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/loaded_model.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/float_tensors.h"
#include "addon/marshal/generate_options.h"
#include "engine/generation/generation.h"
#include "engine/sound/pcm.h"

namespace sda::addon {
namespace {

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(Napi::Env env, std::shared_ptr<CancelToken> cancel)
      : environment_(Environment::of(env)), cancel_(std::move(cancel)) {}

  void start(engine::Instrument instrument, const engine::GenerateOptions& options,
             const std::shared_ptr<ProgressChannel>& progress, std::shared_ptr<const void> owner) {
    engine::GenerationEvents events;
    events.progress = reporter(progress);
    events.piece = [self = shared_from_this()](std::vector<float> piece) {
      self->arrived(std::make_shared<std::vector<float>>(std::move(piece)));
    };
    const auto left = environment_.watch(cancel_);
    events.ended = [self = shared_from_this(), progress, left](engine::Generation,
                                                               std::exception_ptr failure) {
      self->ended(progress, std::move(failure));
      left();
    };
    try {
      request_ = engine::make_generation(std::move(instrument), options, cancel_, std::move(events),
                                         std::move(owner));
      engine::Scheduler::shared().start(request_);
    } catch (...) {
      request_ = nullptr;  // the request shares this stream, so the cycle is cut here
      left();
      throw;
    }
  }

  // On the environment's thread. The piece is encoded in `format`; without one, it is a
  // Float32Array.
  Napi::Promise next(Napi::Env env, std::optional<engine::PcmFormat> format) {
    if (waiting_) throw Error(ErrorCode::kArgument, "the previous piece is still pending");
    waiting_.emplace(Waiting{Napi::Promise::Deferred::New(env), format});
    const Napi::Promise promise = waiting_->promise.Promise();
    environment_.retain(env);
    deliver(env);
    return promise;
  }

  void close() { cancel_->cancel(); }

 private:
  using Piece = std::shared_ptr<std::vector<float>>;
  struct Waiting {
    Napi::Promise::Deferred promise;
    std::optional<engine::PcmFormat> format;
  };

  // Engine threads call these two while the environment watches the request.
  void arrived(Piece piece) {
    {
      const std::lock_guard lock(mutex_);
      pieces_.push_back(std::move(piece));
    }
    environment_.post([self = shared_from_this()](Napi::Env env) { self->deliver(env); });
  }
  void ended(const std::shared_ptr<ProgressChannel>& progress, std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      failure_ = std::move(failure);
    }
    environment_.post([self = shared_from_this(), progress](Napi::Env env) {
      close_progress(progress);
      self->request_ = nullptr;
      self->deliver(env);
    });
  }

  // On the environment's thread: settles the waiting promise if a piece or the end has arrived.
  void deliver(Napi::Env env) {
    if (!waiting_) return;
    Piece piece;
    std::exception_ptr failure;
    {
      const std::lock_guard lock(mutex_);
      if (pieces_.empty() && !ended_) return;
      if (!pieces_.empty()) {
        piece = std::move(pieces_.front());
        pieces_.pop_front();
      } else {
        failure = std::exchange(failure_, nullptr);
      }
    }
    const Waiting waiting = *waiting_;
    waiting_.reset();
    environment_.release(env);
    if (piece && request_) request_->piece_taken();
    try {
      if (failure) std::rethrow_exception(failure);
      waiting.promise.Resolve(piece ? value_of(env, piece, waiting.format) : env.Null());
    } catch (...) {
      waiting.promise.Reject(current_error(env));
    }
  }

  static Napi::Value value_of(Napi::Env env, const Piece& piece,
                              std::optional<engine::PcmFormat> format) {
    if (!format) return float_array(env, piece->data(), piece->size(), piece);
    // In V8's own memory, so that JavaScript may transfer it to other threads.
    auto bytes = Napi::Uint8Array::New(env, piece->size() * engine::bytes_per_sample(*format));
    if (!engine::encode_pcm(piece->data(), piece->size(), *format, bytes.Data()))
      throw Error(ErrorCode::kSchema, "the model makes samples that are not numbers");
    return bytes;
  }

  Environment& environment_;
  const std::shared_ptr<CancelToken> cancel_;
  std::shared_ptr<engine::GenerationRequest> request_;  // only on the environment's thread
  std::optional<Waiting> waiting_;                      // only on the environment's thread

  std::mutex mutex_;  // guards the members below
  std::deque<Piece> pieces_;
  bool ended_ = false;
  std::exception_ptr failure_;
};

// The object behind the JavaScript handle.
struct StreamHandle {
  explicit StreamHandle(std::shared_ptr<Stream> held) : stream(std::move(held)) {}
  ~StreamHandle() { stream->close(); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  const std::shared_ptr<Stream> stream;
};

// The format for a number of bits per sample; nullopt for undefined.
std::optional<engine::PcmFormat> format_argument(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  const std::int64_t bits = integer_argument(value, "bits");
  for (const auto format :
       {engine::PcmFormat::kInt16, engine::PcmFormat::kInt24, engine::PcmFormat::kFloat32}) {
    if (bits == static_cast<std::int64_t>(format)) return format;
  }
  throw Error(ErrorCode::kArgument, "bits must be 16, 24 or 32");
}

}  // namespace

template <>
struct HandleTag<StreamHandle> {
  static constexpr napi_type_tag kTag = {0x9f1a3c5e7b2d4f60, 0x84d2e6b1c7a95f03};
};

Napi::Value start_stream(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto loaded = model_argument(call[0]);
    const auto options = generate_options_argument(call[2]);
    auto cancel = cancel_argument(call[4]);
    if (!cancel) cancel = std::make_shared<CancelToken>();
    auto handle =
        std::make_shared<StreamHandle>(std::make_shared<Stream>(call.Env(), std::move(cancel)));
    auto [instrument, owner] = instrument_argument(loaded, call[2]);
    handle->stream->start(std::move(instrument), options, progress_argument(call[3]),
                          std::move(owner));
    return wrap_handle(call.Env(), std::move(handle));
  });
}

Napi::Value next_piece(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::shared_ptr<Stream>& stream = unwrap_handle<StreamHandle>(call[0])->stream;
    return stream->next(call.Env(), format_argument(call[1]));
  });
}

Napi::Value close_stream(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    unwrap_handle<StreamHandle>(call[0])->stream->close();
    return call.Env().Undefined();
  });
}

}  // namespace sda::addon
