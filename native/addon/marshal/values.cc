#include "addon/marshal/values.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/compact.h"
#include "addon/marshal/external_buffer.h"
#include "addon/marshal/key_spread.h"
#include "addon/marshal/numbers.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/utf8.h"

namespace sda::addon {
namespace {

constexpr std::size_t kShortText = 24;

// What values take in JavaScript because of their content, in bytes: measured on Node 20 with files
// of one kind of value, and rounded up. Where a value takes more than some 5 ns a byte to make, the
// time counts instead. test/support/bombs.ts has such files.
namespace cost {
constexpr std::uint64_t kSlots = 896;       // the first slot of an array
constexpr std::uint64_t kSlot = 24;         // each slot
constexpr std::uint64_t kKeyedSlots = 768;  // the first slot of a Map or Set, besides its array
constexpr std::uint64_t kKeyedSlot = 256;   // each slot
constexpr std::uint64_t kPair = 512;        // an entry of a PyObject
constexpr std::uint64_t kPairSlots = 1280;  // an entry with slots
constexpr std::uint64_t kDimension = 64;
constexpr std::uint64_t kCopiedTensor = 2048;
}  // namespace cost

using Slots = std::vector<std::pair<std::uint32_t, std::uint8_t>>;

// Whether JavaScript shows another type of the value: a numpy scalar, a TorchVersion, or a float
// without fraction. Only a float can be -0, so that one shows it.
bool has_hidden_type(const Value& value) {
  return value.numpy_dtype != 0 || value.version ||
         (value.kind == Kind::kFloat && value.real == std::trunc(value.real) &&
          std::fabs(value.real) <= static_cast<double>(kSafeInteger) &&
          !(value.real == 0 && std::signbit(value.real)));
}

const char* map_factory(DictKind kind) {
  switch (kind) {
    case DictKind::kDict:
      return "map";
    case DictKind::kOrderedDict:
      return "orderedDict";
    case DictKind::kDefaultDict:
      return "defaultDict";
    case DictKind::kCounter:
      return "counter";
  }
  return "map";
}

bool is_elsewhere(const Storage& storage) {
  const Storage& whole = storage.base != nullptr ? *storage.base : storage;
  return !whole.location.empty() && whole.location != "cpu";
}

void note_slot(Slots& slots, std::size_t index, const Value& value) {
  if (!has_hidden_type(value)) return;
  const int kind = value.version            ? kSlotVersion
                   : value.numpy_dtype != 0 ? kSlotScalar + value.numpy_dtype - 1
                                            : kSlotFloat;
  slots.emplace_back(static_cast<std::uint32_t>(index), static_cast<std::uint8_t>(kind));
}

std::uint32_t marks_of(const Tensor& tensor) {
  const std::pair<bool, Mark> marks[] = {
      {tensor.requires_grad, kMarkRequiresGrad},
      {tensor.parameter, kMarkParameter},
      {tensor.moved || is_elsewhere(*tensor.storage), kMarkElsewhere},
      {tensor.hooked, kMarkHooked},
      {tensor.conjugate || tensor.negate, kMarkConjugate},
  };
  std::uint32_t all = 0;
  for (const auto& [has, bit] : marks)
    if (has) all |= bit;
  return all;
}

}  // namespace

ArrayLayout array_layout(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kQInt8:
      return {napi_int8_array, 1};
    case DType::kInt16:
      return {napi_int16_array, 2};
    case DType::kInt32:
    case DType::kQInt32:
      return {napi_int32_array, 4};
    case DType::kInt64:
      return {napi_bigint64_array, 8};
    case DType::kUint16:
    case DType::kBits16:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kComplex32:
      return {napi_uint16_array, 2};
    case DType::kUint32:
      return {napi_uint32_array, 4};
    case DType::kUint64:
      return {napi_biguint64_array, 8};
    case DType::kFloat32:
    case DType::kComplex64:
      return {napi_float32_array, 4};
    case DType::kFloat64:
    case DType::kComplex128:
      return {napi_float64_array, 8};
    default:
      return {napi_uint8_array, 1};
  }
}

