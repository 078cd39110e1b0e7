// The first latents of requests that wait for their turn. A request that decodes its first latent
// also decodes those of other requests for the same model: the weights are then read from memory
// once for all. The results have the same bits as when each request decodes its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/generation/latent_path.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

// The first latent of one request, its owner. The owner and the request that decodes it share it.
class FirstLatent {
 public:
  FirstLatent(const GenerateOptions& options, std::int64_t latent_dim,
              std::weak_ptr<Request> request)
      : options_(options), latent_dim_(latent_dim), request_(std::move(request)) {}

  Latent draw() const;

 private:
  friend class FirstLatents;
  enum class State { kOpen, kTaken, kDecoded, kLeftToOwner };

  const GenerateOptions options_;
  const std::int64_t latent_dim_;
  const std::weak_ptr<Request> request_;
  // Guarded by the mutex of FirstLatents.
  State state_ = State::kOpen;
  FloatTensor mel_;
};

// May be used from any thread.
class FirstLatents {
 public:
  // The process's only instance. Like the scheduler, it is never destroyed.
  static FirstLatents& shared();

  // Offers the latent to other requests.
  void add(const Model& model, std::shared_ptr<FirstLatent> latent);

  enum class Claim {
    kDecode,   // the owner must decode it; no other request will
    kWait,     // another request decodes it and will wake the owner
    kDecoded,  // another request has decoded it: `mel` is set
  };
  // Asked by the owner.
  Claim claim(const Model& model, FirstLatent& latent, FloatTensor& mel);

  // Latents of other requests, to be decoded together with one's own; the longest-waiting first.
  // The destructor leaves each latent that was not given a mel to its owner.
  class Taken {
   public:
    explicit Taken(std::vector<std::shared_ptr<FirstLatent>> latents)
        : latents_(std::move(latents)) {}
    ~Taken();
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    const std::vector<std::shared_ptr<FirstLatent>>& latents() const { return latents_; }
    void give(std::size_t i, FloatTensor mel);

   private:
    std::vector<std::shared_ptr<FirstLatent>> latents_;
  };
  // Takes at most `most` latents and leaves at least `left`, so that other threads have work too.
  Taken take(const Model& model, std::size_t most, std::size_t left);

  // Called when the owner ends: no other request decodes the latent from now on.
  void withdraw(const Model& model, FirstLatent& latent);

 private:
  void settle(FirstLatent& latent, FirstLatent::State state, FloatTensor mel);
  void erase(const Model& model, const FirstLatent& latent);

  std::mutex mutex_;
  std::unordered_map<const Model*, std::deque<std::shared_ptr<FirstLatent>>> open_;
};

}  // namespace sda::engine
