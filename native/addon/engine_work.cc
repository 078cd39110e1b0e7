#include "addon/engine_work.h"

#include <exception>
#include <utility>

#include "addon/errors.h"
#include "addon/marshal/arguments.h"
#include "engine/threads/scheduler.h"

namespace sda::addon {
namespace {

// A request of one task.
class SingleTask final : public engine::Request {
 public:
  SingleTask(std::shared_ptr<CancelToken> cancel, Work work, Complete complete)
      : Request(std::move(cancel)), work_(std::move(work)), complete_(std::move(complete)) {}

 protected:
  Next next(engine::Task& task) override {
    if (std::exchange(begun_, true)) return Next::kEnd;
    task = [this] { finish_ = work_(cancel()); };
    return Next::kTask;
  }

  void ended(std::exception_ptr failure) noexcept override {
    work_ = nullptr;
    Finish finish = std::exchange(finish_, nullptr);
    const Complete complete = std::exchange(complete_, nullptr);
    complete(failure ? nullptr : std::move(finish), std::move(failure));
  }

 private:
  Work work_;
  Complete complete_;
  Finish finish_;
  bool begun_ = false;
};

}  // namespace

Napi::Promise run_on_engine(Napi::Env env, std::shared_ptr<CancelToken> cancel, Work work) {
  return Environment::of(env).run_elsewhere(
      env, std::move(cancel), [&work](std::shared_ptr<CancelToken> token, Complete complete) {
        engine::Scheduler::shared().start(
            std::make_shared<SingleTask>(std::move(token), std::move(work), std::move(complete)));
      });
}

Napi::Value configure_engine(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    engine::Scheduler& scheduler = engine::Scheduler::shared();
    engine::Scheduler::Settings settings = scheduler.settings();
    const Napi::Object options = object_argument(call[0], "options");
    const auto take = [&](const char* name, std::size_t& setting) {
      const Napi::Value value = options.Get(name);
      if (!value.IsUndefined())
        setting =
            static_cast<std::size_t>(std::max<std::int64_t>(1, integer_argument(value, name)));
    };
    take("threads", settings.threads);
    take("maxRequests", settings.max_requests);
    scheduler.configure(settings);
    settings = scheduler.settings();
    Napi::Object result = Napi::Object::New(call.Env());
    result.Set("threads", static_cast<double>(settings.threads));
    result.Set("maxRequests", static_cast<double>(settings.max_requests));
    return result;
  });
}

Napi::Value stop_all_work(const Napi::CallbackInfo& info) {
  engine::Scheduler::shared().stop();
  return stop_work(info);
}

}  // namespace sda::addon
