// Putting generated chunks end to end, as they come.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Fades the last and first `overlap` samples of neighbours (or as many as there are) into each
// other. What the next chunk may still change is held back.
class Joiner {
 public:
  Joiner(std::int64_t overlap, Joint joint);

  // Both append to `out` what will not change any more.
  void append(const float* chunk, std::int64_t count, std::vector<float>& out);
  void finish(std::vector<float>& out);

 private:
  struct Fade {
    std::vector<float> tail, head;
  };
  static Fade make_fade(std::int64_t overlap, Joint joint);

  std::int64_t overlap_;
  Joint joint_;
  Fade fade_;                // the last one that was needed
  std::vector<float> held_;  // the last `overlap` samples, or all while there are fewer
};

}  // namespace sda::engine
