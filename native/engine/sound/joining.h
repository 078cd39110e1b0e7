// Joins generated chunks as they come.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Fades the last `overlap` samples of each chunk into the first of the next (or fewer, where a
// chunk is shorter). Holds back the samples that the next chunk may still change.
class Joiner {
 public:
  Joiner(std::int64_t overlap, Joint joint);

  // Both append to `out` the samples that will not change any more.
  void append(const float* chunk, std::int64_t count, std::vector<float>& out);
  void finish(std::vector<float>& out);

 private:
  struct Fade {
    std::vector<float> tail, head;
  };
  static Fade make_fade(std::int64_t overlap, Joint joint);

  std::int64_t overlap_;
  Joint joint_;
  Fade fade_;                // the fade that was last used
  std::vector<float> held_;  // the last `overlap` samples, or all samples if there are fewer
};

}  // namespace sda::engine
