#include "addon/thread_pool.h"

#include <algorithm>

namespace sda::addon {

ThreadPool& ThreadPool::shared() {
  static auto* pool = new ThreadPool(std::clamp(std::thread::hardware_concurrency(), 2u, 16u));
  return *pool;
}

void ThreadPool::queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job) {
  bool start;
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back({std::move(cancel), std::move(job)});
    start = idle_ < tasks_.size() && started_ < size_;
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
    wake_.wait(lock, [this] { return !tasks_.empty() && !stopping_; });
    --idle_;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const auto running = running_.insert(task.cancel.get());
    lock.unlock();
    task.job();
    task.job = nullptr;  // what it held goes without the lock
    lock.lock();
    running_.erase(running);
    ended_.notify_all();
  }
}

void ThreadPool::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (CancelToken* cancel : running_) cancel->cancel();
  ended_.wait(lock, [this] { return running_.empty(); });
}

}  // namespace sda::addon
