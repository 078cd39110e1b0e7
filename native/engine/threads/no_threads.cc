// The scheduler on platforms without threads: callers of take_turn() do the work.
#include "engine/threads/scheduler.h"

namespace sda::engine {

void Scheduler::start_thread() {}

void Scheduler::start_missing_thread() {}

bool Scheduler::take_turn() {
  Lock lock(mutex_);
  if (ready_.empty()) return false;
  Team team;  // without enter(): loops run on this thread alone
  give_turn(lock, team);
  return true;
}

}  // namespace sda::engine
