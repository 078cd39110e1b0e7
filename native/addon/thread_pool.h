// The addon's own threads, so that long work occupies neither Node's main thread nor libuv's pool.
// All environments of a process share one pool per addon. All functions may be called from any
// thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "checkpoint/cancel.h"

namespace sda::addon {

class ThreadPool {
 public:
  // Created on first use and never destroyed.
  static ThreadPool& shared();

  // Jobs begin in the order in which they are queued. A job must not throw. Throws
  // std::system_error when the pool has no thread and cannot start one. After stop(), the job runs
  // at once on the calling thread with its token cancelled, so that it can settle its promise.
  void queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job);

  // Cancels all queued and running jobs and waits for them. Called at the end of the process,
  // before exit handlers destroy LibTorch's static objects, which a running job could still use.
  void stop();

  std::size_t size() const noexcept { return size_; }

 private:
  struct Task {
    std::shared_ptr<CancelToken> cancel;
    std::function<void()> job;
  };

  explicit ThreadPool(std::size_t size) : size_(size) {}
  void run();
  static void run_cancelled(const Task& task);

  const std::size_t size_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<Task> tasks_;
  std::list<std::shared_ptr<CancelToken>> running_;
  std::size_t idle_ = 0;
  std::size_t started_ = 0;
  bool stopping_ = false;
};

}  // namespace sda::addon
