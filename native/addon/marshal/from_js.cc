#include "addon/marshal/from_js.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "addon/marshal/arguments.h"
#include "addon/marshal/external_buffer.h"
#include "addon/marshal/marks.h"
#include "addon/marshal/numbers.h"
#include "addon/marshal/values.h"
#include "checkpoint/error.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/tensor/strided.h"

namespace sda::addon {
namespace {

enum Code : std::uint32_t {
#define SDA_PLAN_CODE(name) k##name,
#include "addon/marshal/plan_codes.def"
#undef SDA_PLAN_CODE
};

[[noreturn]] void broken(const char* what) {
  throw Error(ErrorCode::kArgument, std::string("a broken plan: ") + what);
}

void append_utf8(std::string& to, std::uint32_t c) {
  if (c < 0x80) {
    to.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    to.push_back(static_cast<char>(0xC0 | (c >> 6)));
    to.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    to.push_back(static_cast<char>(0xE0 | (c >> 12)));
    to.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    to.push_back(static_cast<char>(0xF0 | (c >> 18)));
    to.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    to.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

// Converts UTF-16 to Python's UTF-8, which encodes a lone surrogate like any other character.
std::string to_python_utf8(const std::u16string& wide) {
  std::string out;
  out.reserve(wide.size());
  for (std::size_t i = 0; i < wide.size(); ++i) {
    std::uint32_t c = wide[i];
    const bool is_high = c >= 0xD800 && c < 0xDC00;
    if (is_high && i + 1 < wide.size() && wide[i + 1] >= 0xDC00 && wide[i + 1] < 0xE000)
      c = 0x10000 + ((c - 0xD800) << 10) + (std::uint32_t{wide[++i]} - 0xDC00);
    append_utf8(out, c);
  }
  return out;
}

std::size_t bytes_per_element(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array:
      return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      return 8;
    default:
      return 1;
  }
}

// Bytes of typed arrays that are copied at once, on the environment's thread: of each, and of all
// together. Others are read piece by piece.
constexpr std::uint64_t kCopied = std::uint64_t{1} << 20;
constexpr std::uint64_t kCopiedInAll = std::uint64_t{8} << 20;

// A pointer without ownership: the arena or the saved memory keeps the bytes alive.
std::shared_ptr<std::byte> borrowed(std::byte* data) {
  return {data, [](std::byte*) {}};
}

}  // namespace

ValueBuilder::ValueBuilder(Napi::Env env, const Napi::Object& plan, const Dict* carried,
                           Arena& arena, SavedMemory& memory)
    : env_(env), carried_(carried), arena_(arena), saved_(memory) {
  const Napi::Value codes = plan.Get("codes"), numbers = plan.Get("numbers");
  const Napi::Value values = plan.Get("values");
  const auto is = [](const Napi::Value& array, napi_typedarray_type type) {
    return array.IsTypedArray() && array.As<Napi::TypedArray>().TypedArrayType() == type;
  };
  if (!is(codes, napi_uint32_array) || !is(numbers, napi_float64_array) || !values.IsArray())
    broken("expected codes, numbers and values");
  codes_ = codes.As<Napi::Uint32Array>();
  numbers_ = numbers.As<Napi::Float64Array>();
  values_ = values.As<Napi::Array>();
}

Value ValueBuilder::build() {
  while (next_code_ < codes_.ElementLength()) execute(code());
  if (stack_.size() != 1) broken("expected exactly one value at its end");
  place_tensors();
  share_views();
  return stack_.front();
}

std::uint32_t ValueBuilder::code() {
  if (next_code_ >= codes_.ElementLength()) broken("it ends early");
  return codes_.Data()[next_code_++];
}

double ValueBuilder::number() {
  if (next_number_ >= numbers_.ElementLength()) broken("it has too few numbers");
  return numbers_.Data()[next_number_++];
}

std::int64_t ValueBuilder::integer() {
  constexpr auto kLargest = static_cast<double>(kSafeInteger);
  const double found = number();
  if (!(found >= -kLargest && found <= kLargest)) broken("expected an integer");
  return static_cast<std::int64_t>(found);
}

napi_value ValueBuilder::value() {
  napi_value found;
  if (napi_get_element(env_, values_, next_value_++, &found) != napi_ok)
    broken("it has too few values");
  return found;
}

std::string_view ValueBuilder::text() {
  const Napi::Value found(env_, value());
  if (!found.IsString()) broken("expected a string");
  std::string utf8 = to_python_utf8(found.As<Napi::String>().Utf16Value());
  if (utf8.size() > std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::kLimit, "a string of " + std::to_string(utf8.size()) + " bytes");
  return arena_.keep(utf8);
}

DType ValueBuilder::dtype() {
  const auto found = dtype_from_name(text());
  if (!found) broken("expected the name of a dtype");
  return *found;
}

void ValueBuilder::shape(Sizes& sizes) {
  sizes.resize(code());
  for (std::int64_t& size : sizes) {
    size = integer();
    if (size < 0) broken("a size is negative");
  }
}

Value ValueBuilder::pop() {
  if (stack_.empty()) broken("a value is missing");
  const Value last = stack_.back();
  stack_.pop_back();
  return last;
}

std::size_t ValueBuilder::from_top(std::size_t count) const {
  if (stack_.size() < count) broken("values are missing");
  return stack_.size() - count;
}

void ValueBuilder::push_new(Object* object) {
  made_.push_back(Value::of(object));
  stack_.push_back(made_.back());
}

void ValueBuilder::execute(std::uint32_t what) {
  switch (what) {
    case kNone:
      return stack_.push_back(Value());
    case kTrue:
    case kFalse:
      return stack_.push_back(Value::boolean(what == kTrue));
    case kInt:
      return stack_.push_back(Value::of(integer()));
    case kFloat:
      return stack_.push_back(Value::of(number()));
    case kStr:
      return stack_.push_back(Value::str(text()));
    case kBigInt: {
      const Napi::Value found(env_, value());
      if (!found.IsBigInt()) broken("expected a bigint");
      int sign = 0;
      std::size_t words = found.As<Napi::BigInt>().WordCount();
      if (words == 0) return stack_.push_back(Value::of(std::int64_t{0}));
      auto* big = arena_.make<BigInt>();
      big->magnitude.resize(words);
      found.As<Napi::BigInt>().ToWords(&sign, &words, big->magnitude.data());
      big->negative = sign != 0;
      return stack_.push_back(Value::of(big));
    }
    case kBytes:
    case kByteArray: {
      const Memory bytes = memory();
      if (bytes.size > std::numeric_limits<std::uint32_t>::max())
        throw Error(ErrorCode::kLimit, "bytes of more than 4 GiB");
      const std::string_view raw(
          reinterpret_cast<const char*>(readable(bytes.data, bytes.size, bytes)), bytes.size);
      return stack_.push_back(Value::bytes(raw, what == kBytes ? Kind::kBytes : Kind::kByteArray));
    }
    case kComplex: {
      auto* complex = arena_.make<Complex>();
      complex->real = number();
      complex->imaginary = number();
      return stack_.push_back(Value::of(complex));
    }
    case kNumpyScalar: {
      const std::uint32_t dtype = code();
      if (stack_.empty() || dtype >= kDTypeCount) broken("expected a value and its numpy dtype");
      stack_.back().numpy_dtype = static_cast<std::uint8_t>(dtype + 1);
      return;
    }
    case kVersion:
      if (stack_.empty() || stack_.back().kind != Kind::kStr) broken("expected a version's string");
      stack_.back().version = true;
      return;
    case kList:
      return push_new(arena_.make<List>());
    case kTuple:
    case kSize: {
      auto* tuple = arena_.make<Tuple>();
      tuple->size = what == kSize;
      return push_new(tuple);
    }
    case kDict:
    case kOrderedDict:
    case kCounter:
    case kDefaultDict: {
      auto* dict = arena_.make<Dict>();
      if (what == kOrderedDict) dict->dict_kind = DictKind::kOrderedDict;
      if (what == kCounter) dict->dict_kind = DictKind::kCounter;
      if (what == kDefaultDict) {
        dict->dict_kind = DictKind::kDefaultDict;
        dict->factory = pop();
      }
      return push_new(dict);
    }
    case kDeque: {
      auto* list = arena_.make<List>();
      list->deque = true;
      list->maxlen = pop();
      if (!list->maxlen.is_none() && !list->maxlen.as_int()) broken("expected a deque's length");
      return push_new(list);
    }
    case kSet:
    case kFrozenSet: {
      auto* set = arena_.make<Set>();
      set->frozen = what == kFrozenSet;
      return push_new(set);
    }
    case kFill:
      return fill(code());
    case kFloats: {
      auto* list = stack_.empty() ? nullptr : stack_.back().as<List>();
      auto* tuple = stack_.empty() ? nullptr : stack_.back().as<Tuple>();
      if (list == nullptr && tuple == nullptr) broken("expected a list or tuple for floats");
      auto& items = list != nullptr ? list->items : tuple->items;
      for (std::uint32_t count = code(); count > 0; --count)
        arena_.push(items, Value::of(number()));
      return;
    }
    case kAttributes: {
      const Value attributes = pop();
      auto* dict = stack_.empty() ? nullptr : stack_.back().as<Dict>();
      auto* tensor = stack_.empty() ? nullptr : stack_.back().as<Tensor>();
      if ((dict == nullptr && tensor == nullptr) || !attributes.as<Dict>())
        broken("expected a dict or tensor and its attributes");
      (dict != nullptr ? dict->attributes : tensor->attributes) = attributes;
      return;
    }
    case kGlobal:
      return push_global();
    case kObject: {
      auto* object = arena_.make<PyObject>();
      auto* cls = arena_.make<sda::Global>();
      cls->module = text();
      cls->name = text();
      object->cls = cls;
      object->allocated = code() != 0;
      return push_new(object);
    }
    case kObjectParts: {
      const std::uint32_t items = code();
      return fill_object(items, code());
    }
    case kTensor:
      return push_tensor();
    case kView:
      return push_view();
    case kNdArray:
      return push_array();
    case kStorage:
      return push_storage();
    case kRef: {
      const std::uint32_t index = code();
      if (index >= made_.size()) broken("a reference to an object that is not made yet");
      return stack_.push_back(made_[index]);
    }
    case kCarry: {
      const std::string_view key = text();
      const Value* found = carried_ == nullptr ? nullptr : carried_->find(key);
      const bool has_fallback = code() != 0;
      if (has_fallback && stack_.empty()) broken("a value is missing");
      if (found == nullptr && has_fallback) return;
      if (has_fallback) stack_.pop_back();
      if (found == nullptr)
        throw Error(ErrorCode::kSchema, "the file has no '" + std::string(key) + "'")
            .with("field", std::string(key));
      return stack_.push_back(*found);
    }
    case kCarryAll:
      if (carried_ == nullptr) broken("there is no dict to carry over");
      // A Value holds a pointer to non-const, but the writer changes nothing.
      return stack_.push_back(Value::of(const_cast<Dict*>(carried_)));
    case kAmend:
      return amend(code());
    default:
      broken("an unknown code");
  }
}

void ValueBuilder::fill(std::uint32_t count) {
  const std::size_t from = from_top(std::size_t{count} + 1) + 1;
  const Value target = stack_[from - 1];
  if (auto* dict = target.as<Dict>()) {
    if (count % 2 != 0) broken("a key without a value");
    for (std::size_t i = from; i < stack_.size(); i += 2)
      arena_.push(dict->entries, {stack_[i], stack_[i + 1]});
  } else {
    Values* items = nullptr;
    if (auto* list = target.as<List>()) items = &list->items;
    if (auto* tuple = target.as<Tuple>()) items = &tuple->items;
    if (auto* set = target.as<Set>()) items = &set->items;
    if (items == nullptr) broken("expected a container below its values");
    for (std::size_t i = from; i < stack_.size(); ++i) arena_.push(*items, stack_[i]);
  }
  stack_.resize(from);
}

// Changes a shallow copy of the dict, because the dict may belong to a document.
void ValueBuilder::amend(std::uint32_t count) {
  const std::size_t from = from_top(std::size_t{count} * 2 + 1) + 1;
  const auto* base = stack_[from - 1].as<Dict>();
  if (base == nullptr) broken("expected a dict below its changes");
  auto* dict = arena_.make<Dict>();
  dict->dict_kind = base->dict_kind;
  dict->factory = base->factory;
  dict->attributes = base->attributes;
  for (std::size_t i = from; i < stack_.size(); i += 2)
    if (stack_[i].kind != Kind::kStr) broken("expected strings as changed keys");
  const auto change_of = [&](const Value& key) {
    for (std::size_t i = from; i < stack_.size(); i += 2)
      if (key.kind == Kind::kStr && key.view() == stack_[i].view()) return i;
    return stack_.size();
  };
  for (const auto& [key, value] : base->entries) {
    const std::size_t changed = change_of(key);
    arena_.push(dict->entries, {key, changed < stack_.size() ? stack_[changed + 1] : value});
  }
  for (std::size_t i = from; i < stack_.size(); i += 2)
    if (base->find(stack_[i].view()) == nullptr)
      arena_.push(dict->entries, {stack_[i], stack_[i + 1]});
  stack_.resize(from);
  stack_.back() = Value::of(dict);
}

void ValueBuilder::fill_object(std::uint32_t items, std::uint32_t entries) {
  constexpr std::size_t kFixed = 4;
  const std::size_t from = from_top(kFixed + std::size_t{items} + std::size_t{entries} * 2);
  auto* object = stack_[from].as<PyObject>();
  if (object == nullptr || !stack_[from + 1].as<Tuple>())
    broken("expected an object and its arguments");
  object->args = stack_[from + 1];
  object->kwargs = stack_[from + 2];
  object->state = stack_[from + 3];
  std::size_t at = from + kFixed;
  for (std::uint32_t i = 0; i < items; ++i) arena_.push(object->items, stack_[at++]);
  for (std::uint32_t i = 0; i < entries; ++i, at += 2)
    arena_.push(object->entries, {stack_[at], stack_[at + 1]});
  stack_.resize(from + 1);
}

void ValueBuilder::push_global() {
  const std::string_view module = text();
  const std::string_view name = text();
  if (const auto dtype = dtype_from_name(name); dtype && module == "numpy") {
    auto* made = arena_.make<NumpyDType>();
    made->dtype = *dtype;
    return push_new(made);
  }
  auto* global = arena_.make<sda::Global>();
  global->module = module;
  global->name = name;
  push_new(global);
}

ValueBuilder::Memory ValueBuilder::memory() {
  Memory found;
  napi_typedarray_type type;
  std::size_t length, offset;
  void *data, *buffer_data;
  const napi_value array = value();
  if (napi_get_typedarray_info(env_, array, &type, &length, &data, &found.buffer, &offset) !=
          napi_ok ||
      napi_get_arraybuffer_info(env_, found.buffer, &buffer_data, &found.buffer_size) != napi_ok)
    broken("expected a typed array");
  found.size = length * bytes_per_element(type);
  found.data = static_cast<std::byte*>(data);
  found.buffer_data = static_cast<std::byte*>(buffer_data);
  return found;
}

std::byte* ValueBuilder::readable(std::byte* data, std::uint64_t size, const Memory& memory) {
  if (size == 0 || saved_.keep(memory.buffer_data)) return data;
  if (size > kCopied || size > kCopiedInAll - copied_) {
    saved_.guard(memory.buffer, memory.buffer_data, memory.buffer_size);
    return data;
  }
  copied_ += size;
  char* const copy = arena_.allocate(static_cast<std::size_t>(size));
  std::memcpy(copy, data, static_cast<std::size_t>(size));
  return reinterpret_cast<std::byte*>(copy);
}

void ValueBuilder::push_tensor() {
  auto* tensor = arena_.make<Tensor>();
  const Memory found = memory();
  tensor->dtype = dtype();
  const std::uint32_t marks = code();
  tensor->requires_grad = (marks & kMarkRequiresGrad) != 0;
  tensor->parameter = (marks & kMarkParameter) != 0;
  shape(tensor->shape);
  tensor->strides.resize(tensor->shape.size());
  const std::size_t item = item_size(tensor->dtype);
  if (checked_numel(tensor->shape, item) * item != found.size)
    broken("a tensor's data does not fit its shape");
  std::int64_t stride = 1;
  for (std::size_t d = tensor->shape.size(); d-- > 0;) {
    tensor->strides[d] = stride;
    stride *= std::max<std::int64_t>(tensor->shape[d], 1);
  }
  Placed placed{tensor, found.data, found.data, found.data + found.size, found};
  bool loaded = false;
  if (found.size > 0 &&
      napi_check_object_type_tag(env_, found.buffer, &kStorageBufferTag, &loaded) == napi_ok &&
      loaded) {
    placed.begin = found.buffer_data;
    placed.end = found.buffer_data + found.buffer_size;
  }
  placed_.push_back(placed);
  push_new(tensor);
}

void ValueBuilder::push_view() {
  auto* tensor = stack_.empty() ? nullptr : stack_.back().as<Tensor>();
  if (tensor == nullptr || placed_.empty() || placed_.back().tensor != tensor)
    broken("expected a tensor below what it viewed");
  const Placed copy = placed_.back();
  const Memory storage = memory();
  const std::size_t item = item_size(tensor->dtype);
  auto* view = arena_.make<Tensor>();
  view->dtype = tensor->dtype;
  const std::int64_t offset = integer();
  bool fits = offset >= 0;
  auto last = static_cast<std::uint64_t>(offset);
  for (const std::int64_t size : tensor->shape) {
    const std::int64_t stride = integer();
    view->strides.push_back(stride);
    std::uint64_t step;
    fits = fits && size > 0 && stride >= 0 &&
           !__builtin_mul_overflow(static_cast<std::uint64_t>(size - 1),
                                   static_cast<std::uint64_t>(stride), &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  const std::uint32_t number = view_count_++;
  if (!fits || last >= storage.size / item) return views_.unshared.push_back(number);
  std::byte* const viewed = storage.data + static_cast<std::size_t>(offset) * item;
  placed_.push_back({view, viewed, storage.data, storage.data + storage.size, storage, true});
  const bool everywhere =
      owner_of_buffer(copy.memory.buffer_data) && owner_of_buffer(storage.buffer_data);
  views_.open.push_back({number, tensor, view, copy.data, viewed, everywhere});
}

// A job must not read memory that only JavaScript owns.
void ValueBuilder::share_views() {
  std::erase_if(views_.open, [&](const CopiedView& view) {
    if (view.everywhere) return false;
    if (!view.share()) views_.unshared.push_back(view.number);
    return true;
  });
}

bool CopiedView::share() const {
  // A storage that begins in the middle of an element cannot be viewed.
  if (view->storage == nullptr ||
      !equals_strided(copy, viewed, tensor->shape, view->strides, item_size(tensor->dtype)))
    return false;
  tensor->storage = view->storage;
  tensor->offset = view->offset;
  tensor->strides.swap(view->strides);
  return true;
}

void ValueBuilder::push_array() {
  auto* array = arena_.make<NdArray>();
  const Memory found = memory();
  array->dtype = dtype();
  array->fortran_order = code() != 0;
  shape(array->shape);
  const std::size_t item = item_size(array->dtype);
  array->byte_size = checked_numel(array->shape, item) * item;
  if (array->byte_size != found.size) broken("an array's data does not fit its shape");
  array->data = borrowed(readable(found.data, found.size, found));
  array->built = true;
  push_new(array);
}

void ValueBuilder::push_storage() {
  auto* storage = arena_.make<Storage>();
  const Memory found = memory();
  const DType type = dtype();
  if (code() == 0) storage->dtype = type;
  storage->byte_size = found.size;
  storage->data = readable(found.data, found.size, found);
  push_new(storage);
}

// Puts tensors with overlapping memory into one storage, as in PyTorch.
void ValueBuilder::place_tensors() {
  std::sort(placed_.begin(), placed_.end(),
            [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  for (auto first = placed_.begin(); first != placed_.end();) {
    const std::byte* end = first->end;
    auto last = first + 1;
    for (; last != placed_.end() && last->begin < end; ++last)
      end = std::max<const std::byte*>(end, last->end);
    place(first, last);
    first = last;
  }
}

void ValueBuilder::place(std::vector<Placed>::iterator first, std::vector<Placed>::iterator last) {
  auto* storage = arena_.make<Storage>();
  std::byte* end = first->begin;
  for (auto placed = first; placed != last; ++placed) end = std::max(end, placed->end);
  storage->byte_size = static_cast<std::uint64_t>(end - first->begin);
  const DType dtype = first->tensor->dtype;
  bool typed = storage->byte_size % item_size(dtype) == 0;
  for (auto placed = first; placed != last; ++placed) {
    Tensor& tensor = *placed->tensor;
    const std::size_t item = item_size(tensor.dtype);
    const auto offset = static_cast<std::uint64_t>(placed->data - first->begin);
    typed = typed && tensor.dtype == dtype;
    tensor.storage = storage;
    tensor.offset = offset / item;
    if (offset % item == 0) continue;
    if (placed->is_view) {
      tensor.storage = nullptr;  // share() refuses it
      continue;
    }
    // The offset is not a whole number of elements (a complex tensor that begins at an imaginary
    // part), so the tensor gets a storage of its own.
    tensor.storage = arena_.make<Storage>();
    tensor.storage->dtype = tensor.dtype;
    tensor.storage->byte_size = tensor.numel() * item;
    tensor.storage->data = readable(placed->data, tensor.storage->byte_size, placed->memory);
    tensor.offset = 0;
  }
  storage->data = readable(first->begin, storage->byte_size, first->memory);
  if (typed) storage->dtype = dtype;
}

}  // namespace sda::addon
