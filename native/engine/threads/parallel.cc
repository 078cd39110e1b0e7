#include "engine/threads/parallel.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

using Clock = std::chrono::steady_clock;

// How long a helper spins for the next loop before it goes to sleep: longer than the pause between
// two loops of one computation, and short enough to cost little.
constexpr std::chrono::microseconds kPatience{100};
constexpr int kLooksBetweenClocks = 32;
constexpr int kLooksBeforeYielding = 256;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Null on threads that the scheduler does not own, and inside a loop.
thread_local Team* current_team = nullptr;

}  // namespace

void Team::enter() { current_team = this; }

void Team::run(std::int64_t count, Piece piece, const void* work) {
  if (current_team != nullptr && count > 1) {
    current_team->run_loop(count, piece, work);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) piece(work, i);
}

void Team::run_loop(std::int64_t count, Piece piece, const void* work) {
  piece_ = piece;
  work_ = work;
  span_count_ = std::min(
      {helpers_.load(std::memory_order_relaxed) + 1, kMaxSpans, static_cast<std::size_t>(count)});
  for (std::size_t s = 0; s < span_count_; ++s) {
    const auto share = [&](std::size_t of) {
      return count * static_cast<std::int64_t>(of) / static_cast<std::int64_t>(span_count_);
    };
    spans_[s].next.store(share(s), std::memory_order_relaxed);
    spans_[s].end = share(s + 1);
  }
  looped_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  Scheduler::shared().call_for_help();
  take_part(0, nullptr);
  generation_.fetch_add(1, std::memory_order_seq_cst);
  for (int looks = 0; inside_.load(std::memory_order_seq_cst) != 0; ++looks) {
    if (looks < kLooksBeforeYielding)
      relax();
    else
      std::this_thread::yield();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::take_part(std::size_t first_span, const std::atomic<std::size_t>* urgent) {
  Team* const own = std::exchange(current_team, nullptr);
  for (std::size_t s = 0; s < span_count_; ++s) {
    Span& span = spans_[(first_span + s) % span_count_];
    while (!urgent || urgent->load(std::memory_order_relaxed) == 0) {
      const std::int64_t index = span.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= span.end) break;
      try {
        piece_(work_, index);
      } catch (...) {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }
  current_team = own;
}

void Team::end_task() {
  working_.store(false, std::memory_order_relaxed);
  looped_.store(false, std::memory_order_relaxed);
}

bool Team::wants_help() const {
  return working_.load(std::memory_order_relaxed) && looped_.load(std::memory_order_relaxed) &&
         helpers_.load(std::memory_order_relaxed) + 1 < kMaxSpans;
}

void Team::help(const std::atomic<std::size_t>& urgent) {
  const std::size_t span = helpers_.load(std::memory_order_relaxed);
  std::uint64_t done = 0;
  Clock::time_point lost_patience = Clock::now() + kPatience;
  for (int looks = 0;
       working_.load(std::memory_order_relaxed) && urgent.load(std::memory_order_relaxed) == 0;) {
    const std::uint64_t open = generation_.load(std::memory_order_seq_cst);
    if (open % 2 == 1 && open != done) {
      inside_.fetch_add(1, std::memory_order_seq_cst);
      if (generation_.load(std::memory_order_seq_cst) == open) {
        take_part(span, &urgent);
        done = open;
      }
      inside_.fetch_sub(1, std::memory_order_release);
      looks = 0;
      lost_patience = Clock::now() + kPatience;
      continue;
    }
    relax();
    if (++looks % kLooksBetweenClocks == 0 && Clock::now() > lost_patience) break;
  }
  helpers_.fetch_sub(1, std::memory_order_release);
}

void Team::wait_for_helpers() const {
  while (helpers_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

}  // namespace sda::engine