ValueConverter::ValueConverter(Napi::Env env, std::shared_ptr<const Document> document,
                               Purpose purpose)
    : env_(env), purpose_(purpose), document_(std::move(document)) {
  const auto& factories = Environment::of(env).factories;
  if (factories.IsEmpty()) throw Error(ErrorCode::kNative, "registerClasses has not been called");
  factories_ = factories.Value();
  if (!document_) return;
  made_.resize(document_->arena().object_count(), nullptr);
  left_ = document_->arena().left();
}

void ValueConverter::charge(std::uint64_t bytes) {
  if (bytes > left_)
    throw Error(ErrorCode::kLimit,
                "the values of the pickle take far more memory than the file has");
  left_ -= bytes;
}

void ValueConverter::check(napi_status status) const {
  if (status == napi_ok) return;
  if (env_.IsExceptionPending()) {
    const Napi::Error error = env_.GetAndClearPendingException();
    // V8's RangeError: a stack overflow, or a string, array or Map that is too large.
    if (error.Get("name").ToString().Utf8Value() == "RangeError")
      throw Error(ErrorCode::kLimit, error.Message());
    throw error;
  }
  throw Error(ErrorCode::kNative, "cannot make a JavaScript value");
}

napi_value ValueConverter::call(const char* factory, std::initializer_list<napi_value> arguments) {
  napi_value result;
  check(napi_call_function(env_, env_.Undefined(), function(factory), arguments.size(),
                           arguments.begin(), &result));
  return result;
}

napi_value ValueConverter::function(const char* factory) {
  for (const auto& [name, known] : functions_)
    if (std::strcmp(name, factory) == 0) return known;
  napi_value found;
  check(napi_get_named_property(env_, factories_, factory, &found));
  functions_.emplace_back(factory, found);
  return found;
}

napi_value ValueConverter::string(std::string_view text) {
  napi_value result;
  if (has_surrogates(text)) {
    const std::u16string wide = to_utf16(text);
    check(napi_create_string_utf16(env_, wide.data(), wide.size(), &result));
  } else {
    check(napi_create_string_utf8(env_, text.data(), text.size(), &result));
  }
  return result;
}

// Texts that several values name are converted once: a reference takes two bytes of pickle.
napi_value ValueConverter::shared_string(std::string_view text) {
  if (text.size() <= kShortText) return string(text);
  const auto [known, is_new] = texts_.try_emplace(text.data(), nullptr);
  if (is_new) {
    charge(text.size());
    known->second = string(text);
  }
  return known->second;
}

napi_value ValueConverter::convert(const Value& value, int depth) {
  napi_value result;
  switch (value.kind) {
    case Kind::kNone:
      check(napi_get_null(env_, &result));
      return result;
    case Kind::kBool:
      check(napi_get_boolean(env_, value.integer != 0, &result));
      return result;
    case Kind::kInt:
      if (is_safe(value.integer))
        check(napi_create_double(env_, static_cast<double>(value.integer), &result));
      else
        check(napi_create_bigint_int64(env_, value.integer, &result));
      return result;
    case Kind::kFloat:
      check(napi_create_double(env_, value.real, &result));
      return result;
    case Kind::kStr: {
      // The pickle needs two bytes to refer to a long string again, so it is converted once and
      // shared.
      const bool shared = value.size > kShortText;
      if (shared)
        if (const auto known = texts_.find(value.text); known != texts_.end()) return known->second;
      if (value.ascii)
        check(napi_create_string_latin1(env_, value.text, value.size, &result));
      else
        result = string(value.view());
      if (shared) texts_.emplace(value.text, result);
      return result;
    }
    case Kind::kBytes:
    case Kind::kByteArray: {
      auto& known = value.kind == Kind::kBytes ? bytes_ : byte_arrays_;
      if (const auto found = known.find(value.text); found != known.end()) return found->second;
      void* data;
      napi_value buffer;
      check(napi_create_arraybuffer(env_, value.size, &data, &buffer));
      if (value.size > 0) std::copy_n(value.text, value.size, static_cast<char*>(data));
      check(napi_create_typedarray(env_, napi_uint8_array, value.size, buffer, 0, &result));
      if (value.kind == Kind::kByteArray) mark(result, kMarkByteArray);
      known.emplace(value.text, result);
      return result;
    }
    case Kind::kObject:
      break;
  }
  Object& object = *value.object;
  if (made_[object.id] != nullptr) return made_[object.id];
  if (depth > limits::kMaxDepth)
    throw Error(ErrorCode::kLimit,
                "containers nested deeper than " + std::to_string(limits::kMaxDepth));
  return convert_object(object, depth + 1);
}

