// The project's own threads, so that long work occupies neither Node's main thread nor libuv's
// pool. One pool per addon and process, shared by all its environments.
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
  // Started on first use and never destroyed.
  static ThreadPool& shared();

  // Jobs begin in the order they were queued. A job must not throw. Throws std::system_error when
  // there is no thread for it and none can be started. After stop() the job runs here and now, with
  // its token cancelled, so that it can tell whoever waits for it.
  void queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job);

  // Cancels what is queued or runs and waits for it. For the end of the process: its exit
  // handlers take LibTorch's static objects away, under any thread that still uses them.
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
