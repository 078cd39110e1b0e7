// The inert values that a pickle becomes. A Value has 16 bytes and is copied freely. Strings and
// bytes point into the pickle, objects belong to the arena that made them, so no Value may outlive
// the arena or the pickle's bytes. After parsing, any number of threads may read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "checkpoint/tensor/dtype.h"

namespace sda {

struct Object;

enum class Kind : std::uint8_t {
  kNone,
  kBool,
  kInt,  // fits in 64 bits
  kFloat,
  kStr,  // UTF-8, lone surrogates encoded as Python's "surrogatepass" does
  kBytes,
  kByteArray,
  kObject,
};

struct Value {
  Kind kind = Kind::kNone;
  // For a number that was a numpy scalar: its dtype plus one. Otherwise 0.
  std::uint8_t numpy_dtype = 0;
  bool ascii = false;      // kStr: one byte per character
  bool version = false;    // kStr: a torch.torch_version.TorchVersion
  std::uint32_t size = 0;  // kStr, kBytes, kByteArray: bytes
  union {
    std::int64_t integer;
    double real;
    const char* text;
    Object* object;
  };

  Value() : integer(0) {}
  static Value boolean(bool b);
  static Value of(std::int64_t i);
  static Value of(double f);
  static Value of(Object* o);
  static Value str(std::string_view text);
  static Value bytes(std::string_view text, Kind kind = Kind::kBytes);

  bool is_none() const noexcept { return kind == Kind::kNone; }
  std::string_view view() const noexcept { return {text, size}; }
  std::optional<std::string_view> as_str() const noexcept;
  std::optional<std::int64_t> as_int() const noexcept;  // not bool
  // The object if it is a T, else null.
  template <typename T>
  T* as() const noexcept;
};
static_assert(sizeof(Value) == 16);

enum class ObjectKind : std::uint8_t {
  kBigInt,
  kComplex,
  kList,
  kTuple,
  kDict,
  kSet,
  kGlobal,
  kPyObject,
  kStorage,
  kTensor,
  kNumpyDType,
  kNdArray,
};

struct Object {
  const ObjectKind kind;
  std::uint32_t id = 0;  // dense within one arena
  explicit Object(ObjectKind k) : kind(k) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
};

template <typename T>
T* Value::as() const noexcept {
  if (kind != Kind::kObject || object->kind != T::kKind) return nullptr;
  return static_cast<T*>(object);
}

// The arena owns containers and provides the memory for small ones. As std::pmr, which the C++
// libraries of some platforms lack.
class Memory {
 public:
  virtual void* obtain(std::size_t bytes) = 0;
  virtual void release(void* data, std::size_t bytes) noexcept = 0;

 protected:
  ~Memory() = default;
};

// Takes a container's elements from `memory`, or from the heap if it is null. A copy of the
// container takes its elements from the heap.
template <typename T>
struct MemoryAllocator {
  static_assert(alignof(T) <= alignof(std::max_align_t));
  using value_type = T;

  MemoryAllocator(Memory* from = nullptr) noexcept : memory(from) {}  // as in `Values(memory)`
  template <typename U>
  MemoryAllocator(const MemoryAllocator<U>& other) noexcept : memory(other.memory) {}

  T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    return static_cast<T*>(memory ? memory->obtain(bytes) : ::operator new(bytes));
  }
  void deallocate(T* data, std::size_t count) noexcept {
    if (memory)
      memory->release(data, count * sizeof(T));
    else
      ::operator delete(data);
  }
  MemoryAllocator select_on_container_copy_construction() const noexcept { return {}; }
  bool operator==(const MemoryAllocator&) const = default;

  Memory* memory;
};

using Values = std::vector<Value, MemoryAllocator<Value>>;
using Entries = std::vector<std::pair<Value, Value>, MemoryAllocator<std::pair<Value, Value>>>;
using Sizes = std::vector<std::int64_t, MemoryAllocator<std::int64_t>>;

struct BigInt : Object {
  static constexpr ObjectKind kKind = ObjectKind::kBigInt;
  BigInt() : Object(kKind) {}
  bool negative = false;
  std::vector<std::uint64_t> magnitude;  // least significant word first, no leading zero words
};

struct Complex : Object {
  static constexpr ObjectKind kKind = ObjectKind::kComplex;
  Complex() : Object(kKind) {}
  double real = 0, imaginary = 0;
};

struct List : Object {
  static constexpr ObjectKind kKind = ObjectKind::kList;
  explicit List(Memory* memory) : Object(kKind), items(memory) {}
  bool deque = false;
  Value maxlen;  // of a deque: an int, or None
  Values items;
};