napi_value ValueConverter::convert_object(Object& object, int depth) {
  const auto keep = [&](napi_value value) { return made_[object.id] = value; };
  napi_value result;
  switch (object.kind) {
    case ObjectKind::kBigInt: {
      const auto& big = static_cast<const BigInt&>(object);
      check(napi_create_bigint_words(env_, big.negative, big.magnitude.size(), big.magnitude.data(),
                                     &result));
      return keep(result);
    }
    case ObjectKind::kComplex: {
      const auto& complex = static_cast<const Complex&>(object);
      return keep(call("complex", {Napi::Number::New(env_, complex.real),
                                   Napi::Number::New(env_, complex.imaginary)}));
    }
    case ObjectKind::kList: {
      const auto& list = static_cast<const List&>(object);
      if (list.deque) {
        keep(call("deque", {convert(list.maxlen, depth)}));
        return make_array(list.items, made_[object.id], depth);
      }
      check(napi_create_array_with_length(env_, list.items.size(), &result));
      return make_array(list.items, keep(result), depth);
    }
    case ObjectKind::kTuple: {
      const auto& tuple = static_cast<const Tuple&>(object);
      keep(mark(call("tuple", {}), tuple.size ? std::uint32_t{kMarkSize} : 0U));
      return make_array(tuple.items, made_[object.id], depth);
    }
    case ObjectKind::kSet: {
      const auto& items = static_cast<const Set&>(object).items;
      check_spread(items.size(), [&](std::size_t i) { return items[i]; });
      const napi_value set = keep(call("set", {}));
      if (static_cast<const Set&>(object).frozen) mark(set, kMarkFrozenSet);
      check(napi_create_array_with_length(env_, items.size(), &result));
      charge_keyed(std::count_if(items.begin(), items.end(), has_hidden_type));
      call("fillSet", {set, make_array(items, result, depth)});
      return set;
    }
    case ObjectKind::kDict: {
      const auto& dict = static_cast<const Dict&>(object);
      return make_map(dict, dict.entries, depth);
    }
    case ObjectKind::kGlobal: {
      const auto& global = static_cast<const Global&>(object);
      return keep(call("global", {shared_string(global.module), shared_string(global.name)}));
    }
    case ObjectKind::kPyObject:
      return make_object(static_cast<const PyObject&>(object), depth);
    case ObjectKind::kStorage: {
      const auto& storage = static_cast<const Storage&>(object);
      const DType dtype = storage.dtype.value_or(DType::kUint8);
      Tensor all(nullptr);
      all.storage = const_cast<Storage*>(&storage);
      all.dtype = dtype;
      all.shape = {static_cast<std::int64_t>(storage.byte_size / item_size(dtype))};
      all.strides = {1};
      const std::uint32_t marks = kMarkStorage | (storage.dtype ? 0U : std::uint32_t{kMarkUntyped});
      return keep(mark(make_tensor(all), marks));
    }
    case ObjectKind::kTensor: {
      const auto& tensor = static_cast<const Tensor&>(object);
      keep(make_tensor(tensor));
      if (!tensor.attributes.is_none())
        call("setAttributes", {made_[object.id], convert(tensor.attributes, depth)});
      return made_[object.id];
    }
    case ObjectKind::kNumpyDType: {
      const auto& dtype = static_cast<const NumpyDType&>(object);
      return keep(mark(call("global", {string("numpy"), string(dtype_name(dtype.dtype))}),
                       dtype.big_endian ? std::uint32_t{kMarkBigEndian} : 0U));
    }
    case ObjectKind::kNdArray: {
      const auto& array = static_cast<const NdArray&>(object);
      if (array.described != nullptr) return convert(Value::of(array.described), depth);
      return keep(make_array(array));
    }
  }
  throw Error(ErrorCode::kNative, "a value of an unknown kind");
}

