// Parallel loops on the engine's threads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace sda::engine {

// An engine thread together with the threads that help with its loops. Each thread of the scheduler
// owns one. A loop on any other thread runs on that thread alone.
class Team {
 public:
  // Calls piece(work, i) for each i < count, on the owner's thread and on the threads that help.
  // Returns when all calls have ended. Rethrows the first exception of a call.
  using Piece = void (*)(const void* work, std::int64_t index);
  static void run(std::int64_t count, Piece piece, const void* work);

 private:
  friend class Scheduler;

  // Called on the owner's thread: from now on, this thread's loops run on this team.
  void enter();
  // Called before and after each task. Other threads help only in between.
  void begin_task() { working_.store(true, std::memory_order_relaxed); }
  void end_task();

  // Called on another thread, which helpers_ must already count. Takes part in the owner's loops
  // until `urgent` is above zero, the owner's task ends, or no loop is opened for a while.
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

  // Odd while a loop is open. A helper first counts itself in inside_, then reads generation_
  // again, and takes part only if the number is unchanged. The owner closes the loop, then waits
  // until inside_ is zero.
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> inside_{0};
  std::atomic<std::size_t> helpers_{0};
  std::atomic<bool> working_{false};
  std::atomic<bool> looped_{false};  // the current task has opened a loop

  // The open loop. Each thread starts with its own span, so that the data of its last loop is still
  // in its cache.
  Piece piece_ = nullptr;
  const void* work_ = nullptr;
  std::size_t span_count_ = 0;
  std::array<Span, kMaxSpans> spans_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

// Calls work(i) for each i < count, in any order, on as many threads as are free. Results must have
// the same bits for every number of threads, so no sum may cross two pieces.
template <typename Work>
void parallel_for(std::int64_t count, const Work& work) {
  Team::run(
      count, [](const void* w, std::int64_t index) { (*static_cast<const Work*>(w))(index); },
      &work);
}

// Splits [0, count) into stretches of up to `grain` and calls work(begin, end) for each.
template <typename Work>
void parallel_for(std::int64_t count, std::int64_t grain, const Work& work) {
  parallel_for((count + grain - 1) / grain, [&](std::int64_t piece) {
    const std::int64_t begin = piece * grain;
    work(begin, begin + grain < count ? begin + grain : count);
  });
}

}  // namespace sda::engine
