// Who gets the engine's threads, and loops that they share.
#include "engine/threads/scheduler.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

int passed = 0;
int failed = 0;

void check(bool holds, const char* what, int line) {
  (holds ? passed : failed) += 1;
  if (!holds) std::fprintf(stderr, "scheduler_test.cc:%d: %s\n", line, what);
}
#define EXPECT(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

using Ended = std::function<void(std::exception_ptr)>;

// `count` tasks that call `work` with their number.
class Tasks final : public Request {
 public:
  Tasks(int count, std::function<void(int)> work, Ended ended = nullptr)
      : Request(std::make_shared<CancelToken>()),
        token(const_cast<CancelToken*>(&cancel())),
        count_(count),
        work_(std::move(work)),
        ended_(std::move(ended)) {}

  CancelToken* const token;
  std::atomic<bool> open{true};  // closed: it waits
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

std::exception_ptr run(int count, std::function<void(int)> work) {
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

void test_loops() {
  for (const std::size_t threads : {1, 2, 3, 8}) {
    Scheduler::shared().configure({threads, 64});
    for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
      EXPECT(!run(3, [&](int) {
        for (int round = 0; round < 50; ++round)
          parallel_for(count, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
      }));
      bool all = true;
      for (const auto& n : times) all = all && n == 150;
      EXPECT(all);
    }
    // By stretches; loops inside of loops; and what is thrown in one comes out of it.
    std::atomic<std::int64_t> sum{0};
    EXPECT(!run(1, [&](int) {
      parallel_for(101, 10, [&](std::int64_t begin, std::int64_t end) {
        parallel_for(end - begin, [&](std::int64_t i) { sum += begin + i; });
      });
    }));
    EXPECT(sum == 5050);
    EXPECT(is<std::runtime_error>(run(1, [&](int) {
      parallel_for(100, [&](std::int64_t i) {
        if (i == 57) throw std::runtime_error("piece");
      });
    })));
  }
  // On other threads too.
  int here = 0;
  parallel_for(5, [&](std::int64_t) { ++here; });
  EXPECT(here == 5);
}

// Other threads help a lone task.
void test_help() {
  Scheduler::shared().configure({2, 64});
  std::mutex mutex;
  std::set<std::thread::id> ids;
  EXPECT(!run(1, [&](int) {
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
  EXPECT(ids.size() == 2);
}

void test_turns() {
  Scheduler::shared().configure({1, 64});
  // While the only thread is held up, two come; then they take turns.
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
  EXPECT(!first_done.get() && !a_done.get() && !b_done.get());
  EXPECT(order == "ababaa");
}

void test_limit() {
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
  EXPECT(refused);
  hold.set_value();
  EXPECT(!first_done.get() && !second_done.get());
  EXPECT(!run(1, [](int) {}));
}

void test_cancelling() {
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
  // The only thread is held up, and yet who waits for it is told at once.
  queued->token->cancel();
  EXPECT(is<Cancelled>(queued_done.get()));
  waiting->token->cancel();
  EXPECT(is<Cancelled>(waiting_done.get()));
  // What runs ends with its task.
  running->token->cancel();
  EXPECT(running_done.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  hold.set_value();
  EXPECT(is<Cancelled>(running_done.get()));
  // Cancelled before it came.
  const auto late = std::make_shared<Tasks>(1, [](int) {});
  late->token->cancel();
  auto late_done = late->result();
  Scheduler::shared().start(late);
  EXPECT(is<Cancelled>(late_done.get()));
  // A failure ends the others, and is what is told.
  std::atomic<int> begun{0};
  EXPECT(is<std::logic_error>(run(1000, [&](int number) {
    ++begun;
    if (number == 3) throw std::logic_error("third");
  })));
  EXPECT(begun < 1000);
}

void test_waiting() {
  Scheduler::shared().configure({2, 64});
  const auto waiting = std::make_shared<Tasks>(2, [](int) {});
  waiting->open = false;
  auto done = waiting->result();
  Scheduler::shared().start(waiting);
  EXPECT(!run(1, [](int) {}));  // others go on
  EXPECT(done.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  waiting->open = true;
  Scheduler::shared().wake(*waiting);
  EXPECT(!done.get());
}

// Threads come and go under load.
void test_configuring() {
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
  EXPECT(whole && done == 100 * 20 * 16);
}

void test_stopping() {
  Scheduler::shared().configure({2, 64});
  std::atomic<bool> ended{false};
  const auto endless = std::make_shared<Tasks>(
      1 << 30, [](int) {}, [&](std::exception_ptr) { ended = true; });
  auto done = endless->result();
  Scheduler::shared().start(endless);
  Scheduler::shared().stop();
  EXPECT(ended && is<Cancelled>(done.get()));
  EXPECT(is<Cancelled>(run(1, [](int) {})));
}

int run_all() {
  test_loops();
  test_help();
  test_turns();
  test_limit();
  test_cancelling();
  test_waiting();
  test_configuring();
  test_stopping();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sda::engine

int main() { return sda::engine::run_all(); }
