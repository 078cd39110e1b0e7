// What an addon keeps per Node environment (the main thread and each worker has one), and how its
// promises are kept: work runs on the pool, results come back to the environment's thread.
//
// Lifetime: an environment that goes away cancels its jobs and waits for them; nothing of it is
// touched afterwards. process.exit() ends the main thread's environment without its cleanup hooks,
// so lib/native calls stopWork() on Node's "exit" event as well.
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

// Makes the promise's value; runs on the environment's thread.
using Finish = std::function<Napi::Value(Napi::Env)>;
// Runs on a pool thread and must not touch JavaScript.
using Work = std::function<Finish(const CancelToken&)>;
// Called once, from any thread, when work has ended: with what makes the value, or with a failure.
// The work must have let go of all that it held.
using Complete = std::function<void(Finish finish, std::exception_ptr failure)>;

class Environment {
 public:
  // Called once from the addon's init function.
  static void install(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Queues the work and returns its promise. `cancel` may be shared with a CancelToken object.
  // `settled` runs on the environment's thread just before the promise is settled, for what must
  // be released there; never, if the environment goes away first.
  Napi::Promise run(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work,
                    std::function<void()> settled = nullptr);

  // The same for work that runs elsewhere: `start` gets it going, or throws.
  Napi::Promise run_elsewhere(
      Napi::Env env, std::shared_ptr<CancelToken> cancel,
      const std::function<void(std::shared_ptr<CancelToken>, Complete)>& start,
      std::function<void()> settled = nullptr);

  // For work with no promise of its own: its end is waited for when the environment goes away, but
  // it doesn't keep the process alive. The function is to be called when it has ended.
  std::function<void()> watch(std::shared_ptr<CancelToken> cancel);

  // A promise of undefined and the function that resolves it: to be called once, from this thread
  // or from a job of this environment.
  std::pair<Napi::Promise, std::function<void()>> pending(Napi::Env env);

  // From any thread, while a job of this environment runs: calls `f` on the environment's thread.
  void post(std::function<void(Napi::Env)> f);

  // Between them the process stays alive; on the environment's thread.
  void retain(Napi::Env env);
  void release(Napi::Env env);

  // Functions that build JavaScript values, handed over by registerClasses.
  Napi::ObjectReference factories;
  // buffer.constants.MAX_LENGTH of this Node.
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

// stopWork(): ends all work of this addon in this process, for good.
Napi::Value stop_work(const Napi::CallbackInfo& info);

}  // namespace sda::addon
