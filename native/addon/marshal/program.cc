#include "addon/marshal/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "addon/marshal/key_spread.h"
#include "addon/marshal/numbers.h"
#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/utf8.h"

namespace sda::addon {
namespace {

enum class Op {
#define SDA_PROGRAM_OP(name) k##name,
#include "addon/marshal/program_ops.def"
#undef SDA_PROGRAM_OP
};

// Texts up to this length are written again rather than looked up.
constexpr std::size_t kShortText = 24;
// A text grows to about this many characters. JavaScript makes one in about a millisecond.
constexpr std::size_t kTextPiece = std::size_t{1} << 20;
// Arrays and bytes up to this size are in the program itself.
constexpr std::size_t kInlineBytes = 256;

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

// The slot of a value of which JavaScript shows another type: a numpy scalar, a TorchVersion, or a
// float without fraction. 0: none. Only a float can be -0, so that one shows it.
int slot_of(const Value& value) {
  if (value.version) return kSlotVersion;
  if (value.numpy_dtype != 0) return kSlotScalar + value.numpy_dtype - 1;
  const bool is_whole = value.kind == Kind::kFloat && value.real == std::trunc(value.real) &&
                        std::fabs(value.real) <= static_cast<double>(kSafeInteger) &&
                        !(value.real == 0 && std::signbit(value.real));
  return is_whole ? kSlotFloat : 0;
}

Op dict_op(DictKind kind) {
  switch (kind) {
    case DictKind::kDict:
      return Op::kMap;
    case DictKind::kOrderedDict:
      return Op::kOrderedDict;
    case DictKind::kDefaultDict:
      return Op::kDefaultDict;
    case DictKind::kCounter:
      return Op::kCounter;
  }
  return Op::kMap;
}

bool is_elsewhere(const Storage& storage) {
  const Storage& whole = storage.base != nullptr ? *storage.base : storage;
  return !whole.location.empty() && whole.location != "cpu";
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

std::size_t code_of(DType dtype) { return static_cast<std::size_t>(dtype); }

}  // namespace

ProgramWriter::ProgramWriter(const Document& document, Purpose purpose, double most,
                             const CancelToken* cancel)
    : purpose_(purpose),
      most_(most),
      watch_(cancel),
      made_(document.arena().object_count(), 0),
      left_(document.arena().left()) {}

std::shared_ptr<Program> ProgramWriter::finish(std::string path) {
  program_->path = std::move(path);
  return std::move(program_);
}

void ProgramWriter::charge(std::uint64_t bytes) {
  if (bytes > left_)
    throw Error(ErrorCode::kLimit,
                "the values of the pickle take far more memory than the file has");
  left_ -= bytes;
}

void ProgramWriter::value(const Value& value, int depth) {
  watch_.step();
  switch (value.kind) {
    case Kind::kNone:
      return write(Op::kNull);
    case Kind::kBool:
      return write(value.integer != 0 ? Op::kTrue : Op::kFalse);
    case Kind::kInt: {
      if (is_safe(value.integer)) return write(Op::kNumber, value.integer);
      const bool negative = value.integer < 0;
      const auto bits = static_cast<std::uint64_t>(value.integer);
      const std::uint64_t magnitude = negative ? ~bits + 1 : bits;
      write(Op::kBigInt, 0, negative, 1);
      return raw(&magnitude, sizeof magnitude);
    }
    case Kind::kFloat:
      return write(Op::kNumber, value.real);
    case Kind::kStr: {
      const TextPlace at = value.size > kShortText ? shared_text(value.view(), value.ascii)
                                                   : text(value.view(), value.ascii);
      return write(Op::kText, at.place, at.length);
    }
    case Kind::kBytes:
    case Kind::kByteArray:
      return bytes(value);
    case Kind::kObject:
      break;
  }
  Object& object = *value.object;
  if (made_[object.id] != 0) return write(Op::kSame, made_[object.id] - 1);
  if (depth > limits::kMaxDepth)
    throw Error(ErrorCode::kLimit,
                "containers nested deeper than " + std::to_string(limits::kMaxDepth));
  this->object(object, depth + 1);
}

void ProgramWriter::object(Object& object, int depth) {
  if (object.kind == ObjectKind::kNdArray) {
    const auto& array = static_cast<const NdArray&>(object);
    if (array.described != nullptr) return value(Value::of(array.described), depth);
  }
  begin(object.id);
  switch (object.kind) {
    case ObjectKind::kBigInt:
      return big_int(static_cast<const BigInt&>(object));
    case ObjectKind::kComplex: {
      const auto& complex = static_cast<const Complex&>(object);
      return write(Op::kComplex, complex.real, complex.imaginary);
    }
    case ObjectKind::kList: {
      const auto& list = static_cast<const List&>(object);
      const bool limited = list.deque && !list.maxlen.is_none();
      if (list.deque)
        write(Op::kDeque, list.items.size(), limited);
      else
        write(Op::kList, list.items.size());
      charge_slots(items(list.items, depth));
      if (limited) value(list.maxlen, depth);
      return;
    }
    case ObjectKind::kTuple: {
      const auto& tuple = static_cast<const Tuple&>(object);
      write(Op::kTuple, tuple.items.size(), tuple.size ? std::uint32_t{kMarkSize} : 0U);
      return charge_slots(items(tuple.items, depth));
    }
    case ObjectKind::kSet: {
      const auto& set = static_cast<const Set&>(object);
      check_spread(set.items.size(), [&](std::size_t i) { return set.items[i]; });
      write(Op::kSet, set.items.size(), set.frozen ? std::uint32_t{kMarkFrozenSet} : 0U);
      return charge_keyed(items(set.items, depth));
    }
    case ObjectKind::kDict: {
      const auto& dict = static_cast<const Dict&>(object);
      return this->dict(dict, dict.entries, depth);
    }
    case ObjectKind::kGlobal: {
      const auto& global = static_cast<const Global&>(object);
      write(Op::kGlobal, 0);
      return global_name(global);
    }
    case ObjectKind::kPyObject:
      return described(static_cast<const PyObject&>(object), depth);
    case ObjectKind::kStorage:
      return storage(static_cast<const Storage&>(object));
    case ObjectKind::kTensor: {
      const auto& tensor = static_cast<const Tensor&>(object);
      return this->tensor(tensor, marks_of(tensor), depth);
    }
    case ObjectKind::kNumpyDType: {
      const auto& dtype = static_cast<const NumpyDType&>(object);
      write(Op::kGlobal, dtype.big_endian ? std::uint32_t{kMarkBigEndian} : 0U);
      name("numpy");
      return name(dtype_name(dtype.dtype));
    }
    case ObjectKind::kNdArray:
      return array(static_cast<const NdArray&>(object));
  }
  throw Error(ErrorCode::kNative, "a value of an unknown kind");
}

bool ProgramWriter::slot(const Value& value) {
  if (purpose_ == Purpose::kReading) return false;
  const int kind = slot_of(value);
  if (kind != 0) write(Op::kSlot, kind);
  return kind != 0;
}

void ProgramWriter::charge_slots(std::size_t slots) {
  if (slots > 0) charge(cost::kSlots + slots * cost::kSlot);
}

void ProgramWriter::charge_keyed(std::size_t slots) {
  charge_slots(slots);
  if (slots > 0) charge(cost::kKeyedSlots + slots * cost::kKeyedSlot);
}

std::size_t ProgramWriter::items(std::span<const Value> items, int depth) {
  std::size_t slots = 0;
  for (const Value& item : items) {
    slots += slot(item) ? 1 : 0;
    value(item, depth);
  }
  return slots;
}

void ProgramWriter::dict(const Dict& dict, std::span<const std::pair<Value, Value>> entries,
                         int depth) {
  check_spread(entries.size(), [&](std::size_t i) { return entries[i].first; });
  const Value& extra = dict.dict_kind == DictKind::kOrderedDict ? dict.attributes : dict.factory;
  const bool has_extra = !extra.is_none() && (dict.dict_kind == DictKind::kOrderedDict ||
                                              dict.dict_kind == DictKind::kDefaultDict);
  write(dict_op(dict.dict_kind), entries.size(), has_extra);
  std::size_t slots = 0;
  for (const auto& [key, item] : entries) {
    slots += slot(key) ? 1 : 0;
    value(key, depth);
    slots += slot(item) ? 1 : 0;
    value(item, depth);
  }
  charge_keyed(slots);
  if (has_extra) value(extra, depth);
}

void ProgramWriter::described(const PyObject& object, int depth) {
  charge(object.entries.size() * cost::kPair);
  write(Op::kObject, object.allocated);
  global_name(*object.cls);
  write(object.items.size(), object.entries.size());
  value(object.args, depth);
  value(object.kwargs, depth);
  if (slot(object.state)) charge_slots(1);
  value(object.state, depth);
  value(object.callee, depth);
  charge_slots(items(object.items, depth));
  for (const auto& [key, item] : object.entries) {
    bool slots = slot(key);
    value(key, depth);
    slots |= slot(item);
    value(item, depth);
    if (slots) charge(cost::kPairSlots);
  }
}

void ProgramWriter::storage(const Storage& storage) {
  const DType dtype = storage.dtype.value_or(DType::kUint8);
  Tensor all(nullptr);
  all.storage = const_cast<Storage*>(&storage);
  all.dtype = dtype;
  all.shape = {static_cast<std::int64_t>(storage.byte_size / item_size(dtype))};
  all.strides = {1};
  const std::uint32_t marks = kMarkStorage | (storage.dtype ? 0U : std::uint32_t{kMarkUntyped});
  tensor(all, marks | marks_of(all), 0);
}

void ProgramWriter::tensor(const Tensor& tensor, std::uint32_t marks, int depth) {
  const std::uint64_t numel = tensor.numel();
  const std::size_t item = item_size(tensor.dtype);
  const bool attributes = !tensor.attributes.is_none();
  const auto head = [&](Op op) { write(op, code_of(tensor.dtype), marks, attributes); };
  // JavaScript takes the number of elements from the shape.
  const auto view = [&](double buffer, std::uint64_t first) {
    head(Op::kTensor);
    write(buffer, first);
  };
  const auto large = [&] {
    head(Op::kLarge);
    write(numel * item);
  };
  if (tensor.contiguous) {
    charge(cost::kCopiedTensor);
    view(
        static_cast<double>(buffer(tensor.contiguous.get(), numel * item, tensor.contiguous, true)),
        0);
  } else if (numel == 0 || tensor.storage->data == nullptr) {
    view(-1, 0);
  } else if (!tensor.is_contiguous()) {
    std::uint64_t reach = 1;  // elements from the first one to the last
    for (std::size_t d = 0; d < tensor.shape.size(); ++d)
      reach += static_cast<std::uint64_t>((tensor.shape[d] - 1) * tensor.strides[d]);
    charge(cost::kCopiedTensor);
    if (const auto found = buffer_from(tensor, reach)) {
      head(Op::kStrided);
      write(found->first, found->second);
      shape(tensor.strides);
    } else {
      large();
    }
  } else if (const auto found = buffer_from(tensor, numel)) {
    view(static_cast<double>(found->first), found->second);
  } else {
    large();
  }
  shape(tensor.shape);
  if (attributes) value(tensor.attributes, depth);
}

std::optional<std::pair<std::size_t, std::uint64_t>> ProgramWriter::buffer_from(
    const Tensor& tensor, std::uint64_t count) {
  const std::size_t item = item_size(tensor.dtype);
  const Storage& storage = *tensor.storage;
  const Storage& whole = storage.base != nullptr ? *storage.base : storage;
  const std::uint64_t first = storage.base_offset / item + tensor.offset;
  // All tensors of a storage share its buffer, as in PyTorch.
  if (static_cast<double>(whole.byte_size) <= most_)
    return std::pair{buffer(whole.data, whole.byte_size, whole.owner, true), first};
  if (static_cast<double>(count * item) > most_) return std::nullopt;
  // Of a storage that is too large, each tensor has a buffer from its first element on.
  const std::uint64_t left = whole.byte_size - first * item;
  const auto size = static_cast<std::uint64_t>(std::min(static_cast<double>(left), most_));
  return std::pair{buffer(whole.data + first * item, size, whole.owner, true), std::uint64_t{0}};
}

std::size_t ProgramWriter::buffer(std::byte* data, std::uint64_t size,
                                  const std::shared_ptr<const void>& owner, bool storage) {
  const auto [known, is_new] = buffers_.try_emplace(data, program_->buffers.size());
  if (is_new) program_->buffers.push_back({data, size, owner, storage});
  return known->second;
}

void ProgramWriter::array(const NdArray& array) {
  if (!array.built) throw Error(ErrorCode::kCorrupt, "a numpy array without content");
  const std::uint32_t marks = array.big_endian ? std::uint32_t{kMarkBigEndian} : 0U;
  if (array.byte_size <= kInlineBytes) {
    write(Op::kElements, code_of(array.dtype), marks, array.fortran_order, array.byte_size);
    raw(array.data.get(), array.byte_size);
  } else {
    write(Op::kNdArray, code_of(array.dtype), marks, array.fortran_order,
          buffer(array.data.get(), array.byte_size, array.data, false));
  }
  shape(array.shape);
}

void ProgramWriter::bytes(const Value& value) {
  const bool changeable = value.kind == Kind::kByteArray;
  const auto [known, is_new] = (changeable ? byte_arrays_ : bytes_).try_emplace(value.text, count_);
  if (!is_new) return write(Op::kSame, known->second);
  ++count_;
  const std::uint32_t marks = changeable ? std::uint32_t{kMarkByteArray} : 0U;
  if (value.size <= kInlineBytes) {
    write(Op::kBytes, marks, value.size);
    return raw(value.text, value.size);
  }
  std::shared_ptr<std::byte[]> copy(new std::byte[value.size]);
  std::memcpy(copy.get(), value.text, value.size);
  write(Op::kLargeBytes, marks, program_->buffers.size());
  program_->buffers.push_back({copy.get(), value.size, copy, false});
}

void ProgramWriter::big_int(const BigInt& big) {
  write(Op::kBigInt, 1, big.negative, big.magnitude.size());
  raw(big.magnitude.data(), big.magnitude.size() * sizeof(std::uint64_t));
}

void ProgramWriter::shape(std::span<const std::int64_t> sizes) {
  charge(sizes.size() * cost::kDimension);
  write(sizes.size());
  for (const std::int64_t size : sizes) write(size);
}

void ProgramWriter::raw(const void* data, std::size_t size) {
  auto& code = program_->code;
  const std::size_t at = code.size();
  code.resize(at + (size + sizeof(double) - 1) / sizeof(double));
  if (size > 0) std::memcpy(code.data() + at, data, size);
}

void ProgramWriter::global_name(const Global& global) {
  if (!is_python_utf8(global.module) || !is_python_utf8(global.name))
    throw Error(ErrorCode::kCorrupt, "a global whose name is not UTF-8");
  name(global.module);
  name(global.name);
}

void ProgramWriter::name(std::string_view text) {
  if (text.size() > kShortText && !texts_.contains(text.data())) charge(text.size());
  const TextPlace at = shared_text(text, is_ascii(text));
  write(at.place, at.length);
}

ProgramWriter::TextPlace ProgramWriter::shared_text(std::string_view text, bool ascii) {
  if (const auto known = texts_.find(text.data());
      known != texts_.end() && known->second.first == text.size())
    return known->second.second;
  const TextPlace made = this->text(text, ascii);
  texts_.insert_or_assign(text.data(), std::pair{text.size(), made});
  return made;
}

ProgramWriter::TextPlace ProgramWriter::text(std::string_view text, bool ascii) {
  auto& texts = program_->texts;
  const auto append = [&](std::optional<std::size_t>& current, auto member, const auto& more) {
    if (!current || (texts[*current].*member).size() + more.size() > kTextPiece) {
      current = texts.size();
      texts.emplace_back();
    }
    auto& to = texts[*current].*member;
    const double place = static_cast<double>(*current) * kTextSpan + static_cast<double>(to.size());
    to += more;
    return TextPlace{place, more.size()};
  };
  return ascii ? append(latin1_, &Program::Text::latin1, text)
               : append(wide_, &Program::Text::wide, to_utf16(text));
}

}  // namespace sda::addon