struct Tuple : Object {
  static constexpr ObjectKind kKind = ObjectKind::kTuple;
  explicit Tuple(Memory* memory) : Object(kKind), items(memory) {}
  bool size = false;  // a torch.Size
  Values items;
};

enum class DictKind : std::uint8_t { kDict, kOrderedDict, kDefaultDict, kCounter };

struct Dict : Object {
  static constexpr ObjectKind kKind = ObjectKind::kDict;
  explicit Dict(Memory* memory) : Object(kKind), entries(memory) {}
  DictKind dict_kind = DictKind::kDict;
  Value factory;     // the default_factory of a defaultdict
  Entries entries;   // in the order of the file; a repeated key's last entry counts
  Value attributes;  // set by BUILD, such as "_metadata"
  const Value* find(std::string_view key) const noexcept;
};

struct Set : Object {
  static constexpr ObjectKind kKind = ObjectKind::kSet;
  explicit Set(Memory* memory) : Object(kKind), items(memory) {}
  bool frozen = false;
  Values items;
};

// The meaning of a global; see globals.h.
enum class Known : std::uint8_t;

struct Global : Object {
  static constexpr ObjectKind kKind = ObjectKind::kGlobal;
  Global() : Object(kKind) {}
  Known known{};
  std::uint8_t dtype = 0;  // for torch storage classes and torch dtypes
  std::string_view module, name;
};

// Describes an instance of a class that is known only by its name. Nothing constructs it.
struct PyObject : Object {
  static constexpr ObjectKind kKind = ObjectKind::kPyObject;
  explicit PyObject(Memory* memory) : Object(kKind), items(memory), entries(memory) {}
  const Global* cls = nullptr;
  const Global* origin = nullptr;  // `cls`, or that of the object whose result makes this one
  // What makes the object where that is no global, but the result of another call. `cls` is then a
  // global without a name.
  Value callee;
  bool allocated = false;  // made by cls.__new__ (NEWOBJ), not by a call of cls
  Value args;              // tuple
  Value kwargs;            // dict, from NEWOBJ_EX
  Value state;             // from BUILD
  Values items;            // APPENDS to a list subclass
  Entries entries;         // SETITEMS on a dict subclass
};

struct Storage : Object {
  static constexpr ObjectKind kKind = ObjectKind::kStorage;
  Storage() : Object(kKind) {}
  std::optional<DType> dtype;  // nullopt: untyped
  std::string_view key, location;
  std::uint64_t byte_size = 0;
  // For a view in a legacy file: the storage that it views, and the offset in it in bytes.
  Storage* base = nullptr;
  std::uint64_t base_offset = 0;
  // The offset of the bytes in the file; set by the container reader.
  std::uint64_t file_offset = 0;
  // The bytes once they are loaded, in host byte order and aligned for any dtype. `owner` keeps
  // them alive.
  std::byte* data = nullptr;
  std::shared_ptr<const void> owner;
  bool needed = true;  // false: not read; see leave_out.h
};

struct Tensor : Object {
  static constexpr ObjectKind kKind = ObjectKind::kTensor;
  explicit Tensor(Memory* memory) : Object(kKind), shape(memory), strides(memory) {}
  Storage* storage = nullptr;
  DType dtype = DType::kFloat32;
  std::uint64_t offset = 0;  // elements
  Sizes shape;
  Sizes strides;  // elements
  bool requires_grad = false;
  bool parameter = false;
  Value attributes;                        // set in Python on the tensor: a dict, or None
  bool conjugate = false, negate = false;  // applied when made contiguous
  bool hooked = false;                     // it has backward hooks, which are not read
  bool moved = false;                      // to another device than that of its storage
  bool needed = true;                      // as of its storage
  // A row-major copy of a tensor that is not row-major in its storage; null for others.
  std::shared_ptr<std::byte> contiguous;

  std::uint64_t numel() const noexcept;
  bool is_contiguous() const noexcept;
};

struct NumpyDType : Object {
  static constexpr ObjectKind kKind = ObjectKind::kNumpyDType;
  NumpyDType() : Object(kKind) {}
  DType dtype = DType::kFloat32;
  bool big_endian = false;
};

