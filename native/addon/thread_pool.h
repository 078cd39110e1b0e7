// The project's own threads, so that long work occupies neither Node's main thread nor libuv's
// pool. One pool per addon and process, shared by all its environments.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sda::addon {

class ThreadPool {
 public:
  // Started on first use and never destroyed: at process exit its idle threads simply end with it,
  // and no static destructor can run under a thread that still works.
  static ThreadPool& shared();

  // Jobs begin in the order they were queued. A job must not throw.
  void queue(std::function<void()> job);

  std::size_t size() const noexcept { return size_; }

 private:
  explicit ThreadPool(std::size_t size) : size_(size) {}
  void run();

  const std::size_t size_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::size_t idle_ = 0;
  std::size_t started_ = 0;
};

}  // namespace sda::addon
