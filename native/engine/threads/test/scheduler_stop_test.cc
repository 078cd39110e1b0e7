// Scheduler::stop(). A program of its own, since nothing runs on the scheduler afterwards.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>

#include "engine/threads/test/tasks.h"

namespace sda::engine {
namespace {

TEST_CASE("stop ends what runs and cancels what comes later") {
  Scheduler::shared().configure({2, 64});
  std::atomic<bool> ended{false};
  const auto endless = std::make_shared<Tasks>(
      1 << 30, [](int) {}, [&](std::exception_ptr) { ended = true; });
  auto done = endless->result();
  Scheduler::shared().start(endless);
  Scheduler::shared().stop();
  CHECK(ended);
  CHECK(is<Cancelled>(done.get()));
  CHECK(is<Cancelled>(run(1, [](int) {})));
}

}  // namespace
}  // namespace sda::engine
