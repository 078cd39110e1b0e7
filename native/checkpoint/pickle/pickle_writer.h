// Writes inert values as a pickle of protocol 2, with the opcodes that Python's pickler and
// torch.save use, so that torch.load reads it. Shared and cyclic objects stay shared and cyclic.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/pickle/pickle_content.h"
#include "checkpoint/pickle/value.h"
#include "checkpoint/secret_hash.h"

namespace sda {

struct PickleStyle {
  // Whether numpy's functions get numpy 2's module name, which numpy before 1.26.1 lacks. Every
  // version of numpy understands the older name, numpy 2 without a warning.
  bool numpy2_names = false;
};

// Throws kUnsafe for a global or object that the reader would refuse, kArgument for a dtype that
// numpy lacks, and kLimit for a value that does not fit protocol 2 or nests too deeply. The content
// refers to the memory of `root`, which must outlive it.
PickleContent write_pickle(const Value& root, const PickleStyle& style,
                           const CancelToken* cancel = nullptr, const Access& access = nullptr);

class PickleWriter {
 public:
  PickleWriter(const PickleStyle& style, std::unordered_set<const Storage*>& untyped,
               const CancelToken* cancel, const Access& access)
      : style_(style), untyped_(untyped), watch_(cancel), access_(access) {}

  void write(const Value& root);
  PickleContent take() { return std::move(content_); }

  // Whether the result is invalid because two tensors share a storage with different dtypes.
  // `untyped` then holds all such storages, and the pickle must be written again.
  bool must_repeat() const noexcept { return must_repeat_; }

 private:
  void save(const Value& value);
  void save_object(const Object& object);
  void save_sequence(std::span<const Value> items);
  void save_entries(std::span<const std::pair<Value, Value>> entries);
  void save_tuple(const Tuple& tuple);
  void save_dict(const Dict& dict);
  void save_set(const Set& set);
  void save_py_object(const PyObject& object);

  void save_tensor(const Tensor& tensor);
  void save_plain_tensor(const Tensor& tensor, bool requires_grad);
  // The function that rebuilds a tensor, and the tuple of its arguments.
  std::string_view rebuild_function(const Tensor& tensor) const;
  void save_rebuild_arguments(const Tensor& tensor, bool requires_grad);
  // Whether tensors in the storage take their dtype from it.
  bool is_typed(const Storage& storage) const;
  void save_storage(const Storage& storage);
  void save_array(const NdArray& array);
  void save_numpy_dtype(DType dtype, bool big_endian);
  void save_numpy_scalar(const Value& value);
  void save_numpy_global(std::string_view name);

  void integer(std::int64_t number);
  void big_integer(const BigInt& number);
  void real(double number);
  void text(std::string_view utf8);
  // The memory of `raw` must outlive the content, unless it is short.
  void bytes(std::string_view raw);
  // Writes a new bytes object, even if the same memory has been written before. `columns`: the
  // array whose data is `raw`, to be written column by column.
  void new_bytes(std::string_view raw, const NdArray* columns = nullptr);
  void byte_array(std::string_view raw);
  void global(std::string_view module, std::string_view name);
  void empty_ordered_dict();
  void sizes(std::span<const std::int64_t> numbers);

  void opcode(std::uint8_t code) { content_.bytes.append(static_cast<char>(code)); }
  template <typename T>
  void number(T value) {
    content_.bytes.append(&value, sizeof value);  // little-endian, as are the supported hosts
  }

  // Numbers memo entries in the order in which they are put, as Python does.
  std::uint32_t put();
  void get(std::uint32_t index);
  void remember(const Object& object) { objects_.emplace(&object, put()); }

  struct BytesKey {
    const char* data;
    std::size_t size;
    Kind kind;
    bool operator==(const BytesKey&) const = default;
  };
  struct HashBytesKey {
    std::size_t operator()(const BytesKey& key) const noexcept {
      return std::hash<const void*>()(key.data) * 31 + key.size;
    }
  };

  const PickleStyle style_;
  std::unordered_set<const Storage*>& untyped_;
  CancelWatch watch_;
  const Access& access_;
  bool must_repeat_ = false;
  PickleContent content_;
  std::uint32_t memo_size_ = 0;
  int depth_ = 0;
  std::unordered_map<const Object*, std::uint32_t> objects_;
  std::unordered_map<std::string_view, std::uint32_t, SecretHash> texts_;
  std::unordered_map<BytesKey, std::uint32_t, HashBytesKey> bytes_;
  std::unordered_map<std::string, std::uint32_t, SecretHash> globals_;
  std::unordered_map<int, std::uint32_t> numpy_dtypes_;
  std::unordered_map<const Storage*, std::size_t> keys_;
};

}  // namespace sda
