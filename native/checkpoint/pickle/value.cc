#include "checkpoint/pickle/value.h"

#include <algorithm>
#include <new>
#include <utility>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/utf8.h"

namespace sda {

Value Value::boolean(bool b) {
  Value value;
  value.kind = Kind::kBool;
  value.integer = b;
  return value;
}

Value Value::of(std::int64_t i) {
  Value value;
  value.kind = Kind::kInt;
  value.integer = i;
  return value;
}

Value Value::of(double f) {
  Value value;
  value.kind = Kind::kFloat;
  value.real = f;
  return value;
}

Value Value::of(Object* o) {
  Value value;
  value.kind = Kind::kObject;
  value.object = o;
  return value;
}

Value Value::str(std::string_view text) {
  Value value = bytes(text, Kind::kStr);
  value.ascii = is_ascii(text);
  return value;
}

Value Value::bytes(std::string_view text, Kind kind) {
  Value value;
  value.kind = kind;
  value.size = static_cast<std::uint32_t>(text.size());
  value.text =
      text.data() != nullptr ? text.data() : "";  // memcpy() needs an address even for 0 bytes
  return value;
}

std::optional<std::string_view> Value::as_str() const noexcept {
  if (kind != Kind::kStr) return std::nullopt;
  return view();
}

std::optional<std::int64_t> Value::as_int() const noexcept {
  if (kind != Kind::kInt) return std::nullopt;
  return integer;
}

const Value* Dict::find(std::string_view key) const noexcept {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
    if (entry->first.kind == Kind::kStr && entry->first.view() == key) return &entry->second;
  return nullptr;
}

std::uint64_t Tensor::numel() const noexcept {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  return count;
}

bool Tensor::is_contiguous() const noexcept {
  if (conjugate || negate) return false;
  // The other sizes of an empty tensor are arbitrary; their product may overflow.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return true;
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

char* Arena::allocate(std::size_t size) {
  charge(sizeof(std::shared_ptr<char[]>) +
         64);  // the shared pointer, its control block and malloc's overhead
  if (size > data_budget_ - data_used_)
    throw Error(ErrorCode::kLimit, "the pickle decodes to more bytes than its size allows")
        .with("budget", static_cast<std::int64_t>(data_budget_));
  data_used_ += size;
  blocks_.emplace_back(new char[size]);
  return blocks_.back().get();
}

std::shared_ptr<std::byte> Arena::share(const char* data) const {
  // Looks only at the last block, because a search for every array would take quadratic time.
  // Shares each block once, so that two arrays never share memory.
  if (blocks_.empty() || blocks_.back().get() != data || blocks_.back().use_count() != 1)
    return nullptr;
  return {blocks_.back(), reinterpret_cast<std::byte*>(blocks_.back().get())};
}

std::string_view Arena::keep(std::string_view text) {
  char* copy = allocate(text.size());
  std::copy(text.begin(), text.end(), copy);
  return {copy, text.size()};
}

void Arena::overspent() const {
  throw Error(ErrorCode::kLimit, "the pickle needs more memory than its size allows")
      .with("budget", static_cast<std::int64_t>(budget_));
}

Arena::~Arena() {
  for (Object* object : objects_) object->~Object();
}

void Arena::prepare(std::size_t size, std::size_t cost_elsewhere) {
  if (objects_.size() >= limits::kMaxObjects)
    throw Error(ErrorCode::kLimit,
                "the pickle holds more than " + std::to_string(limits::kMaxObjects) + " objects");
  charge(size + 2 * sizeof(void*) + cost_elsewhere);
  if (objects_.size() == objects_.capacity())
    objects_.reserve(std::max<std::size_t>(256, objects_.size() * 2));
}

void* Arena::take(std::size_t size) {
  constexpr std::size_t kAlignment = alignof(std::max_align_t);
  size = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (static_cast<std::size_t>(slab_end_ - slab_) < size) {
    slabs_.emplace_back(new std::byte[kSlab]);
    slab_ = slabs_.back().get();
    slab_end_ = slab_ + kSlab;
  }
  return std::exchange(slab_, slab_ + size);
}

void* Arena::obtain(std::size_t bytes) {
  return bytes <= kSmall ? take(bytes) : ::operator new(bytes);
}

void Arena::release(void* data, std::size_t bytes) noexcept {
  if (bytes > kSmall) ::operator delete(data);
}

std::string describe(const Value& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kStr:
      return "str";
    case Kind::kBytes:
      return "bytes";
    case Kind::kByteArray:
      return "bytearray";
    case Kind::kObject:
      break;
  }
  switch (value.object->kind) {
    case ObjectKind::kBigInt:
      return "int";
    case ObjectKind::kComplex:
      return "complex";
    case ObjectKind::kList:
      return "list";
    case ObjectKind::kTuple:
      return "tuple";
    case ObjectKind::kDict:
      return "dict";
    case ObjectKind::kSet:
      return "set";
    case ObjectKind::kGlobal: {
      const auto* global = static_cast<const Global*>(value.object);
      return std::string(global->module) + "." + std::string(global->name);
    }
    case ObjectKind::kPyObject: {
      const auto* object = static_cast<const PyObject*>(value.object);
      if (!object->callee.is_none()) return "result of a call";
      return "object of " + std::string(object->cls->module) + "." + std::string(object->cls->name);
    }
    case ObjectKind::kStorage:
      return "storage";
    case ObjectKind::kTensor:
      return "tensor";
    case ObjectKind::kNumpyDType:
      return "numpy dtype";
    case ObjectKind::kNdArray:
      return "numpy array";
  }
  return "object";
}

}  // namespace sda
