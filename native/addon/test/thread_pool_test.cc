// The addons' thread pool, without Node.
#include "addon/thread_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace sda::addon {
namespace {

std::shared_ptr<CancelToken> token() { return std::make_shared<CancelToken>(); }

void wait_until_cancelled(const CancelToken& cancel) {
  while (!cancel.cancelled()) std::this_thread::yield();
}

// A single case: all use the shared pool, which never starts again after stop().
TEST_CASE("the pool runs jobs on its threads until it is stopped") {
  ThreadPool& pool = ThreadPool::shared();
  REQUIRE(pool.size() >= 2);
  CHECK(pool.size() <= 16);

  // As many jobs as the pool has threads run at the same time: each waits for all.
  const auto width = static_cast<std::ptrdiff_t>(pool.size());
  std::latch met(width), left(width);
  std::atomic<int> here{0};
  for (std::ptrdiff_t i = 0; i < width; ++i) {
    pool.queue(token(), [&, caller = std::this_thread::get_id()] {
      here += std::this_thread::get_id() == caller;
      met.arrive_and_wait();
      left.count_down();
    });
  }
  left.wait();
  CHECK(here == 0);

  // More jobs than threads, from several threads: each runs once, and none is cancelled.
  constexpr int kJobs = 200;
  std::vector<std::atomic<int>> runs(4 * kJobs);
  std::latch all_run(4 * kJobs);
  std::atomic<int> cancelled{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < kJobs; ++i) {
        auto cancel = token();
        const CancelToken& mine = *cancel;
        auto job = [&, cancel, caller, i] {
          cancelled += mine.cancelled();
          ++runs[static_cast<std::size_t>(caller * kJobs + i)];
          all_run.count_down();
        };
        pool.queue(std::move(cancel), std::move(job));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  all_run.wait();
  bool once = true;
  for (const auto& count : runs) once = once && count == 1;
  CHECK(once);
  CHECK(cancelled == 0);

  // Every thread is busy until its token is cancelled, and ten more jobs are queued.
  std::latch busy(width);
  std::atomic<int> ended{0};
  for (std::ptrdiff_t i = 0; i < width; ++i) {
    auto cancel = token();
    pool.queue(cancel, [&, cancel] {
      busy.count_down();
      wait_until_cancelled(*cancel);
      ++ended;
    });
  }
  busy.wait();
  std::atomic<int> told{0};
  for (int i = 0; i < 10; ++i) {
    auto cancel = token();
    pool.queue(cancel, [&, cancel] { told += cancel->cancelled(); });
  }
  CHECK(told == 0);
  // stop() cancels both, and returns only when all have ended.
  pool.stop();
  CHECK(ended == static_cast<int>(width));
  CHECK(told == 10);

  // A later job runs on the caller's thread before queue() returns, with its token cancelled.
  auto late = token();
  bool late_ran = false;
  std::thread::id late_thread;
  pool.queue(late, [&] {
    late_ran = late->cancelled();
    late_thread = std::this_thread::get_id();
  });
  CHECK(late_ran);
  const bool same_thread = late_thread == std::this_thread::get_id();
  CHECK(same_thread);
  pool.stop();
}

}  // namespace
}  // namespace sda::addon
