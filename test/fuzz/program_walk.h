// Goes through a program of values and sees that it is one: each operation has its numbers, and
// names only texts, buffers and values that are there.
#pragma once

#include "addon/marshal/program.h"

namespace sda::fuzz {

class ProgramWalk {
 public:
  explicit ProgramWalk(const addon::Program& program) : program_(program) {}

  // Aborts on a contradiction.
  void run();

 private:
  double number();
  std::size_t count();
  void text();
  void shape();
  void raw(std::size_t bytes);
  void buffer(double index);
  // Returns how many values follow as a part of this one.
  std::size_t value();

  const addon::Program& program_;
  std::size_t at_ = 0;
  std::size_t made_ = 0;
};

}  // namespace sda::fuzz
