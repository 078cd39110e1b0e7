// Makes numpy's dtypes, scalars and arrays from the descriptions that numpy 1 and 2 write.
#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <string>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/tensor/half.h"
#include "checkpoint/tensor/strided.h"

namespace sda {
namespace {

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorCode::kCorrupt, what); }

const NumpyDType& as_dtype(const Value& value) {
  const auto* dtype = value.as<NumpyDType>();
  if (dtype == nullptr) corrupt("a numpy dtype is a " + describe(value));
  return *dtype;
}

template <typename T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

const Value& joblib_part(const PyObject& wrapper, std::string_view key) {
  // A few bytes of pickle may have the same state read again.
  constexpr std::size_t kMostParts = 64;
  const auto* state = wrapper.state.as<Dict>();
  const Value* found =
      state == nullptr || state->entries.size() > kMostParts ? nullptr : state->find(key);
  if (found == nullptr) corrupt("the description of a joblib array is malformed");
  return *found;
}

// The size of an element of a dtype that is no number: in its state, or behind its letter.
std::uint64_t described_item_size(const PyObject& dtype, std::string_view type) {
  const auto* state = dtype.state.as<Tuple>();
  const auto stated =
      state != nullptr && state->items.size() > 5 ? state->items[5].as_int() : std::nullopt;
  if (stated && *stated > 0) return static_cast<std::uint64_t>(*stated);
  std::uint64_t number = 0;
  for (const char c : type.substr(std::min<std::size_t>(1, type.size()))) {
    if (c < '0' || c > '9' || number > limits::kMaxPickleBytes)
      corrupt("a joblib array of an unknown dtype");
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number == 0 && type.starts_with('U')) return 0;
  if (number == 0) number = type == "M" || type == "m" ? 8 : 0;
  return type.starts_with('U') ? 4 * number : number;
}

}  // namespace

Value Constructor::numpy_dtype(const Value& callable, Tuple& args) {
  // ("f8", align, copy)
  const auto code = args.items.empty() ? std::nullopt : args.items[0].as_str();
  if (args.items.empty() || args.items.size() > 3)
    corrupt("the description of a numpy dtype is malformed");
  if (!code) return describe_object(callable, args, Value(), false);  // of a record
  std::string_view name = *code;
  bool big_endian = false;
  if (!name.empty() && std::string_view("<>=|").find(name[0]) != std::string_view::npos) {
    big_endian = name[0] == '>';
    name.remove_prefix(1);
  }
  if (const auto known = dtype_from_numpy_code(name)) {
    auto* dtype = arena_.make<NumpyDType>();
    dtype->dtype = *known;
    dtype->big_endian = big_endian;
    return Value::of(dtype);
  }
  // Texts, objects, dates, structures and others.
  return describe_object(callable, args, Value(), false);
}

void Constructor::build_numpy_dtype(NumpyDType& dtype, const Value& state) {
  // (version, byte order, subarray, names, fields, item size, alignment, flags[, metadata])
  const auto* tuple = state.as<Tuple>();
  if (tuple == nullptr || tuple->items.size() < 5 || tuple->items.size() > 9)
    corrupt("the state of a numpy dtype is malformed");
  const auto order = tuple->items[1].as_str();
  if (!order || order->size() != 1 ||
      std::string_view("<>=|").find((*order)[0]) == std::string_view::npos)
    corrupt("a numpy dtype without a byte order");
  for (std::size_t i = 2; i < 5; ++i)
    if (!tuple->items[i].is_none()) corrupt("a numpy dtype of numbers with fields");
  dtype.big_endian = *order == ">";
}

