// A request's off switch, set from any thread and looked at by long loops; and how far its work is.
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
  void cancel() {
    cancelled_.store(true, std::memory_order_relaxed);
    std::function<void()> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = std::exchange(hook_, nullptr);
    }
    if (hook) hook();
  }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  void throw_if_cancelled() const {
    if (cancelled()) throw Cancelled();
  }

  // Called once, by whoever cancels, for work that waits and so doesn't look; null: nobody waits
  // any more. Not called for a token that is cancelled already.
  void when_cancelled(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    hook_ = std::move(hook);
  }

  // By the one thread that does the work; in the work's own units.
  void advance(std::uint64_t amount) const noexcept {
    done_.fetch_add(amount, std::memory_order_relaxed);
  }
  std::uint64_t done() const noexcept { return done_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
  mutable std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  std::function<void()> hook_;
};

}  // namespace sda
