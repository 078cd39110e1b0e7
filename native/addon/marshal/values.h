// Inert values of a document as JavaScript values. What is shared or cyclic in the pickle is shared
// or cyclic in the result; tensors point at the document's bytes without a copy.
#pragma once

#include <napi.h>

#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace sda::addon {

// On the ArrayBuffers of what was loaded: each is one storage of PyTorch's, whole, and is saved as
// such. Of other buffers only the parts are saved that tensors show.
inline constexpr napi_type_tag kStorageBufferTag = {0x4d1c40f3a0b84c0e, 0x9f2f6a5be77d1ac6};

// The typed array that holds the elements of a dtype. JavaScript has no type for some of them:
// float16, bfloat16 and complex32 come as bits in a Uint16Array, 8-bit floats and bools as bits in
// a Uint8Array. Complex numbers are interleaved real and imaginary parts.
struct ArrayLayout {
  napi_typedarray_type type;
  std::size_t bytes;  // of one element of the typed array
};
ArrayLayout array_layout(DType dtype);

// Facts about a value that its JavaScript form does not show; lib/values/provenance.ts keeps them
// and has the same bits as MARK.
enum Mark : std::uint32_t {
  kMarkFrozenSet = 1,
  kMarkByteArray = 2,
  kMarkRequiresGrad = 4,
  kMarkParameter = 8,
  kMarkStorage = 16,
  kMarkUntyped = 32,
};

// A float that looks like an integer; numpy scalars have their dtype plus kSlotScalar.
inline constexpr std::uint8_t kSlotFloat = 1;
inline constexpr std::uint8_t kSlotScalar = 2;
// Index and kind in one number: index * kSlotKinds + kind.
inline constexpr double kSlotKinds = 32;
static_assert(kSlotScalar + kDTypeCount <= kSlotKinds);

// Arrays up to here are copied: that takes less time than memory from outside, which needs a
// finalizer.
inline constexpr std::size_t kCheaperCopied = 4096;

class ValueConverter {
 public:
  // What the values are for: kKeeping notes how each came (a float that looks like an integer, a
  // numpy scalar), so that writing them brings it back; kReading does not.
  enum class Purpose { kKeeping, kReading };

  // Uses the factories that registerClasses handed over; kNative without them.
  ValueConverter(Napi::Env env, std::shared_ptr<const Document> document,
                 Purpose purpose = Purpose::kKeeping);

  Napi::Value convert(const Value& value) { return {env_, convert(value, 0)}; }

  // A Map of the top-level dict's entries for which `wanted` holds, others left out unconverted;
  // anything else than a dict is converted whole.
  template <typename F>
  Napi::Value convert_top(const Value& value, F&& wanted) {
    const auto* dict = value.as<Dict>();
    if (dict == nullptr) return convert(value);
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& entry : dict->entries)
      if (!entry.first.as_str() || wanted(entry.first.view())) entries.push_back(entry);
    return {env_,
            purpose_ == Purpose::kReading ? make_compact(entries) : make_map(*dict, entries, 0)};
  }

  // A Tensor object over memory that `owner` keeps alive; `data` null: a Tensor without data.
  napi_value tensor(DType dtype, std::span<const std::int64_t> shape, napi_value typed_array);
  // A typed array over `size` bytes, without a copy where Node allows it.
  napi_value typed_array(DType dtype, std::byte* data, std::uint64_t size,
                         const std::shared_ptr<const void>& owner);

 private:
  napi_value convert(const Value& value, int depth);
  napi_value convert_object(Object& object, int depth);
  napi_value make_map(const Dict& dict, std::span<const std::pair<Value, Value>> entries,
                      int depth);
  napi_value make_compact(std::span<const std::pair<Value, Value>> entries);
  napi_value make_array(std::span<const Value> items, napi_value array, int depth);
  napi_value make_object(const PyObject& object, int depth);
  // Tells how the values at `slots` of `target` came: (index, kind) each.
  void remember(napi_value target,
                const std::vector<std::pair<std::uint32_t, std::uint8_t>>& slots);
  napi_value mark(napi_value target, std::uint32_t marks);
  napi_value make_tensor(const Tensor& tensor);
  napi_value make_array(const NdArray& array);
  napi_value string(std::string_view text);
  napi_value shape_array(std::span<const std::int64_t> shape);
  napi_value buffer_of(std::byte* data, std::uint64_t size,
                       const std::shared_ptr<const void>& owner);
  napi_value view(DType dtype, napi_value buffer, std::uint64_t offset, std::uint64_t count);
  napi_value call(const char* factory, std::initializer_list<napi_value> arguments);
  napi_value function(const char* factory);
  void check(napi_status status) const;

  Napi::Env env_;
  Purpose purpose_;
  std::shared_ptr<const Document> document_;
  Napi::Object factories_;
  std::vector<std::pair<const char*, napi_value>> functions_;  // looked up so far
  std::vector<napi_value> made_;                               // by object id
  std::unordered_map<const std::byte*, napi_value> buffers_;
  // By where they lie in the pickle: what is one object in the file is one here.
  std::unordered_map<const char*, napi_value> texts_, bytes_, byte_arrays_;
};

// registerClasses(factories)
Napi::Value register_classes(const Napi::CallbackInfo& info);

}  // namespace sda::addon