Value Constructor::numpy_scalar(const Value& callable, Tuple& args) {
  // (dtype, bytes)
  if (args.items.size() != 2) corrupt("the description of a numpy scalar is malformed");
  if (args.items[0].as<PyObject>()) return describe_object(callable, args, Value(), false);
  const NumpyDType& dtype = as_dtype(args.items[0]);
  const Value& raw = args.items[1];
  const std::size_t size = item_size(dtype.dtype);
  const std::string_view bytes = raw.kind == Kind::kStr ? latin1_bytes(raw.view()) : raw.view();
  if ((raw.kind != Kind::kBytes && raw.kind != Kind::kStr) || bytes.size() != size)
    corrupt("a numpy scalar's bytes do not fit its dtype");
  std::byte value[16];
  std::memcpy(value, bytes.data(), size);
  if (dtype.big_endian)
    swap_scalars(value, size / scalar_size(dtype.dtype), scalar_size(dtype.dtype));

  Value result;
  const auto integer = [&](auto number) { result = Value::of(static_cast<std::int64_t>(number)); };
  const auto complex = [&](double real, double imaginary) {
    auto* made = arena_.make<Complex>();
    made->real = real;
    made->imaginary = imaginary;
    result = Value::of(made);
  };
  switch (dtype.dtype) {
    case DType::kBool:
      result = Value::boolean(value[0] != std::byte{0});
      break;
    case DType::kInt8:
      integer(read<std::int8_t>(value));
      break;
    case DType::kInt16:
      integer(read<std::int16_t>(value));
      break;
    case DType::kInt32:
      integer(read<std::int32_t>(value));
      break;
    case DType::kInt64:
      integer(read<std::int64_t>(value));
      break;
    case DType::kUint8:
      integer(read<std::uint8_t>(value));
      break;
    case DType::kUint16:
      integer(read<std::uint16_t>(value));
      break;
    case DType::kUint32:
      integer(read<std::uint32_t>(value));
      break;
    case DType::kUint64: {
      const auto number = read<std::uint64_t>(value);
      if (number >> 63) {
        auto* big = arena_.make<BigInt>();
        big->magnitude.push_back(number);
        result = Value::of(big);
      } else {
        integer(number);
      }
      break;
    }
    case DType::kFloat16:
      result = Value::of(half_to_double(read<std::uint16_t>(value)));
      break;
    case DType::kFloat32:
      result = Value::of(double{read<float>(value)});
      break;
    case DType::kFloat64:
      result = Value::of(read<double>(value));
      break;
    case DType::kComplex64:
      complex(read<float>(value), read<float>(value + 4));
      break;
    case DType::kComplex128:
      complex(read<double>(value), read<double>(value + 8));
      break;
    default:
      corrupt("a numpy scalar of a dtype that numpy does not have");
  }
  result.numpy_dtype = static_cast<std::uint8_t>(static_cast<int>(dtype.dtype) + 1);
  return result;
}

Value Constructor::numpy_reconstruct(const Value& callable, Tuple& args) {
  // (class, shape, typecode): an empty array that BUILD fills.
  const auto* cls = args.items.size() == 3 ? args.items[0].as<Global>() : nullptr;
  if (cls == nullptr) corrupt("the description of a numpy array is malformed");
  const bool is_plain = cls->known == Known::kNumpyNdArray;
  if (!is_plain && cls->known != Known::kNumpySubclass) {
    if (!inert_)
      throw Error(ErrorCode::kUnsafe, "a numpy array of class '" + describe(args.items[0]) + "'")
          .with("global", describe(args.items[0]));
    blame(args.items[0]);
  }
  if (!is_plain) return describe_object(callable, args, Value(), false);
  auto* array = arena_.make<NdArray>();
  array->maker = callable;
  array->maker_args = &args;
  return Value::of(array);
}

void Constructor::build_numpy_array(NdArray& array, const Value& state) {
  // (version, shape, dtype, is Fortran, bytes)
  const auto* tuple = state.as<Tuple>();
  if (tuple == nullptr || tuple->items.size() != 5 || tuple->items[3].kind != Kind::kBool)
    corrupt("the state of a numpy array is malformed");
  if (array.built) corrupt("a numpy array is filled twice");
  if (tuple->items[2].as<PyObject>()) {
    const Value made = describe_object(array.maker, *array.maker_args, Value(), false);
    array.described = made.as<PyObject>();
    array.described->state = state;
    array.built = true;
    return;
  }
  fill_array(array, tuple->items[1], tuple->items[2], tuple->items[3].integer != 0,
             tuple->items[4]);
}

Value Constructor::numpy_from_buffer(const Value& callable, Tuple& args) {
  // (bytes, dtype, shape, order)
  const auto order = args.items.size() == 4 ? args.items[3].as_str() : std::nullopt;
  if (!order || (*order != "C" && *order != "F"))
    corrupt("the description of a numpy array is malformed");
  if (args.items[1].as<PyObject>()) return describe_object(callable, args, Value(), false);
  auto* array = arena_.make<NdArray>();
  fill_array(*array, args.items[2], args.items[1], *order == "F", args.items[0]);
  return Value::of(array);
}

std::optional<std::string_view> Constructor::joblib_type(const PyObject& wrapper) {
  const Value& dtype = joblib_part(wrapper, "dtype");
  if (dtype.as<NumpyDType>()) return std::nullopt;
  const auto* described = dtype.as<PyObject>();
  const auto* args = described == nullptr ? nullptr : described->args.as<Tuple>();
  const auto type = args == nullptr || args->items.empty() ? std::nullopt : args->items[0].as_str();
  constexpr std::size_t kLongestType = 32;
  if (!type || type->size() > kLongestType) corrupt("a joblib array of an unknown dtype");
  return type;
}

