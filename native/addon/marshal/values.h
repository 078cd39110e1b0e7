// Converts a document's values to JavaScript values. Shared and cyclic objects of the pickle stay
// shared and cyclic. Tensors view the document's bytes without a copy. Only on the environment's
// thread.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace sda::addon {

// Marks the ArrayBuffer of a loaded storage. Saving a tensor on such a buffer saves the whole
// storage. For a tensor on any other buffer, only the bytes that the tensor views are saved.
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
  kMarkSize = 64,
  kMarkElsewhere = 128,
  kMarkHooked = 256,
  kMarkBigEndian = 512,
  kMarkConjugate = 1024,
};

// The kind of a slot: kSlotFloat for a float without a fraction, kSlotScalar plus the dtype for a
// numpy scalar, or kSlotVersion for a TorchVersion, which is a str.
inline constexpr std::uint8_t kSlotFloat = 1;
inline constexpr std::uint8_t kSlotScalar = 2;
inline constexpr std::uint8_t kSlotVersion = 63;
// A slot is one number: index * kSlotKinds + kind.
inline constexpr double kSlotKinds = 64;
static_assert(kSlotScalar + kDTypeCount <= kSlotVersion && kSlotVersion < kSlotKinds);

// Arrays up to this size are copied, because an external buffer needs a finalizer and costs more.
inline constexpr std::size_t kCheaperCopied = 4096;

class ValueConverter {
 public:
  // The use of the values. kKeeping notes which values were floats without a fraction or numpy
  // scalars, so that saving restores them. kReading does not, and is faster.
  enum class Purpose { kKeeping, kReading };

  // Uses the factories of registerClasses(). Throws kNative if that has not been called.
  ValueConverter(Napi::Env env, std::shared_ptr<const Document> document,
                 Purpose purpose = Purpose::kKeeping);

  Napi::Value convert(const Value& value) { return {env_, convert(value, 0)}; }

  // Converts a dict to a Map of the entries whose key `wanted` accepts, and does not convert the
  // others. Converts any other value as a whole.
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

  // A Tensor object with a typed array of its elements.
  napi_value tensor(DType dtype, std::span<const std::int64_t> shape, napi_value typed_array);
  // A typed array over `size` bytes at `data`, without a copy where Node allows that. It shares
  // `owner` to keep them alive. Empty for null `data`.
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
  // Notes the kinds of the values at `slots` of `target`, as pairs of index and kind.
  void remember(napi_value target,
                const std::vector<std::pair<std::uint32_t, std::uint8_t>>& slots);
  napi_value mark(napi_value target, std::uint32_t marks);
  // Charges what a value takes in JavaScript beyond javascript_cost() of its kind, because of its
  // content, to what the pickle's budget has left. Throws kLimit when that is exceeded.
  void charge(std::uint64_t bytes);
  // The same for a Map or Set of which so many keys and values have slots.
  void charge_keyed(std::ptrdiff_t slots);
  napi_value make_tensor(const Tensor& tensor);
  // A tensor whose elements JavaScript brings into row-major order when it reads them.
  napi_value make_strided(const Tensor& tensor);
  // The buffer of `count` elements of the tensor's storage from its first one on, and the number of
  // the first of them in it. Empty: no buffer can be so large.
  std::optional<std::pair<napi_value, std::uint64_t>> buffer_from(const Tensor& tensor,
                                                                  std::uint64_t count);
  napi_value make_array(const NdArray& array);
  napi_value string(std::string_view text);
  napi_value shared_string(std::string_view text);
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
  std::vector<std::pair<const char*, napi_value>> functions_;  // those looked up so far
  std::vector<napi_value> made_;                               // indexed by object id
  std::uint64_t left_ = ~std::uint64_t{0};                     // of the document's budget
  std::unordered_map<const std::byte*, napi_value> buffers_;
  // By address in the pickle, so that one object of the file becomes one JavaScript value.
  std::unordered_map<const char*, napi_value> texts_, bytes_, byte_arrays_;
};

// registerClasses(factories)
Napi::Value register_classes(const Napi::CallbackInfo& info);

}  // namespace sda::addon