napi_value ValueConverter::make_array(std::span<const Value> items, napi_value array, int depth) {
  Slots slots;
  for (std::size_t i = 0; i < items.size(); ++i) {
    check(napi_set_element(env_, array, static_cast<std::uint32_t>(i), convert(items[i], depth)));
    note_slot(slots, i, items[i]);
  }
  remember(array, slots);
  return array;
}

napi_value ValueConverter::make_map(const Dict& dict,
                                    std::span<const std::pair<Value, Value>> entries, int depth) {
  check_spread(entries.size(), [&](std::size_t i) { return entries[i].first; });
  const napi_value map = call(map_factory(dict.dict_kind), {});
  made_[dict.id] = map;
  if (!dict.factory.is_none()) call("setFactory", {map, convert(dict.factory, depth)});
  napi_value flat;
  check(napi_create_array_with_length(env_, entries.size() * 2, &flat));
  std::uint32_t i = 0;
  Slots slots;
  for (const auto& [key, value] : entries) {
    note_slot(slots, i, key);
    check(napi_set_element(env_, flat, i++, convert(key, depth)));
    note_slot(slots, i, value);
    check(napi_set_element(env_, flat, i++, convert(value, depth)));
  }
  charge_keyed(static_cast<std::ptrdiff_t>(slots.size()));
  remember(flat, slots);
  call("fillMap", {map, flat, convert(dict.attributes, depth)});
  return map;
}

napi_value ValueConverter::make_compact(std::span<const std::pair<Value, Value>> entries) {
  CompactWriter writer([this](const Value& value) { return convert(value, 0); });
  writer.dict(entries);
  const auto pieces = writer.pieces(env_);
  return call("readCompact", {pieces[0], pieces[1], pieces[2]});
}

napi_value ValueConverter::make_object(const PyObject& object, int depth) {
  const napi_value made =
      call("describedObject", {shared_string(object.cls->module), shared_string(object.cls->name),
                               Napi::Boolean::New(env_, object.allocated)});
  made_[object.id] = made;
  std::vector<Value> flat;
  charge(object.entries.size() * cost::kPair);
  for (const auto& [key, value] : object.entries) {
    if (has_hidden_type(key) || has_hidden_type(value)) charge(cost::kPairSlots);
    flat.push_back(key);
    flat.push_back(value);
  }
  napi_value items, entries;
  check(napi_create_array_with_length(env_, object.items.size(), &items));
  check(napi_create_array_with_length(env_, flat.size(), &entries));
  call("fillObject", {made, convert(object.args, depth), convert(object.kwargs, depth),
                      convert(object.state, depth), make_array(object.items, items, depth),
                      make_array(flat, entries, depth), convert(object.callee, depth)});
  Slots state;
  note_slot(state, 0, object.state);
  remember(made, state);
  return made;
}

