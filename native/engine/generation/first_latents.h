// The first latents of requests that wait for their turn. Whoever decodes one decodes others of the
// same model with it: the weights are read once for all of them, as they are for the later chunks
// of a long request, and what comes out is the same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

// One request's; shared by its owner and by whoever decodes it.
class FirstLatent {
 public:
  FirstLatent(const GenerateOptions& options, std::int64_t latent_dim,
              std::weak_ptr<Request> request)
      : options_(options), latent_dim_(latent_dim), request_(std::move(request)) {}

  at::Tensor draw() const;  // [1, latent_dim]; may point into this object

 private:
  friend class FirstLatents;
  enum class State { kOpen, kTaken, kDecoded, kLeftToOwner };

  const GenerateOptions options_;
  const std::int64_t latent_dim_;
  const std::weak_ptr<Request> request_;
  // Under the mutex of FirstLatents.
  State state_ = State::kOpen;
  at::Tensor mel_;
};

class FirstLatents {
 public:
  // Those that wait; of the whole process, and never destroyed, as the scheduler.
  static FirstLatents& shared();

  void add(const Model& model, std::shared_ptr<FirstLatent> latent);

  enum class Claim {
    kDecode,   // the owner is to decode it; nobody else will
    kWait,     // somebody else decodes it, and will wake the owner
    kDecoded,  // `mel` is set
  };
  Claim claim(const Model& model, FirstLatent& latent, at::Tensor& mel);

  // Others to be decoded with one's own, whoever has waited longest first. Those that are not given
  // a mel before this goes are left to their owners.
  class Taken {
   public:
    explicit Taken(std::vector<std::shared_ptr<FirstLatent>> latents)
        : latents_(std::move(latents)) {}
    ~Taken();
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    const std::vector<std::shared_ptr<FirstLatent>>& latents() const { return latents_; }
    void give(std::size_t i, at::Tensor mel);

   private:
    std::vector<std::shared_ptr<FirstLatent>> latents_;
  };
  // At most `most`, and not the last `left`: other threads find something to do, too.
  Taken take(const Model& model, std::size_t most, std::size_t left);

  // When the owner ends.
  void withdraw(const Model& model, FirstLatent& latent);

 private:
  void settle(FirstLatent& latent, FirstLatent::State state, at::Tensor mel);
  void erase(const Model& model, const FirstLatent& latent);

  std::mutex mutex_;
  std::unordered_map<const Model*, std::deque<std::shared_ptr<FirstLatent>>> open_;
};

}  // namespace sda::engine
