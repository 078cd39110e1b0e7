// Writes tensors as torch._utils rebuilds them, and arrays, dtypes and scalars as numpy does.
#include <cstring>
#include <limits>
#include <string>

#include "checkpoint/error.h"
#include "checkpoint/memory_size.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/pickle_opcodes.h"
#include "checkpoint/pickle/pickle_writer.h"
#include "checkpoint/tensor/half.h"

namespace sda {

using namespace opcodes;

namespace {

// A view in a legacy file is written as the storage that it views.
const Storage& root_of(const Storage& storage) {
  return storage.base == nullptr ? storage : *storage.base;
}

template <typename T>
void store(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// The low 64 bits of the number in two's complement.
std::int64_t low_bits(const BigInt& big) {
  const std::uint64_t low = big.magnitude.empty() ? 0 : big.magnitude.front();
  return static_cast<std::int64_t>(big.negative ? 0 - low : low);
}

// Writes the bytes of a numpy scalar with the value `value` to `to`, and returns their number. A
// float without a fraction arrives as an int, because JavaScript has one number type.
std::size_t scalar_bytes(const Value& value, DType dtype, char* to) {
  const auto* complex = value.as<Complex>();
  const auto* big = value.as<BigInt>();
  std::int64_t integer = 0;
  if (value.kind == Kind::kInt || value.kind == Kind::kBool) integer = value.integer;
  if (big != nullptr) integer = low_bits(*big);
  const double real = value.kind == Kind::kFloat ? value.real : static_cast<double>(integer);
  switch (dtype) {
    case DType::kFloat16:
      store(to, double_to_half(real));
      break;
    case DType::kFloat32:
      store(to, static_cast<float>(real));
      break;
    case DType::kFloat64:
      store(to, real);
      break;
    case DType::kComplex64:
      store(to, static_cast<float>(complex == nullptr ? 0 : complex->real));
      store(to + 4, static_cast<float>(complex == nullptr ? 0 : complex->imaginary));
      break;
    case DType::kComplex128:
      store(to, complex == nullptr ? 0 : complex->real);
      store(to + 8, complex == nullptr ? 0 : complex->imaginary);
      break;
    default:
      store(to, integer);  // item_size() copies its low bytes: hosts are little-endian
  }
  return item_size(dtype);
}

}  // namespace

void PickleWriter::save_tensor(const Tensor& tensor) {
  const bool has_attributes = !tensor.attributes.is_none();
  if (tensor.parameter) {
    global("torch._utils", has_attributes ? "_rebuild_parameter_with_state" : "_rebuild_parameter");
    if (has_attributes) opcode(kMark);
    save_plain_tensor(tensor, false);
    opcode(tensor.requires_grad ? kNewTrue : kNewFalse);
    empty_ordered_dict();
    if (has_attributes) save(tensor.attributes);
    opcode(has_attributes ? std::uint8_t{kTuple} : std::uint8_t{kTuple3});
    return opcode(kReduce);
  }
  if (!has_attributes) return save_plain_tensor(tensor, tensor.requires_grad);
  global("torch._tensor", "_rebuild_from_type_v2");
  opcode(kMark);
  global("torch._utils", rebuild_function(tensor));
  global("torch", "Tensor");
  save_rebuild_arguments(tensor, tensor.requires_grad);
  save(tensor.attributes);
  opcode(kTuple);
  opcode(kReduce);
}

void PickleWriter::save_plain_tensor(const Tensor& tensor, bool requires_grad) {
  global("torch._utils", rebuild_function(tensor));
  save_rebuild_arguments(tensor, requires_grad);
  opcode(kReduce);
}

bool PickleWriter::is_typed(const Storage& storage) const {
  return storage.dtype && !untyped_.contains(&storage) && !storage_class(*storage.dtype).empty();
}

std::string_view PickleWriter::rebuild_function(const Tensor& tensor) const {
  return is_typed(root_of(*tensor.storage)) ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3";
}

void PickleWriter::save_rebuild_arguments(const Tensor& tensor, bool requires_grad) {
  const Storage& storage = root_of(*tensor.storage);
  std::uint64_t offset = tensor.offset;
  if (&storage != tensor.storage) offset += tensor.storage->base_offset / item_size(tensor.dtype);
  const bool typed = is_typed(storage);
  if (typed && *storage.dtype != tensor.dtype) {
    // PyTorch reads a storage once, with one dtype. A storage of several dtypes must be untyped.
    untyped_.insert(&storage);
    must_repeat_ = true;
  }
  opcode(kMark);
  save_storage(storage);
  integer(static_cast<std::int64_t>(offset));
  sizes(tensor.shape);
  sizes(tensor.strides);
  opcode(requires_grad ? kNewTrue : kNewFalse);
  empty_ordered_dict();
  if (!typed) global("torch", dtype_name(tensor.dtype));
  if (tensor.conjugate || tensor.negate) {
    opcode(kEmptyDict);
    for (const auto& [name, set] :
         {std::pair{"conj", tensor.conjugate}, std::pair{"neg", tensor.negate}}) {
      if (!set) continue;
      text(name);
      opcode(kNewTrue);
      opcode(kSetItem);
    }
  }
  opcode(kTuple);
}

void PickleWriter::save_storage(const Storage& view) {
  const Storage& storage = root_of(view);
  const auto [entry, is_new] = keys_.emplace(&storage, content_.storages.size());
  if (is_new) content_.storages.push_back(&storage);
  const std::string_view cls =
      is_typed(storage) ? storage_class(*storage.dtype) : std::string_view();
  opcode(kMark);
  text("storage");
  if (cls.empty())
    global("torch.storage", "UntypedStorage");
  else
    global("torch", cls);
  // Not through text(), which would keep a reference to this string.
  const std::string key = std::to_string(entry->second);
  opcode(kBinUnicode);
  number(static_cast<std::uint32_t>(key.size()));
  content_.bytes.append(key);
  text("cpu");
  const std::size_t item = cls.empty() ? 1 : item_size(*storage.dtype);
  integer(static_cast<std::int64_t>(storage.byte_size / item));
  opcode(kTuple);
  opcode(kBinPersId);
}

void PickleWriter::save_numpy_global(std::string_view name) {
  global(style_.numpy2_names ? "numpy._core.multiarray" : "numpy.core.multiarray", name);
}

void PickleWriter::save_numpy_dtype(DType dtype, bool big_endian) {
  const int key = static_cast<int>(dtype) * 2 + (big_endian ? 1 : 0);
  const auto known = numpy_dtypes_.find(key);
  if (known != numpy_dtypes_.end()) return get(known->second);
  const std::string_view code = numpy_code(dtype);
  if (code.empty())
    throw Error(ErrorCode::kArgument, "a numpy array of " + std::string(dtype_name(dtype)) +
                                          ", a type that numpy does not have");
  global("numpy", "dtype");
  text(code);
  opcode(kNewFalse);
  opcode(kNewTrue);
  opcode(kTuple3);
  opcode(kReduce);
  numpy_dtypes_.emplace(key, put());
  // (version, byte order, subarray, names, fields, item size, alignment, flags)
  opcode(kMark);
  integer(3);
  text(item_size(dtype) == 1 ? "|" : big_endian ? ">" : "<");
  for (int i = 0; i < 3; ++i) opcode(kNone);
  integer(-1);
  integer(-1);
  integer(0);
  opcode(kTuple);
  opcode(kBuild);
}

void PickleWriter::save_numpy_scalar(const Value& value) {
  const auto dtype = static_cast<DType>(value.numpy_dtype - 1);
  char raw[16];
  const std::size_t size = scalar_bytes(value, dtype, raw);
  save_numpy_global("scalar");
  save_numpy_dtype(dtype, false);
  new_bytes({raw, size});
  opcode(kTuple2);
  opcode(kReduce);
}

void PickleWriter::save_array(const NdArray& array) {
  if (!array.built) throw Error(ErrorCode::kCorrupt, "a numpy array without content");
  // An empty array …
  save_numpy_global("_reconstruct");
  global("numpy", "ndarray");
  integer(0);
  opcode(kTuple1);
  bytes("b");
  opcode(kTuple3);
  opcode(kReduce);
  // … which BUILD turns into (version, shape, dtype, is Fortran, bytes).
  opcode(kMark);
  integer(1);
  sizes(array.shape);
  save_numpy_dtype(array.dtype, false);
  opcode(array.fortran_order ? kNewTrue : kNewFalse);
  const bool reorder = array.fortran_order && array.shape.size() > 1 && array.byte_size > 0;
  // numpy makes the array on the memory of the bytes object, so two arrays must not share one.
  new_bytes({reinterpret_cast<const char*>(array.data.get()), memory_size(array.byte_size)},
            reorder ? &array : nullptr);
  opcode(kTuple);
  opcode(kBuild);
}

}  // namespace sda
