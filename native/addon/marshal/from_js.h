// Builds the writer's values from a plan. lib/torch/encode.ts walks the JavaScript values, refuses
// those that cannot be written, and describes the others as a plan: codes for a stack machine, and
// the numbers and JavaScript values that the codes take, each in the order of use. plan_codes.def
// lists the codes. Only on the environment's thread.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "addon/marshal/saved_memory.h"
#include "checkpoint/pickle/value.h"

namespace sda::addon {

// A tensor with a row-major copy of what it viewed in its file, and that view.
struct CopiedView {
  std::uint32_t number;  // in the order of the plan
  Tensor* tensor;
  Tensor* view;
  const std::byte* copy;
  const std::byte* viewed;
  bool everywhere;  // whether any thread may read the memory

  // Makes the tensor the view, so that it shares the storage, if both have the same elements.
  bool share() const;
};

struct CopiedViews {
  std::vector<CopiedView> open;         // share() is to be called, on any thread
  std::vector<std::uint32_t> unshared;  // the numbers of those for which share() was false
};

// The values point into the memory of the plan's typed arrays, so the plan must outlive them.
class ValueBuilder {
 public:
  // `carried` is the dict that the plan may take entries from, or null. `arena` owns the values.
  // `memory` keeps the bytes of typed arrays that the values refer to, or guards them.
  ValueBuilder(Napi::Env env, const Napi::Object& plan, const Dict* carried, Arena& arena,
               SavedMemory& memory);

  // The value of the whole plan. Throws kArgument for a malformed plan.
  Value build();

  CopiedViews take_views() { return std::move(views_); }

 private:
  void execute(std::uint32_t code);
  void fill(std::uint32_t count);
  void amend(std::uint32_t count);
  void fill_object(std::uint32_t items, std::uint32_t entries);
  void push_tensor();
  void push_view();
  void share_views();
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
  // Where the job reads `size` bytes at `data` in the buffer of `memory`: there, if the buffer is
  // kept or guarded, or in a copy.
  std::byte* readable(std::byte* data, std::uint64_t size, const Memory& memory);

  // A tensor, its data, and the range of bytes that must be saved with it.
  struct Placed {
    Tensor* tensor;
    std::byte* data;
    std::byte* begin;
    std::byte* end;
    Memory memory;
    bool is_view = false;  // of a CopiedView
  };
  void place(std::vector<Placed>::iterator first, std::vector<Placed>::iterator last);

  Napi::Env env_;
  const Dict* carried_;
  Arena& arena_;
  SavedMemory& saved_;
  std::uint64_t copied_ = 0;
  Napi::Uint32Array codes_;
  Napi::Float64Array numbers_;
  Napi::Array values_;
  std::size_t next_code_ = 0, next_number_ = 0;
  std::uint32_t next_value_ = 0;
  std::vector<Value> stack_;
  std::vector<Value> made_;
  std::vector<Placed> placed_;
  CopiedViews views_;
  std::uint32_t view_count_ = 0;
};

}  // namespace sda::addon
