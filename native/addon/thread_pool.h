// The project's own threads, so that long work occupies neither Node's main thread nor libuv's
// pool. One pool per addon and process, shared by all its environments.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "checkpoint/cancel.h"

namespace sda::addon {

class ThreadPool {
 public:
  // Started on first use and never destroyed.
  static ThreadPool& shared();

  // Jobs begin in the order they were queued. A job must not throw.
  void queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job);

  // Cancels what runs, waits for it and starts nothing more. For the end of the process: its exit
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

  const std::size_t size_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<Task> tasks_;
  std::unordered_multiset<CancelToken*> running_;  // requests may share a token
  std::size_t idle_ = 0;
  std::size_t started_ = 0;
  bool stopping_ = false;
};

}  // namespace sda::addon
