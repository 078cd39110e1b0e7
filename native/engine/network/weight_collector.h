// Reads a network's tensors from a state dict.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/state_dict.h"

namespace sda::engine {

// float32, row-major; Memory owns it.
struct Parameter {
  const float* data = nullptr;
  std::int64_t numel = 0;
};

struct BatchNorm {
  Parameter weight, bias, running_mean, running_var;
};

struct Affine {
  Parameter weight, bias;
};

// The memory of a network's parameters.
struct Memory {
  std::vector<std::shared_ptr<const void>> owners;
  std::int64_t bytes = 0;
};

// Takes tensors by name. Throws kSchema with detail "tensor" for a missing or unexpected tensor, a
// wrong shape or a wrong element type. Row-major float32 tensors are not copied: `memory` shares
// their ownership.
class WeightCollector {
 public:
  using Shape = std::vector<std::int64_t>;

  // `what` names the network in errors: "a ConvVAE". `prefix` comes before each tensor's name in
  // errors.
  WeightCollector(const StateDict& state, std::string what, std::string prefix, Memory& memory);

  bool has(std::string_view name) const;
  // The shape of a tensor; null: there is none of this name.
  const Shape* shape_of(std::string_view name) const;

  // While lenient, missing tensors are allowed: they have no data.
  void set_lenient(bool lenient) { lenient_ = lenient; }

  Parameter take(const std::string& name, const Shape& shape);
  // weight of this shape, and bias of `outputs` elements
  void affine(const std::string& prefix, const Shape& shape, std::int64_t outputs, Affine& target);
  void norm(const std::string& prefix, std::int64_t channels, BatchNorm& target);
  // A tensor that inference does not use, but that must be there with this shape.
  void skip(const std::string& name, const Shape& shape);

  // Throws if a tensor was not taken.
  void finish() const;

 private:
  [[noreturn]] void refuse(std::string_view name, const std::string& why) const;
  const NamedTensor* find(const std::string& name, const Shape& shape);
  void take_counter(const std::string& name);
  void keep(std::shared_ptr<const void> owner);

  const StateDict& state_;
  const std::string what_, prefix_;
  std::vector<bool> taken_;
  std::size_t next_ = 0;
  Memory& memory_;
  bool lenient_ = false;
};

}  // namespace sda::engine
