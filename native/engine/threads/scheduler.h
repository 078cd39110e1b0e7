// The engine's threads and who gets them. Requests take turns, task by task, so that a short one
// never waits for a long one to end; threads that no request has a task for help with the loops of
// those that run (see parallel.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "checkpoint/cancel.h"
#include "engine/threads/parallel.h"

namespace sda::engine {

using Task = std::function<void()>;

// Somebody's work, cut into tasks. The scheduler shares ownership until it has called ended().
class Request : public std::enable_shared_from_this<Request> {
 public:
  enum class Next {
    kTask,  // `task` is set; it may run beside earlier ones of this request
    kWait,  // none now: ask again when a task of this request has ended, or after wake()
    kEnd,   // no more
  };

  explicit Request(std::shared_ptr<CancelToken> cancel) : cancel_(std::move(cancel)) {}
  virtual ~Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const CancelToken& cancel() const { return *cancel_; }

 protected:
  // On an engine's thread, never on two at once; may do what has to be done in order. What this or
  // a task throws ends the request and cancels its other tasks.
  virtual Next next(Task& task) = 0;

  // Once, when the last task has ended; on whichever thread that is, which is the canceller's for a
  // request that nobody works on. `failure` is the first that was thrown, or null.
  virtual void ended(std::exception_ptr failure) noexcept = 0;

 private:
  friend class Scheduler;
  enum class State { kReady, kAsked, kWaiting, kEnding };

  std::shared_ptr<CancelToken> cancel_;
  // Under the scheduler's mutex.
  State state_ = State::kReady;
  bool woken_ = false;  // while it was asked
  int running_ = 0;     // tasks
  std::exception_ptr failure_;
};

class Scheduler {
 public:
  // Threads start on first use; never destroyed, since threads may outlive everything else.
  static Scheduler& shared();

  struct Settings {
    std::size_t threads;       // 1 to kMaxThreads; by default one a processor
    std::size_t max_requests;  // under way or waiting; one more is kLimit
  };
  static constexpr std::size_t kMaxThreads = 64;
  void configure(const Settings& settings);  // takes effect as threads come free
  Settings settings() const;

  // Throws kLimit when there are too many requests, std::system_error when there is no thread and
  // none can be started. After stop() the request ends here and now, cancelled.
  void start(std::shared_ptr<Request> request);

  // A request that said kWait may have a task now. From any thread.
  void wake(Request& request);

  // Wakes threads that sleep, when there are any: a loop has been opened.
  void call_for_help();

  // Cancels every request and waits for all of them. For the end of the process: its exit handlers
  // take LibTorch's static objects away, under any thread that still uses them.
  void stop();

 private:
  using Lock = std::unique_lock<std::mutex>;

  Scheduler();
  void start_thread();
  void start_missing_thread();
  void run(Team& team);
  void give_turn(Lock& lock, Team& team);
  void record(Lock& lock, Request& request, std::exception_ptr failure);
  void make_ready(Request& request);
  void end_if_done(Lock& lock, Request& request);
  void end_at_once(Request& request);
  void end(Lock& lock, Request& request);
  Team* team_to_help();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  Settings settings_;
  std::unordered_map<Request*, std::shared_ptr<Request>> requests_;
  std::deque<Request*> ready_;
  std::atomic<std::size_t> ready_count_{0};  // ready_'s, for those without the mutex
  std::vector<Team*> teams_;                 // of the threads that run
  std::size_t idle_ = 0;
  std::size_t ending_ = 0;             // requests whose ended() runs
  std::atomic<bool> sleepers_{false};  // idle_ > 0 and nobody has called them yet
  std::uint64_t calls_ = 0;
  bool stopping_ = false;
};

}  // namespace sda::engine
