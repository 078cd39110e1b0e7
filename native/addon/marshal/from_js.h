// JavaScript values as a graph for the writer. lib/torch/encode.ts walks the values, refuses what
// can't be written and describes the rest as a plan: codes for a stack machine, and beside them the
// numbers and the JavaScript values that these refer to, each in the order of use.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "checkpoint/pickle/value.h"

namespace sda::addon {

// Its values point into the memory of the plan's typed arrays: the plan must outlive them.
class ValueBuilder {
 public:
  // `carried` is the top-level dict that the plan may take entries from, or null.
  // The values belong to `arena`.
  ValueBuilder(Napi::Env env, const Napi::Object& plan, const Dict* carried, Arena& arena);

  // The value of the whole plan; kArgument for a plan that is not one of encode.ts.
  Value build();

 private:
  void execute(std::uint32_t code);
  void fill(std::uint32_t count);
  void amend(std::uint32_t count);
  void fill_object(std::uint32_t items, std::uint32_t entries);
  void push_tensor();
  void push_array();
  void push_storage();
  void push_global();
  void place_tensors();

  std::uint32_t code();
  double number();
  std::int64_t integer();
  napi_value value();
  std::string_view text();
  DType dtype();
  void shape(Sizes& sizes);
  Value pop();
  std::size_t from_top(std::size_t count) const;
  void push_new(Object* object);

  struct Memory {
    std::byte* data;
    std::size_t size;
    napi_value buffer;
    std::byte* buffer_data;
    std::size_t buffer_size;
  };
  Memory memory();

  // A tensor and the bytes that have to be saved with it.
  struct Placed {
    Tensor* tensor;
    std::byte* data;
    std::byte* begin;
    std::byte* end;
  };
  void place(std::vector<Placed>::iterator first, std::vector<Placed>::iterator last);

  Napi::Env env_;
  const Dict* carried_;
  Arena& arena_;
  Napi::Uint32Array codes_;
  Napi::Float64Array numbers_;
  Napi::Array values_;
  std::size_t next_code_ = 0, next_number_ = 0;
  std::uint32_t next_value_ = 0;
  std::vector<Value> stack_;
  std::vector<Value> made_;
  std::vector<Placed> placed_;
};

}  // namespace sda::addon
