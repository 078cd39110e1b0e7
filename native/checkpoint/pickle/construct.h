// Carries out REDUCE, NEWOBJ and BUILD for known globals: makes descriptions of tensors, arrays and
// containers. Checks the type and range of each argument before using it. Lives on one thread; the
// arena owns what it makes.
#pragma once

#include <span>
#include <string_view>

#include "checkpoint/pickle/value.h"

namespace sda {

class Constructor {
 public:
  explicit Constructor(Arena& arena) : arena_(arena) {}

  // callable(*args)
  Value call(const Value& callable, Tuple& args);
  // cls.__new__(cls, *args, **kwargs)
  Value instantiate(const Value& cls, Tuple& args, const Value& kwargs);
  // target.__setstate__(state), or sets the target's attributes
  void build(const Value& target, const Value& state);

 private:
  Value describe_object(const Global& cls, Tuple& args, const Value& kwargs, bool allocated);
  Value make_dict(DictKind kind, const Tuple& args, std::size_t from);
  Value make_sequence(const Global& cls, const Tuple& args);
  Value make_scalar(const Global& cls, const Tuple& args);
  Value make_bytes(const Global& cls, const Tuple& args);
  Value encode(const Tuple& args);

  Value rebuild_tensor(const Tuple& args, int version);
  Value rebuild_parameter(const Tuple& args);
  Value rebuild_from_type(const Tuple& args);

  Value numpy_dtype(const Tuple& args);
  Value numpy_scalar(const Tuple& args);
  Value numpy_reconstruct(const Tuple& args);
  Value numpy_from_buffer(const Tuple& args);
  void build_numpy_dtype(NumpyDType& dtype, const Value& state);
  void build_numpy_array(NdArray& array, const Value& state);
  void fill_array(NdArray& array, const Value& shape, const Value& dtype, bool fortran,
                  const Value& raw);

  std::string_view latin1_bytes(std::string_view utf8);

  Arena& arena_;
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
