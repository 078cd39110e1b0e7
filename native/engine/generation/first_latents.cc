#include "engine/generation/first_latents.h"

#include <algorithm>
#include <utility>

#include "engine/generation/latent_source.h"

namespace sda::engine {

Latent FirstLatent::draw() const {
  return LatentSource(options_, latent_dim_, options_.seed).latent(0);
}

FirstLatents& FirstLatents::shared() {
  static FirstLatents* const all = new FirstLatents;
  return *all;
}

void FirstLatents::add(const Model& model, std::shared_ptr<FirstLatent> latent) {
  const std::lock_guard lock(mutex_);
  open_[&model].push_back(std::move(latent));
}

FirstLatents::Claim FirstLatents::claim(const Model& model, FirstLatent& latent, FloatTensor& mel) {
  const std::lock_guard lock(mutex_);
  switch (latent.state_) {
    case FirstLatent::State::kTaken:
      return Claim::kWait;
    case FirstLatent::State::kDecoded:
      mel = std::move(latent.mel_);
      return Claim::kDecoded;
    case FirstLatent::State::kOpen:
      erase(model, latent);
      latent.state_ = FirstLatent::State::kLeftToOwner;
      break;
    case FirstLatent::State::kLeftToOwner:
      break;
  }
  return Claim::kDecode;
}

FirstLatents::Taken FirstLatents::take(const Model& model, std::size_t most, std::size_t left) {
  std::vector<std::shared_ptr<FirstLatent>> taken;
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(&model);
  if (found != open_.end() && found->second.size() > left) {
    auto& open = found->second;
    const std::size_t count = std::min(most, open.size() - left);
    taken.reserve(count);
    for (; taken.size() < count; open.pop_front()) {
      open.front()->state_ = FirstLatent::State::kTaken;
      taken.push_back(std::move(open.front()));
    }
    if (open.empty()) open_.erase(found);
  }
  return Taken(std::move(taken));
}

void FirstLatents::withdraw(const Model& model, FirstLatent& latent) {
  const std::lock_guard lock(mutex_);
  if (latent.state_ == FirstLatent::State::kOpen) erase(model, latent);
  latent.mel_ = {};
}

void FirstLatents::settle(FirstLatent& latent, FirstLatent::State state, FloatTensor mel) {
  {
    const std::lock_guard lock(mutex_);
    latent.mel_ = std::move(mel);
    latent.state_ = state;
  }
  if (const auto request = latent.request_.lock()) Scheduler::shared().wake(*request);
}

void FirstLatents::erase(const Model& model, const FirstLatent& latent) {
  const auto found = open_.find(&model);
  std::erase_if(found->second, [&](const auto& other) { return other.get() == &latent; });
  if (found->second.empty()) open_.erase(found);
}

FirstLatents::Taken::~Taken() {
  for (const auto& latent : latents_) {
    if (latent) shared().settle(*latent, FirstLatent::State::kLeftToOwner, {});
  }
}

void FirstLatents::Taken::give(std::size_t i, FloatTensor mel) {
  shared().settle(*latents_[i], FirstLatent::State::kDecoded, std::move(mel));
  latents_[i] = nullptr;
}

}  // namespace sda::engine
