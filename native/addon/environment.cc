#include "addon/environment.h"

#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "addon/errors.h"
#include "addon/thread_pool.h"
#include "os/shared_library.h"

namespace sda::addon {

using Message = std::function<void(Napi::Env)>;

struct Environment::Job {
  std::shared_ptr<CancelToken> cancel;
  std::function<void()> settled;
  std::optional<Napi::Promise::Deferred> deferred;
  Finish finish;               // set if the work succeeded
  std::exception_ptr failure;  // set if the work threw
};

void Environment::install(Napi::Env env) {
  os::keep_this_library();
  env.SetInstanceData(new Environment(env));
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

Environment::Environment(Napi::Env env) {
  const auto name = Napi::String::New(env, "small-dataset-audio");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, &Environment::deliver, &channel_);
  if (status != napi_ok) throw Napi::Error::New(env, "cannot create a thread-safe function");
  // Only pending work may keep the process alive; see retain().
  napi_unref_threadsafe_function(env, channel_);
  // Added after the channel's own hook and so called before it: hooks run in reverse order.
  napi_add_env_cleanup_hook(env, &Environment::shut_down, this);
}

Napi::Promise Environment::run_elsewhere(
    Napi::Env env, std::shared_ptr<CancelToken> cancel,
    const std::function<void(std::shared_ptr<CancelToken>, Complete)>& start,
    std::function<void()> settled) {
  if (!cancel) cancel = std::make_shared<CancelToken>();
  auto job = std::make_shared<Job>(Job{std::move(cancel), std::move(settled),
                                       Napi::Promise::Deferred::New(env), nullptr, nullptr});
  const Napi::Promise promise = job->deferred->Promise();
  retain(env);
  {
    const std::lock_guard lock(mutex_);
    jobs_.insert(job);
  }
  try {
    start(job->cancel, [this, job](Finish finish, std::exception_ptr failure) {
      // settle() frees the result and the failure on the environment's thread.
      job->finish = std::move(finish);
      job->failure = std::move(failure);
      leave(job, [this, job](Napi::Env on) { settle(on, *job); });
    });
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.erase(job);
    }
    release(env);
    throw;
  }
  return promise;
}

Napi::Promise Environment::run(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work,
                               std::function<void()> settled) {
  const auto start = [&work](const std::shared_ptr<CancelToken>& token, const Complete& complete) {
    ThreadPool::shared().queue(token, [token, complete, work = std::move(work)]() mutable {
      Finish finish;
      std::exception_ptr failure;
      try {
        token->throw_if_cancelled();
        finish = work(*token);
      } catch (...) {
        failure = std::current_exception();
      }
      // Frees the work's captures while the environment exists. It may be gone once complete()
      // returns.
      work = nullptr;
      complete(std::move(finish), std::move(failure));
    });
  };
  return run_elsewhere(env, std::move(cancel), start, std::move(settled));
}

std::function<void()> Environment::watch(std::shared_ptr<CancelToken> cancel) {
  auto job = std::make_shared<Job>(Job{std::move(cancel), nullptr, std::nullopt, nullptr, nullptr});
  const std::lock_guard lock(mutex_);
  jobs_.insert(job);
  return [this, job] { leave(job, nullptr); };
}

void Environment::leave(const std::shared_ptr<Job>& job, std::function<void(Napi::Env)> message) {
  const std::lock_guard lock(mutex_);
  if (!closing_ && message) post(std::move(message));
  jobs_.erase(job);
  job_ended_.notify_all();
}

void Environment::post(std::function<void(Napi::Env)> f) {
  auto message = std::make_unique<Message>(std::move(f));
  if (napi_call_threadsafe_function(channel_, message.get(), napi_tsfn_nonblocking) == napi_ok)
    message.release();  // deliver() frees it
}

void Environment::deliver(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Message> message(static_cast<Message*>(data));
  if (env == nullptr) return;  // the environment is being torn down
  const Napi::HandleScope scope(env);
  try {
    (*message)(env);
  } catch (const Napi::Error&) {
    // A worker thread that is being terminated refuses values. No code waits for them.
  }
}

std::pair<Napi::Promise, std::function<void()>> Environment::pending(Napi::Env env) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  retain(env);
  return {deferred.Promise(), [this, deferred] {
            post([this, deferred](Napi::Env on) {
              release(on);
              deferred.Resolve(on.Undefined());
            });
          }};
}

void Environment::retain(Napi::Env env) {
  if (pending_++ == 0) napi_ref_threadsafe_function(env, channel_);
}

void Environment::release(Napi::Env env) {
  if (--pending_ == 0) napi_unref_threadsafe_function(env, channel_);
}

void Environment::settle(Napi::Env env, Job& job) {
  release(env);
  // Moved out of the job, because a pool thread may free the job.
  const Finish finish = std::exchange(job.finish, nullptr);
  const auto settled = std::exchange(job.settled, nullptr);
  const auto failure = std::exchange(job.failure, nullptr);
  if (settled) settled();
  try {
    if (failure) std::rethrow_exception(failure);
    job.deferred->Resolve(finish(env));
  } catch (...) {
    job.deferred->Reject(current_error(env));
  }
}

void Environment::shut_down(void* self) {
  auto& environment = *static_cast<Environment*>(self);
  std::unique_lock lock(environment.mutex_);
  environment.closing_ = true;
  const std::vector<std::shared_ptr<Job>> jobs(environment.jobs_.begin(), environment.jobs_.end());
  lock.unlock();  // cancel() itself ends a job that no thread works on
  for (const auto& job : jobs) job->cancel->cancel();
  lock.lock();
  environment.job_ended_.wait(lock, [&] { return environment.jobs_.empty(); });
}

Napi::Value stop_work(const Napi::CallbackInfo& info) {
  ThreadPool::shared().stop();
  return info.Env().Undefined();
}

}  // namespace sda::addon
