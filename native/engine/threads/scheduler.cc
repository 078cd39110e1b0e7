#include "engine/threads/scheduler.h"

#include <algorithm>
#include <utility>

#include "os/processors.h"

namespace sda::engine {
namespace {

constexpr std::size_t kDefaultMaxRequests = 128;

}  // namespace

Scheduler& Scheduler::shared() {
  static auto* const scheduler = new Scheduler;
  return *scheduler;
}

Scheduler::Scheduler()
    : settings_{std::clamp<std::size_t>(os::available_processors(), 1, kMaxThreads),
                kDefaultMaxRequests} {}

void Scheduler::configure(const Settings& settings) {
  const std::lock_guard lock(mutex_);
  settings_ = {std::clamp<std::size_t>(settings.threads, 1, kMaxThreads), settings.max_requests};
  wake_.notify_all();  // surplus threads end
  if (!teams_.empty()) start_missing_thread();
}

Scheduler::Settings Scheduler::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void Scheduler::start(std::shared_ptr<Request> request) {
  Request& started = *request;
  {
    Lock lock(mutex_);
    if (requests_.size() >= settings_.max_requests) {
      throw Error(ErrorCode::kLimit,
                  "too many requests at once: " + std::to_string(settings_.max_requests) +
                      " are under way or waiting")
          .with("limit", static_cast<std::int64_t>(settings_.max_requests));
    }
    if (teams_.empty()) start_thread();
    requests_.emplace(&started, request);
    if (stopping_) started.cancel_->cancel();
    make_ready(started);
  }
  // The token may already be cancelled. If not, the hook runs when it is.
  started.cancel_->when_cancelled([this, weak = std::weak_ptr(request)] {
    if (const auto cancelled = weak.lock()) end_at_once(*cancelled);
  });
  if (started.cancel_->cancelled()) end_at_once(started);
}

void Scheduler::make_ready(Request& request) {
  request.state_ = Request::State::kReady;
  ready_.push_back(&request);
  ready_count_.store(ready_.size(), std::memory_order_relaxed);
  if (idle_ > 0) wake_.notify_one();
}

void Scheduler::wake(Request& request) {
  const std::lock_guard lock(mutex_);
  if (request.state_ == Request::State::kWaiting)
    make_ready(request);
  else
    request.woken_ = true;
}

void Scheduler::call_for_help() {
  if (!sleepers_.load(std::memory_order_relaxed) || !sleepers_.exchange(false)) return;
  {
    const std::lock_guard lock(mutex_);
    ++calls_;
  }
  wake_.notify_all();
}

void Scheduler::run(Team& team) {
  Lock lock(mutex_);
  start_missing_thread();
  std::uint64_t answered = calls_;
  for (;;) {
    if (teams_.size() > settings_.threads) break;
    if (!ready_.empty()) {
      give_turn(lock, team);
    } else if (answered != calls_) {
      answered = calls_;
      if (Team* const other = team_to_help()) {
        lock.unlock();
        other->help(ready_count_);
        lock.lock();
      }
    } else {
      ++idle_;
      sleepers_.store(true, std::memory_order_relaxed);
      wake_.wait(lock);
      --idle_;
    }
  }
  teams_.erase(std::find(teams_.begin(), teams_.end(), &team));
  // This thread may have been woken for a request: pass the wake-up on.
  if (!ready_.empty()) wake_.notify_one();
  lock.unlock();
  team.wait_for_helpers();  // no new helper can find the team: it has left teams_
}

Team* Scheduler::team_to_help() {
  Team* fewest = nullptr;
  for (Team* const team : teams_) {
    if (!team->wants_help()) continue;
    if (fewest == nullptr || team->helpers_.load() < fewest->helpers_.load()) fewest = team;
  }
  // Counted under the lock, so that the owner waits for this helper before it goes away.
  if (fewest != nullptr) fewest->helpers_.fetch_add(1);
  return fewest;
}

void Scheduler::give_turn(Lock& lock, Team& team) {
  Request& request = *ready_.front();
  ready_.pop_front();
  ready_count_.store(ready_.size(), std::memory_order_relaxed);
  request.state_ = Request::State::kAsked;
  request.woken_ = false;
  lock.unlock();

  Task task;
  Request::Next next = Request::Next::kEnd;
  std::exception_ptr failure;
  team.begin_task();
  try {
    request.cancel_->throw_if_cancelled();
    next = request.next(task);
  } catch (...) {
    failure = std::current_exception();
  }

  lock.lock();
  if (failure) record(lock, request, failure);
  switch (next) {
    case Request::Next::kTask:
      ++request.running_;
      make_ready(request);
      lock.unlock();
      try {
        task();
      } catch (...) {
        failure = std::current_exception();
      }
      task = nullptr;  // destroys the task's captures while the lock is not held
      lock.lock();
      if (failure) record(lock, request, failure);
      --request.running_;
      // The request may be waiting for this task to end.
      if (request.state_ == Request::State::kWaiting)
        make_ready(request);
      else
        request.woken_ = true;
      break;
    case Request::Next::kWait:
      if (request.woken_)
        make_ready(request);
      else
        request.state_ = Request::State::kWaiting;
      break;
    case Request::Next::kEnd:
      request.state_ = Request::State::kEnding;
      break;
  }
  team.end_task();
  end_if_done(lock, request);
}

void Scheduler::record(Lock& lock, Request& request, std::exception_ptr failure) {
  if (!request.failure_) request.failure_ = std::move(failure);
  // The request cannot end while the lock is released: either it is being asked for a task, or
  // running_ counts one of its tasks.
  lock.unlock();
  request.cancel_->cancel();
  lock.lock();
}

void Scheduler::end_if_done(Lock& lock, Request& request) {
  if (request.state_ == Request::State::kEnding && request.running_ == 0) end(lock, request);
}

void Scheduler::end_at_once(Request& request) {
  Lock lock(mutex_);
  const auto found = requests_.find(&request);
  if (found == requests_.end()) return;
  const bool ready = request.state_ == Request::State::kReady;
  const bool waiting = request.state_ == Request::State::kWaiting;
  if (request.running_ > 0 || !(ready || waiting)) {
    // The thread that works on the request will see that it is cancelled. A waiting request is
    // made ready, since the event that it waits for may never come.
    request.woken_ = true;
    if (waiting) make_ready(request);
    return;
  }
  if (ready) {
    std::erase(ready_, &request);
    ready_count_.store(ready_.size(), std::memory_order_relaxed);
  }
  request.state_ = Request::State::kEnding;
  if (!request.failure_) request.failure_ = std::make_exception_ptr(Cancelled());
  end(lock, request);
}

void Scheduler::end(Lock& lock, Request& request) {
  auto node = requests_.extract(&request);
  if (node.empty()) return;
  std::shared_ptr<Request> kept = std::move(node.mapped());
  ++ending_;
  lock.unlock();
  kept->cancel_->when_cancelled(nullptr);
  kept->ended(kept->failure_);
  kept.reset();
  lock.lock();
  --ending_;
  ended_.notify_all();
}

void Scheduler::stop() {
  std::vector<std::shared_ptr<Request>> under_way;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [key, request] : requests_) under_way.push_back(request);
  }
  for (const auto& request : under_way) request->cancel_->cancel();
  under_way.clear();
  Lock lock(mutex_);
  ended_.wait(lock, [this] { return requests_.empty() && ending_ == 0; });
}

}  // namespace sda::engine
