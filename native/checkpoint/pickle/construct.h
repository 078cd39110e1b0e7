// Carries out REDUCE, NEWOBJ and BUILD for known globals: makes descriptions of tensors, arrays and
// containers. Checks the type and range of each argument before using it. Lives on one thread; the
// arena owns what it makes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "checkpoint/pickle/value.h"

namespace sda {

// Reads the files of torch.save that a plain pickle holds as bytes.
class NestedFiles {
 public:
  virtual ~NestedFiles() = default;
  // The value of a file, in `arena`.
  virtual Value open(std::string_view bytes, Arena& arena) = 0;
};

class Constructor {
 public:
  // `inert`: what could not be read safely becomes an inert description instead of kUnsafe.
  // `nested`: may be null; not owned.
  Constructor(Arena& arena, bool inert, NestedFiles* nested = nullptr)
      : arena_(arena), inert_(inert), nested_(nested) {}

  // callable(*args)
  Value call(const Value& callable, Tuple& args);
  // cls.__new__(cls, *args, **kwargs)
  Value instantiate(const Value& cls, Tuple& args, const Value& kwargs);
  // target.__setstate__(state), or sets the target's attributes
  void build(const Value& target, const Value& state);

  // The letter and size of the dtype of an array of joblib, which `wrapper` describes; nullopt: it
  // is an array of numbers.
  std::optional<std::string_view> joblib_type(const PyObject& wrapper);
  // The array, whose elements `take` returns: the next bytes of the file.
  Value joblib_array(const PyObject& wrapper,
                     const std::function<std::string_view(std::uint64_t)>& take);
  // The global of which a use that is refused by default has been described since the last call;
  // null: there is none.
  const Global* take_misused() noexcept { return std::exchange(misused_, nullptr); }

 private:
  void blame(const Value& value) noexcept;
  Value call_known(const Value& callable, Tuple& args);
  Value instantiate_known(const Value& cls, Tuple& args, const Value& kwargs);
  Value attribute_of(const Tuple& args);
  Value describe_object(const Value& callable, Tuple& args, const Value& kwargs, bool allocated);
  Value make_dict(DictKind kind, const Tuple& args, std::size_t from);
  Value make_sequence(const Global& cls, const Tuple& args);
  Value make_scalar(const Global& cls, const Tuple& args);
  Value make_bytes(const Global& cls, const Tuple& args);
  Value encode(const Tuple& args);

  Value rebuild_tensor(const Tuple& args, int version);
  Value rebuild_parameter(const Tuple& args);
  Value rebuild_device_tensor(const Value& callable, Tuple& args);
  Value rebuild_from_type(const Value& callable, Tuple& args);
  Tensor* copy_of(const Tensor& tensor);
  Value tensor_attributes(const Value& state);

  Value numpy_dtype(const Value& callable, Tuple& args);
  Value numpy_scalar(const Value& callable, Tuple& args);
  Value numpy_reconstruct(const Value& callable, Tuple& args);
  Value numpy_from_buffer(const Value& callable, Tuple& args);
  void build_numpy_dtype(NumpyDType& dtype, const Value& state);
  void build_numpy_array(NdArray& array, const Value& state);
  void fill_array(NdArray& array, const Value& shape, const Value& dtype, bool fortran,
                  const Value& raw);

  std::string_view latin1_bytes(std::string_view utf8);

  Arena& arena_;
  bool inert_;
  NestedFiles* nested_;
  const Global* misused_ = nullptr;
};

// Throws kCorrupt for a value that Python does not allow as a dict key or set member.
void check_hashable(const Value& key);

// Reads a list or tuple of non-negative integers, such as a shape, into `to`. Errors call it
// `what`.
void integers(const Value& sequence, const char* what, Sizes& to);

// Throws kCorrupt unless every element of the tensor lies inside its storage.
void check_extent(const Tensor& tensor);

// The number of elements of a shape whose sizes are not negative. Throws kCorrupt when their size
// in bytes overflows 63 bits.
std::uint64_t checked_numel(std::span<const std::int64_t> shape, std::size_t item_size);

}  // namespace sda
