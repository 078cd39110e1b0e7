#include "addon/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "os/processors.h"

namespace sda::addon {

ThreadPool& ThreadPool::shared() {
  static auto* pool = new ThreadPool(std::clamp(os::available_processors(), 2u, 16u));
  return *pool;
}

void ThreadPool::queue(std::shared_ptr<CancelToken> cancel, std::function<void()> job) {
  Task task{std::move(cancel), std::move(job)};
  std::unique_lock lock(mutex_);
  if (stopping_) {
    lock.unlock();
    run_cancelled(task);
    return;
  }
  tasks_.push_back(std::move(task));
  if (idle_ >= tasks_.size() || started_ == size_) {
    wake_.notify_one();
    return;
  }
  // Under the lock, so that the task is still the last one if no thread can be started.
  try {
    std::thread([this] { run(); }).detach();
    ++started_;
  } catch (const std::system_error&) {
    if (started_ > 0) return;  // the other threads will run the task
    tasks_.pop_back();
    throw;
  }
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return !tasks_.empty(); });
    --idle_;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const auto running = running_.insert(running_.end(), task.cancel);
    lock.unlock();
    task.job();
    task.job = nullptr;  // frees the job's captures without the lock
    lock.lock();
    running_.erase(running);
    ended_.notify_all();
  }
}

void ThreadPool::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (const auto& cancel : running_) cancel->cancel();
  const std::deque<Task> queued = std::exchange(tasks_, {});
  lock.unlock();
  for (const Task& task : queued) run_cancelled(task);
  lock.lock();
  ended_.wait(lock, [this] { return running_.empty(); });
}

void ThreadPool::run_cancelled(const Task& task) {
  task.cancel->cancel();
  task.job();
}

}  // namespace sda::addon
