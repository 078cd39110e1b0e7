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
  // Started on first use and never destroyed. When the process exits, running jobs are cancelled
  // and waited for before LibTorch's static objects go: process.exit() runs no environment's
  // cleanup hooks on the main thread.
  static ThreadPool& shared();

  // Jobs begin in the order they were queued. A job must not throw.
  void queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job);

  std::size_t size() const noexcept { return size_; }

 private:
  struct Task {
    std::shared_ptr<CancelToken> cancel;
    std::function<void()> job;
  };

  explicit ThreadPool(std::size_t size) : size_(size) {}
  void run();
  void stop();

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
