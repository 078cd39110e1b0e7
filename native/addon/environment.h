// The state of an addon in one Node environment; the main thread and each worker thread have one.
// Work runs on the pool, and its result comes back to the environment's thread, which settles the
// promise there.
//
// Lifetime: an environment that ends cancels its jobs and waits for them, so that no thread uses it
// afterwards. process.exit() ends the main thread's environment without its cleanup hooks, so
// lib/native also calls stopWork() on Node's "exit" event.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "checkpoint/cancel.h"

namespace sda::addon {

// Makes the value of the promise, on the environment's thread.
using Finish = std::function<Napi::Value(Napi::Env)>;
// Runs on a pool thread and must not use JavaScript values.
using Work = std::function<Finish(const CancelToken&)>;
// Called once, from any thread, when work has ended: with a Finish or with a failure. The work must
// have freed everything that it holds before the call.
using Complete = std::function<void(Finish finish, std::exception_ptr failure)>;

class Environment {
 public:
  // Called once, from the addon's init function. Node owns and deletes the environment.
  static void install(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Queues the work on the pool and returns its promise. `cancel` may be shared with a CancelToken
  // object of JavaScript. `settled` runs on the environment's thread just before the promise is
  // settled, to release things there. It does not run if the environment ends first.
  Napi::Promise run(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work,
                    std::function<void()> settled = nullptr);

  // The same for work on other threads: `start` starts the work, or throws.
  Napi::Promise run_elsewhere(
      Napi::Env env, std::shared_ptr<CancelToken> cancel,
      const std::function<void(std::shared_ptr<CancelToken>, Complete)>& start,
      std::function<void()> settled = nullptr);

  // For work without a promise: the environment waits for it before it ends, but the work does not
  // keep the process alive. The caller must call the returned function when the work has ended.
  std::function<void()> watch(std::shared_ptr<CancelToken> cancel);

  // A promise of undefined, and the function that resolves it. The caller calls that function once,
  // on this thread or in a job of this environment.
  std::pair<Napi::Promise, std::function<void()>> pending(Napi::Env env);

  // Calls `f` on the environment's thread. Callable from any thread while a job of this environment
  // runs.
  void post(std::function<void(Napi::Env)> f);

  // Keep the process alive between a call of retain() and one of release(). Only on the
  // environment's thread.
  void retain(Napi::Env env);
  void release(Napi::Env env);

  // The functions that build JavaScript values; prepare() sets them.
  Napi::ObjectReference factories;
  // Node's buffer.constants.MAX_LENGTH; prepare() sets it.
  double max_buffer_bytes = 0;

 private:
  struct Job;
  explicit Environment(Napi::Env env);
  static void deliver(napi_env env, napi_value callback, void* context, void* data);
  static void shut_down(void* self);
  void settle(Napi::Env env, Job& job);
  void leave(const std::shared_ptr<Job>& job, std::function<void(Napi::Env)> message);

  napi_threadsafe_function channel_ = nullptr;
  std::mutex mutex_;
  std::condition_variable job_ended_;
  std::unordered_set<std::shared_ptr<Job>> jobs_;  // queued or running
  std::size_t pending_ = 0;                        // promises not settled; this thread only
  bool closing_ = false;
};

// stopWork(): cancels all work of this addon in this process and waits for it. No work runs
// afterwards.
Napi::Value stop_work(const Napi::CallbackInfo& info);

}  // namespace sda::addon