// The state of joblib's NumpyArrayWrapper has the keys subclass, shape, order, dtype and, since
// joblib 1.2, numpy_array_alignment_bytes: a count of padding bytes comes before the elements then.
// Source: joblib.numpy_pickle.NumpyArrayWrapper.
Value Constructor::joblib_array(const PyObject& wrapper,
                                const std::function<std::string_view(std::uint64_t)>& take) {
  const Value& shape = joblib_part(wrapper, "shape");
  const Value& dtype = joblib_part(wrapper, "dtype");
  const auto order = joblib_part(wrapper, "order").as_str();
  if (order != "C" && order != "F") corrupt("the description of a joblib array is malformed");
  const Value* alignment = wrapper.state.as<Dict>()->find("numpy_array_alignment_bytes");
  if (alignment != nullptr && alignment->as_int()) take(static_cast<unsigned char>(take(1)[0]));
  Sizes sizes(arena_.memory());
  integers(shape, "a numpy array's shape", sizes);
  const auto type = joblib_type(wrapper);
  const std::uint64_t item = type ? described_item_size(*dtype.as<PyObject>(), *type)
                                  : item_size(dtype.as<NumpyDType>()->dtype);
  const std::string_view elements =
      take(item == 0 ? 0 : checked_numel(sizes, static_cast<std::size_t>(item)) * item);
  if (!type) {
    auto* array = arena_.make<NdArray>();
    fill_array(*array, shape, dtype, *order == "F", Value::bytes(elements));
    return Value::of(array);
  }
  // As pickle describes the array
  const auto global = [&](std::string_view module, std::string_view name) {
    auto* made = arena_.make<Global>();
    made->module = module;
    made->name = name;
    return made;
  };
  const auto tuple = [&](std::initializer_list<Value> items) {
    auto* made = arena_.make<Tuple>();
    for (const Value& each : items) arena_.push(made->items, each);
    return Value::of(made);
  };
  auto* array = arena_.make<PyObject>();
  array->cls = global("numpy.core.multiarray", "_reconstruct");
  array->args = tuple({Value::of(global("numpy", "ndarray")), tuple({Value::of(std::int64_t{0})}),
                       Value::bytes("b")});
  array->state = tuple({Value::of(std::int64_t{1}), shape, dtype, Value::boolean(*order == "F"),
                        Value::bytes(elements)});
  return Value::of(array);
}

void Constructor::fill_array(NdArray& array, const Value& shape, const Value& dtype_value,
                             bool fortran, const Value& raw) {
  const NumpyDType& dtype = as_dtype(dtype_value);
  const std::size_t item = item_size(dtype.dtype);
  array.dtype = dtype.dtype;
  integers(shape, "a numpy array's shape", array.shape);
  array.fortran_order = fortran;
  const std::uint64_t numel = checked_numel(array.shape, item);
  array.byte_size = numel * item;

  const bool bytes = raw.kind == Kind::kBytes || raw.kind == Kind::kByteArray;
  if (!bytes && raw.kind != Kind::kStr) corrupt("a numpy array's elements are a " + describe(raw));
  const std::string_view source = bytes ? raw.view() : latin1_bytes(raw.view());
  if (source.size() != array.byte_size)
    corrupt("a numpy array of " + std::to_string(array.byte_size) + " bytes comes with " +
            std::to_string(source.size()));

  // Decoded latin-1 text is in a block of the arena, which the array may share. Other bytes are
  // copied, so that they are aligned, writable and independent of the pickle.
  const bool reorder = fortran && array.shape.size() > 1;
  // A bytes object in a block may have other users, for whom the byte order must not change.
  array.big_endian = dtype.big_endian;
  if (!reorder && !(bytes && dtype.big_endian)) array.data = arena_.share(source.data());
  if (array.data == nullptr) {
    char* copy = arena_.allocate(source.size());
    array.data = arena_.share(copy);
    const auto* from = reinterpret_cast<const std::byte*>(source.data());
    if (reorder) {
      std::vector<std::int64_t> strides(array.shape.size());
      std::int64_t stride = 1;
      for (std::size_t d = 0; d < strides.size() && numel > 0; ++d) {
        strides[d] = stride;
        stride *= array.shape[d];
      }
      copy_strided(array.data.get(), from, array.shape, strides, item);
    } else if (!source.empty()) {
      std::memcpy(array.data.get(), from, source.size());
    }
  }
  if (dtype.big_endian)
    swap_scalars(array.data.get(), array.byte_size / scalar_size(dtype.dtype),
                 scalar_size(dtype.dtype));
  array.built = true;
}

}  // namespace sda
