// Cancels one request and reports its progress. Any thread may cancel and read the progress; long
// loops check the token.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

#include "checkpoint/error.h"

namespace sda {

class CancelToken {
 public:
  CancelToken() = default;
  // Cancelled when `flag` is true, not by cancel(). `flag` must live as long as the token.
  explicit CancelToken(const std::atomic<bool>& flag) : flag_(&flag) {}

  void cancel() {
    cancelled_.store(true, std::memory_order_relaxed);
    std::function<void()> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = std::exchange(hook_, nullptr);
    }
    if (hook) hook();
  }
  bool cancelled() const noexcept { return flag_->load(std::memory_order_relaxed); }
  void throw_if_cancelled() const {
    if (cancelled()) throw Cancelled();
  }

  // For a token in another addon.
  const std::atomic<bool>& flag() const noexcept { return *flag_; }

  // For work that waits and so cannot check the token: the thread that cancels calls `hook` once.
  // Null removes the hook. A token that is cancelled already never calls it.
  void when_cancelled(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  // Adds to the progress, in units that the work chooses. Only the thread that does the work calls
  // this.
  void advance(std::uint64_t amount) const noexcept {
    done_.fetch_add(amount, std::memory_order_relaxed);
  }
  std::uint64_t done() const noexcept { return done_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
  const std::atomic<bool>* flag_ = &cancelled_;
  mutable std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  std::function<void()> hook_;
};

// Lets a loop of short steps check a token every few thousand steps: well under a millisecond,
// unless a step is huge. Null: nothing to check.
class CancelWatch {
 public:
  explicit CancelWatch(const CancelToken* cancel) : cancel_(cancel) {}
  void step() {
    constexpr std::uint32_t kStepsBetweenLooks = 4096;
    if (++steps_ % kStepsBetweenLooks == 0 && cancel_ != nullptr) cancel_->throw_if_cancelled();
  }

 private:
  const CancelToken* cancel_;
  std::uint32_t steps_ = 0;
};

}  // namespace sda
