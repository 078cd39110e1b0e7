// Which request gets the engine's threads, and loops that several threads share.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/threads/parallel.h"
#include "engine/threads/test/tasks.h"

namespace sda::engine {
namespace {

TEST_CASE("loops call each piece once") {
  for (const std::size_t threads : {1, 2, 3, 8}) {
    CAPTURE(threads);
    Scheduler::shared().configure({threads, 64});
    for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
      CAPTURE(count);
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
      CHECK_FALSE(run(3, [&](int) {
        for (int round = 0; round < 50; ++round)
          parallel_for(count, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
      }));
      bool all = true;
      for (const auto& n : times) all = all && n == 150;
      CHECK(all);
    }
    // In stretches, with a loop inside a loop.
    std::atomic<std::int64_t> sum{0};
    CHECK_FALSE(run(1, [&](int) {
      parallel_for(101, 10, [&](std::int64_t begin, std::int64_t end) {
        parallel_for(end - begin, [&](std::int64_t i) { sum += begin + i; });
      });
    }));
    CHECK(sum == 5050);
    // An exception in a piece comes out of the loop.
    CHECK(is<std::runtime_error>(run(1, [&](int) {
      parallel_for(100, [&](std::int64_t i) {
        if (i == 57) throw std::runtime_error("piece");
      });
    })));
  }
}

TEST_CASE("a loop on a thread that is not the scheduler's runs there") {
  int here = 0;
  parallel_for(5, [&](std::int64_t) { ++here; });
  CHECK(here == 5);
}

TEST_CASE("other threads help a lone task") {
  Scheduler::shared().configure({2, 64});
  std::mutex mutex;
  std::set<std::thread::id> ids;
  CHECK_FALSE(run(1, [&](int) {
    for (int round = 0; round < 2000; ++round) {
      parallel_for(8, [&](std::int64_t) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
        while (std::chrono::steady_clock::now() < until) {
        }
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
      });
      if (ids.size() == 2) break;
    }
  }));
  CHECK(ids.size() == 2);
}

TEST_CASE("requests take turns") {
  Scheduler::shared().configure({1, 64});
  // Two requests come while the only thread is busy; then they take turns.
  std::promise<void> hold;
  const auto held = hold.get_future().share();
  const auto first = std::make_shared<Tasks>(1, [&](int) { held.wait(); });
  auto first_done = first->result();
  Scheduler::shared().start(first);
  std::string order;
  const auto a = std::make_shared<Tasks>(4, [&](int) { order += 'a'; });
  const auto b = std::make_shared<Tasks>(2, [&](int) { order += 'b'; });
  auto a_done = a->result(), b_done = b->result();
  Scheduler::shared().start(a);
  Scheduler::shared().start(b);
  hold.set_value();
  CHECK_FALSE(first_done.get());
  CHECK_FALSE(a_done.get());
  CHECK_FALSE(b_done.get());
  CHECK(order == "ababaa");
}

TEST_CASE("requests beyond the limit are refused") {
  Scheduler::shared().configure({1, 2});
  std::promise<void> hold;
  const auto held = hold.get_future().share();
  const auto first = std::make_shared<Tasks>(1, [&](int) { held.wait(); });
  const auto second = std::make_shared<Tasks>(1, [](int) {});
  auto first_done = first->result(), second_done = second->result();
  Scheduler::shared().start(first);
  Scheduler::shared().start(second);
  bool refused = false;
  try {
    Scheduler::shared().start(std::make_shared<Tasks>(1, [](int) {}));
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kLimit;
  }
  CHECK(refused);
  hold.set_value();
  CHECK_FALSE(first_done.get());
  CHECK_FALSE(second_done.get());
  CHECK_FALSE(run(1, [](int) {}));
}

TEST_CASE("cancelled requests end, at once unless a task runs") {
  Scheduler::shared().configure({1, 64});
  std::promise<void> hold;
  const auto held = hold.get_future().share();
  std::promise<void> begun_running;
  const auto running = std::make_shared<Tasks>(3, [&](int number) {
    if (number == 0) begun_running.set_value();
    held.wait();
  });
  const auto queued = std::make_shared<Tasks>(1, [](int) {});
  const auto waiting = std::make_shared<Tasks>(1, [](int) {});
  waiting->open = false;
  auto running_done = running->result(), queued_done = queued->result(),
       waiting_done = waiting->result();
  Scheduler::shared().start(waiting);
  Scheduler::shared().start(running);
  Scheduler::shared().start(queued);
  begun_running.get_future().get();
  // The only thread is busy, but a request that it does not work on ends at once.
  queued->token->cancel();
  CHECK(is<Cancelled>(queued_done.get()));
  waiting->token->cancel();
  CHECK(is<Cancelled>(waiting_done.get()));
  // The running request ends with its task.
  running->token->cancel();
  const bool pending =
      running_done.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  CHECK(pending);
  hold.set_value();
  CHECK(is<Cancelled>(running_done.get()));
  // Cancelled before it starts.
  const auto late = std::make_shared<Tasks>(1, [](int) {});
  late->token->cancel();
  auto late_done = late->result();
  Scheduler::shared().start(late);
  CHECK(is<Cancelled>(late_done.get()));
}

TEST_CASE("a task's failure cancels the other tasks and is the result") {
  Scheduler::shared().configure({1, 64});
  std::atomic<int> begun{0};
  CHECK(is<std::logic_error>(run(1000, [&](int number) {
    ++begun;
    if (number == 3) throw std::logic_error("third");
  })));
  CHECK(begun < 1000);
}

TEST_CASE("a waiting request is asked again after wake, and delays no other") {
  Scheduler::shared().configure({2, 64});
  const auto waiting = std::make_shared<Tasks>(2, [](int) {});
  waiting->open = false;
  auto done = waiting->result();
  Scheduler::shared().start(waiting);
  CHECK_FALSE(run(1, [](int) {}));
  const bool pending = done.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
  CHECK(pending);
  waiting->open = true;
  Scheduler::shared().wake(*waiting);
  CHECK_FALSE(done.get());
}

TEST_CASE("threads start and end under load") {
  std::atomic<int> done{0};
  std::vector<std::shared_ptr<Tasks>> all;
  std::vector<std::future<std::exception_ptr>> results;
  Scheduler::shared().configure({4, 1000});
  for (int i = 0; i < 100; ++i) {
    all.push_back(
        std::make_shared<Tasks>(20, [&](int) { parallel_for(16, [&](std::int64_t) { ++done; }); }));
    results.push_back(all.back()->result());
    Scheduler::shared().start(all.back());
    Scheduler::shared().configure({static_cast<std::size_t>(1 + i % 7), 1000});
  }
  bool whole = true;
  for (auto& result : results) whole = whole && !result.get();
  CHECK(whole);
  CHECK(done == 100 * 20 * 16);
}

}  // namespace
}  // namespace sda::engine
