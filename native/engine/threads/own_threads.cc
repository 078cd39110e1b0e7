// The scheduler's threads on platforms that have threads.
#include <memory>
#include <system_error>
#include <thread>

#include "engine/threads/scheduler.h"

namespace sda::engine {

void Scheduler::start_thread() {
  auto team = std::make_unique<Team>();
  std::thread([this, mine = team.get()] {
    const std::unique_ptr<Team> owned(mine);
    owned->enter();
    run(*owned);
  }).detach();
  teams_.push_back(team.release());
}

// Each new thread starts the next one, so that the first request waits for a single thread to
// start, not for all.
void Scheduler::start_missing_thread() {
  if (teams_.size() >= settings_.threads) return;
  try {
    start_thread();
  } catch (const std::system_error&) {
    // The threads that already run do all the work.
  }
}

bool Scheduler::take_turn() { return false; }

}  // namespace sda::engine
