// Loops that the engine's threads share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace sda::engine {

// An engine's thread with those that help it. Each thread of the scheduler's owns one; loops on
// other threads run where they are.
class Team {
 public:
  // Calls piece(work, i) for each i < count, by the owner; returns when all have ended, and throws
  // what the first failure threw.
  using Piece = void (*)(const void* work, std::int64_t index);
  static void run(std::int64_t count, Piece piece, const void* work);

 private:
  friend class Scheduler;

  // The owner's: where this thread's loops go to.
  void enter();
  // Around a task: only then does anybody help.
  void begin_task() { working_.store(true, std::memory_order_relaxed); }
  void end_task();

  // By another thread, which has been counted in helpers_: takes part in the owner's loops until
  // `urgent` is above zero, the owner's task has ended, or no loop has come for a while.
  void help(const std::atomic<std::size_t>& urgent);
  bool wants_help() const;
  void wait_for_helpers() const;

  struct alignas(64) Span {
    std::atomic<std::int64_t> next;
    std::int64_t end;
  };
  static constexpr std::size_t kMaxSpans = 16;

  void run_loop(std::int64_t count, Piece piece, const void* work);
  void take_part(std::size_t first_span, const std::atomic<std::size_t>* urgent);

  // Odd while a loop is open. Who has come in and still finds the same number may take part; who
  // closes the loop waits until nobody is inside.
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> inside_{0};
  std::atomic<std::size_t> helpers_{0};
  std::atomic<bool> working_{false};
  std::atomic<bool> looped_{false};  // in this task

  // Of the open loop. Each takes from its own span first, so that what it worked on in the last
  // loop is still in its cache.
  Piece piece_ = nullptr;
  const void* work_ = nullptr;
  std::size_t span_count_ = 0;
  std::array<Span, kMaxSpans> spans_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

// Calls work(i) for each i < count, in any order, several at once where the engine has threads to
// spare. To have the same bits however many there are, no sum may cross pieces.
template <typename Work>
void parallel_for(std::int64_t count, const Work& work) {
  Team::run(
      count, [](const void* w, std::int64_t index) { (*static_cast<const Work*>(w))(index); },
      &work);
}

// The same by stretches of up to `grain` of [0, count): work(begin, end).
template <typename Work>
void parallel_for(std::int64_t count, std::int64_t grain, const Work& work) {
  parallel_for((count + grain - 1) / grain, [&](std::int64_t piece) {
    const std::int64_t begin = piece * grain;
    work(begin, begin + grain < count ? begin + grain : count);
  });
}

}  // namespace sda::engine
