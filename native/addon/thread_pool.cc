#include "addon/thread_pool.h"

#include <algorithm>

namespace sda::addon {

ThreadPool& ThreadPool::shared() {
  static auto* pool = new ThreadPool(std::clamp(std::thread::hardware_concurrency(), 2u, 16u));
  return *pool;
}

void ThreadPool::queue(std::function<void()> job) {
  bool start;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    start = idle_ < jobs_.size() && started_ < size_;
    if (start) ++started_;
  }
  if (start)
    std::thread([this] { run(); }).detach();
  else
    wake_.notify_one();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return !jobs_.empty(); });
    --idle_;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace sda::addon