void ValueConverter::charge_keyed(std::ptrdiff_t slots) {
  if (slots > 0 && purpose_ != Purpose::kReading)
    charge(cost::kKeyedSlots + static_cast<std::uint64_t>(slots) * cost::kKeyedSlot);
}

void ValueConverter::remember(napi_value target, const Slots& slots) {
  if (slots.empty() || purpose_ == Purpose::kReading) return;
  charge(cost::kSlots + slots.size() * cost::kSlot);
  const auto packed = [&](std::size_t i) {
    return static_cast<double>(slots[i].first) * kSlotKinds + slots[i].second;
  };
  // A typed array takes several hundred bytes besides its elements.
  constexpr std::size_t kFew = 16;
  if (slots.size() <= kFew) {
    napi_value few, number;
    check(napi_create_array_with_length(env_, slots.size(), &few));
    for (std::size_t i = 0; i < slots.size(); ++i) {
      check(napi_create_double(env_, packed(i), &number));
      check(napi_set_element(env_, few, static_cast<std::uint32_t>(i), number));
    }
    call("remember", {target, few});
    return;
  }
  auto many = Napi::Float64Array::New(env_, slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) many.Data()[i] = packed(i);
  call("remember", {target, many});
}

napi_value ValueConverter::mark(napi_value target, std::uint32_t marks) {
  if (marks != 0) call("mark", {target, Napi::Number::New(env_, marks)});
  return target;
}

napi_value ValueConverter::shape_array(std::span<const std::int64_t> shape) {
  napi_value array, size;
  charge(shape.size() * cost::kDimension);
  check(napi_create_array_with_length(env_, shape.size(), &array));
  for (std::size_t d = 0; d < shape.size(); ++d) {
    check(napi_create_double(env_, static_cast<double>(shape[d]), &size));
    check(napi_set_element(env_, array, static_cast<std::uint32_t>(d), size));
  }
  return array;
}

napi_value ValueConverter::buffer_of(std::byte* data, std::uint64_t size,
                                     const std::shared_ptr<const void>& owner) {
  const auto known = buffers_.find(data);
  if (known != buffers_.end()) return known->second;
  const napi_value buffer = external_buffer(env_, data, size, owner);
  check(napi_type_tag_object(env_, buffer, &kStorageBufferTag));
  buffers_.emplace(data, buffer);
  return buffer;
}

napi_value ValueConverter::view(DType dtype, napi_value buffer, std::uint64_t offset,
                                std::uint64_t count) {
  const ArrayLayout layout = array_layout(dtype);
  const std::size_t per_element = item_size(dtype) / layout.bytes;
  napi_value array;
  check(napi_create_typedarray(env_, layout.type, count * per_element, buffer,
                               offset * item_size(dtype), &array));
  return array;
}

napi_value ValueConverter::typed_array(DType dtype, std::byte* data, std::uint64_t size,
                                       const std::shared_ptr<const void>& owner) {
  if (data == nullptr || size == 0) {
    void* nothing;
    napi_value empty;
    check(napi_create_arraybuffer(env_, 0, &nothing, &empty));
    return view(dtype, empty, 0, 0);
  }
  return view(dtype, buffer_of(data, size, owner), 0, size / item_size(dtype));
}

napi_value ValueConverter::tensor(DType dtype, std::span<const std::int64_t> shape,
                                  napi_value typed_array) {
  return call("tensor", {string(dtype_name(dtype)), shape_array(shape), typed_array});
}

