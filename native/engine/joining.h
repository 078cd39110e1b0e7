// Putting generated chunks end to end.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Appends `chunk` to `audio`; their last and first `overlap` samples (or as many as both have) are
// faded into each other.
class Joiner {
 public:
  Joiner(std::int64_t overlap, Joint joint);
  void append(std::vector<float>& audio, const float* chunk, std::int64_t count) const;

 private:
  struct Fade {
    std::vector<float> tail, head;
  };
  static Fade make_fade(std::int64_t overlap, Joint joint);

  std::int64_t overlap_;
  Joint joint_;
  Fade fade_;
};

}  // namespace sda::engine