struct NdArray : Object {
  static constexpr ObjectKind kKind = ObjectKind::kNdArray;
  explicit NdArray(Memory* memory) : Object(kKind), shape(memory) {}
  bool built = false;
  DType dtype = DType::kFloat32;
  Sizes shape;
  bool fortran_order = false;  // the order in the file; `data` is row-major in any case
  bool big_endian = false;     // in the file; `data` has the host's order
  std::shared_ptr<std::byte> data;
  std::uint64_t byte_size = 0;
  // The call that makes it empty: _reconstruct and its arguments. BUILD then fills it.
  Value maker;
  Tuple* maker_args = nullptr;
  // How the file makes it, where its elements are beyond `dtype` and `data`.
  PyObject* described = nullptr;
};

// The estimated cost of an object as a JavaScript value: an upper bound of its bytes, and more
// where making the value takes long.
constexpr std::size_t javascript_cost(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kPyObject:
      return 1152;
    case ObjectKind::kDict:
    case ObjectKind::kSet:
    case ObjectKind::kTensor:
    case ObjectKind::kNdArray:
      return 384;
    case ObjectKind::kTuple:
    case ObjectKind::kGlobal:
    case ObjectKind::kComplex:
      return 224;
    default:
      return 96;
  }
}

// Owns the objects of one pickle. It charges their cost to one budget, and the bytes of allocate()
// to another. Not thread-safe while objects are made.
class Arena final : private Memory {
 public:
  Arena(std::uint64_t budget, std::uint64_t data_budget)
      : budget_(budget), data_budget_(data_budget) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  template <typename T>
  T* make() {
    static_assert(alignof(T) <= alignof(std::max_align_t) && sizeof(T) <= kSlab);
    prepare(sizeof(T), javascript_cost(T::kKind));
    void* const place = take(sizeof(T));
    T* object;
    if constexpr (std::is_constructible_v<T, Memory*>)
      object = new (place) T(this);
    else
      object = new (place) T();
    object->id = static_cast<std::uint32_t>(objects_.size());
    objects_.push_back(object);
    return object;
  }

  // Returns memory that lives as long as the arena, aligned for any dtype.
  char* allocate(std::size_t size);
  // Shares the block that allocate() returned last, so that it may outlive the arena. Null if
  // `data` is not that block or the block is shared already.
  std::shared_ptr<std::byte> share(const char* data) const;
  // A copy of `text` that lives as long as the arena.
  std::string_view keep(std::string_view text);

  // Charges an allocation to the budget; throws kLimit when the budget is exceeded.
  void charge(std::uint64_t bytes) {
    if (bytes > budget_ - used_) [[unlikely]]
      overspent();
    used_ += bytes;
  }

  // What charge() would still accept.
  std::uint64_t left() const noexcept { return budget_ - used_; }

  // The memory for containers that die before the arena.
  Memory* memory() noexcept { return this; }

  template <typename T, typename A>
  void push(std::vector<T, A>& to, T value) {
    if (to.size() == to.capacity()) grow(to);
    to.push_back(std::move(value));
  }

  std::size_t object_count() const noexcept { return objects_.size(); }

  // Calls f(T&) for each object of that type, in the order they were made.
  template <typename T, typename F>
  void for_each(F&& f) const {
    for (const auto& object : objects_)
      if (object->kind == T::kKind) f(static_cast<T&>(*object));
  }

 private:
  [[noreturn]] void overspent() const;
  template <typename T, typename A>
  void grow(std::vector<T, A>& v) {
    const std::size_t capacity = v.capacity() < 4 ? 4 : v.capacity() + v.capacity() / 2;
    // Doubled: each element costs about as much again in JavaScript.
    charge((capacity - v.capacity()) * sizeof(T) * 2);
    v.reserve(capacity);
  }
  // Charges an object of `size` bytes, and its cost as a JavaScript value.
  void prepare(std::size_t size, std::size_t cost_elsewhere);
  // Takes bytes from the slab at the widest alignment. `size` is at most kSlab.
  void* take(std::size_t size);

  // Memory for containers. Small pieces come from a slab and are freed with it.
  void* obtain(std::size_t bytes) override;
  void release(void* data, std::size_t bytes) noexcept override;

  // A pickle makes thousands of small objects, which are all freed together.
  static constexpr std::size_t kSlab = 16 * 1024;
  static constexpr std::size_t kSmall = 256;

  std::uint64_t budget_, data_budget_;
  std::uint64_t used_ = 0, data_used_ = 0;
  std::vector<Object*> objects_;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::byte* slab_ = nullptr;
  std::byte* slab_end_ = nullptr;
  std::vector<std::shared_ptr<char[]>> blocks_;
};

// Names a value in error messages: "list", "int", "os.system".
std::string describe(const Value& value);

}  // namespace sda