napi_value ValueConverter::make_tensor(const Tensor& tensor) {
  const std::uint64_t numel = tensor.numel();
  const std::size_t item = item_size(tensor.dtype);
  napi_value data;
  if (tensor.contiguous) {
    charge(cost::kCopiedTensor);
    data = typed_array(tensor.dtype, tensor.contiguous.get(), numel * item, tensor.contiguous);
  } else if (numel == 0 || tensor.storage->data == nullptr) {
    data = typed_array(tensor.dtype, nullptr, 0, nullptr);
  } else if (!tensor.is_contiguous()) {
    return mark(make_strided(tensor), marks_of(tensor));
  } else if (const auto found = buffer_from(tensor, numel)) {
    data = view(tensor.dtype, found->first, found->second, numel);
  } else {
    return mark(call("largeTensor", {string(dtype_name(tensor.dtype)), shape_array(tensor.shape),
                                     Napi::Number::New(env_, static_cast<double>(numel * item))}),
                marks_of(tensor));
  }
  return mark(this->tensor(tensor.dtype, tensor.shape, data), marks_of(tensor));
}

std::optional<std::pair<napi_value, std::uint64_t>> ValueConverter::buffer_from(
    const Tensor& tensor, std::uint64_t count) {
  const std::size_t item = item_size(tensor.dtype);
  const double most = Environment::of(env_).max_buffer_bytes;
  const Storage& storage = *tensor.storage;
  const Storage& whole = storage.base != nullptr ? *storage.base : storage;
  const std::uint64_t first = storage.base_offset / item + tensor.offset;
  // All tensors of a storage share its buffer, as in PyTorch.
  if (static_cast<double>(whole.byte_size) <= most)
    return std::pair{buffer_of(whole.data, whole.byte_size, whole.owner), first};
  if (static_cast<double>(count * item) > most) return std::nullopt;
  // Of a storage that is too large, each tensor has a buffer from its first element on.
  const std::uint64_t left = whole.byte_size - first * item;
  const auto size = static_cast<std::uint64_t>(std::min(static_cast<double>(left), most));
  return std::pair{buffer_of(whole.data + first * item, size, whole.owner), std::uint64_t{0}};
}

napi_value ValueConverter::make_strided(const Tensor& tensor) {
  std::uint64_t reach = 1;  // elements from the first one to the last
  for (std::size_t d = 0; d < tensor.shape.size(); ++d)
    reach += static_cast<std::uint64_t>((tensor.shape[d] - 1) * tensor.strides[d]);
  charge(cost::kCopiedTensor);
  const auto found = buffer_from(tensor, reach);
  const std::uint64_t bytes = tensor.numel() * item_size(tensor.dtype);
  if (!found)
    return call("largeTensor", {string(dtype_name(tensor.dtype)), shape_array(tensor.shape),
                                Napi::Number::New(env_, static_cast<double>(bytes))});
  return call(
      "stridedTensor",
      {string(dtype_name(tensor.dtype)), shape_array(tensor.shape), found->first,
       Napi::Number::New(env_, static_cast<double>(found->second)), shape_array(tensor.strides)});
}

napi_value ValueConverter::make_array(const NdArray& array) {
  if (!array.built) throw Error(ErrorCode::kCorrupt, "a numpy array without content");
  napi_value data;
  if (array.byte_size > 0 && array.byte_size <= kCheaperCopied) {
    void* copy;
    napi_value buffer;
    check(napi_create_arraybuffer(env_, array.byte_size, &copy, &buffer));
    std::memcpy(copy, array.data.get(), array.byte_size);
    data = view(array.dtype, buffer, 0, array.byte_size / item_size(array.dtype));
  } else {
    data = typed_array(array.dtype, array.data.get(), array.byte_size, array.data);
  }
  return mark(call("ndArray", {string(dtype_name(array.dtype)), shape_array(array.shape), data,
                               Napi::Boolean::New(env_, array.fortran_order)}),
              array.big_endian ? std::uint32_t{kMarkBigEndian} : 0U);
}

Napi::Value register_classes(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    Environment& environment = Environment::of(call.Env());
    const Napi::Object factories = object_argument(call[0], "factories");
    environment.max_buffer_bytes =
        number_argument(factories.Get("maxBufferBytes"), "maxBufferBytes");
    environment.factories = Napi::Persistent(factories);
    return call.Env().Undefined();
  });
}

}  // namespace sda::addon
