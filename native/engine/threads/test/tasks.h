// Requests for the scheduler's tests.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "engine/threads/scheduler.h"

namespace sda::engine {

// A request of `count` tasks, each of which calls `work` with its number.
class Tasks final : public Request {
 public:
  using Ended = std::function<void(std::exception_ptr)>;

  Tasks(int count, std::function<void(int)> work, Ended ended = nullptr)
      : Request(std::make_shared<CancelToken>()),
        token(const_cast<CancelToken*>(&cancel())),
        count_(count),
        work_(std::move(work)),
        ended_(std::move(ended)) {}

  CancelToken* const token;
  std::atomic<bool> open{true};  // while false, the request answers kWait
  std::future<std::exception_ptr> result() { return done_.get_future(); }

 protected:
  Next next(Task& task) override {
    if (!open) return Next::kWait;
    if (next_ == count_) return Next::kEnd;
    task = [this, number = next_++] { work_(number); };
    return Next::kTask;
  }
  void ended(std::exception_ptr failure) noexcept override {
    if (ended_) ended_(failure);
    done_.set_value(failure);
  }

 private:
  const int count_;
  int next_ = 0;
  const std::function<void(int)> work_;
  const Ended ended_;
  std::promise<std::exception_ptr> done_;
};

// Runs `count` tasks and returns the request's failure, or null.
inline std::exception_ptr run(int count, std::function<void(int)> work) {
  const auto tasks = std::make_shared<Tasks>(count, std::move(work));
  auto result = tasks->result();
  Scheduler::shared().start(tasks);
  return result.get();
}

template <typename E>
bool is(const std::exception_ptr& failure) {
  if (!failure) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace sda::engine
