// The engine's threads, and which request each one works on. Requests take turns task by task, so
// that a short request never waits for a long one to end. A thread that finds no task helps with
// the parallel loops of the tasks that run (see parallel.h).
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

// A piece of work, cut into tasks. The scheduler shares ownership of it from start() until ended()
// has returned.
class Request : public std::enable_shared_from_this<Request> {
 public:
  enum class Next {
    kTask,  // `task` is set; it may run at the same time as earlier tasks of this request
    kWait,  // no task now: ask again when a task of this request has ended, or after wake()
    kEnd,   // no further task
  };

  explicit Request(std::shared_ptr<CancelToken> cancel) : cancel_(std::move(cancel)) {}
  virtual ~Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const CancelToken& cancel() const { return *cancel_; }

 protected:
  // Called on an engine thread, never on two at once, so it may do work that must be done in order.
  // If this or a task throws, the request ends and its other tasks are cancelled.
  virtual Next next(Task& task) = 0;

  // Called once, when the last task has ended, on the thread that ran it. If no thread works on the
  // request when it is cancelled, it is called on the cancelling thread. `failure` is the first
  // exception that was thrown, or null.
  virtual void ended(std::exception_ptr failure) noexcept = 0;

 private:
  friend class Scheduler;
  enum class State { kReady, kAsked, kWaiting, kEnding };

  std::shared_ptr<CancelToken> cancel_;
  // Guarded by the scheduler's mutex.
  State state_ = State::kReady;
  bool woken_ = false;  // wake() was called, or a task ended, while next() ran
  int running_ = 0;     // number of tasks that run
  std::exception_ptr failure_;
};

class Scheduler {
 public:
  // The only instance. Its threads start with the first request. It is never destroyed, since its
  // threads may outlive static objects.
  static Scheduler& shared();

  struct Settings {
    std::size_t threads;       // 1 to kMaxThreads; the default is one per processor
    std::size_t max_requests;  // running and waiting requests; start() refuses more with kLimit
  };
  static constexpr std::size_t kMaxThreads = 64;
  // From any thread. Surplus threads end after their current task.
  void configure(const Settings& settings);
  Settings settings() const;

  // From any thread. Throws kLimit when there are too many requests, and std::system_error when no
  // thread runs and none can be started. After stop(), the request is cancelled and ends before
  // start() returns.
  void start(std::shared_ptr<Request> request);

  // Asks a request again that has answered kWait. From any thread.
  void wake(Request& request);

  // Wakes the sleeping threads, if any, to help with a loop that has just been opened.
  void call_for_help();

  // Asks the next request for a task and runs it, on the calling thread. Returns false when no
  // request has work. Only for platforms without threads; elsewhere it does nothing and returns
  // false.
  bool take_turn();

  // Cancels every request and waits until all have ended. Called before the process exits: its exit
  // handlers destroy LibTorch's static objects, which no thread may use any more.
  void stop();

 private:
  using Lock = std::unique_lock<std::mutex>;

  Scheduler();
  // own_threads.cc or no_threads.cc
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
  std::atomic<std::size_t> ready_count_{0};  // ready_.size(), readable without the mutex
  std::vector<Team*> teams_;                 // one per running thread, which owns it
  std::size_t idle_ = 0;                     // threads that sleep
  std::size_t ending_ = 0;                   // requests whose ended() runs
  std::atomic<bool> sleepers_{false};        // idle_ > 0 and no call_for_help() since
  std::uint64_t calls_ = 0;                  // calls for help so far
  bool stopping_ = false;
};

}  // namespace sda::engine
