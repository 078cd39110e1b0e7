// Writes a document's values as a program, from which lib/values/program.ts makes JavaScript
// values. Writing needs no JavaScript, so that it runs on any thread; JavaScript then makes the
// values much faster than one native call for each would, and in pieces between which it serves
// others. Shared and cyclic objects of the pickle stay shared and cyclic.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "addon/marshal/marks.h"
#include "checkpoint/cancel.h"
#include "checkpoint/checkpoint.h"

namespace sda::addon {

// A place in a program's texts is the number of the text times this, plus the place in it. A
// JavaScript string is shorter.
inline constexpr double kTextSpan = std::uint64_t{1} << 30;

struct Program {
  // Many strings of the file after one another.
  struct Text {
    std::string latin1;   // ASCII
    std::u16string wide;  // or any text; then `latin1` is empty
  };
  // Memory that becomes an ArrayBuffer: storages, large arrays and large bytes objects.
  struct Buffer {
    std::byte* data;
    std::uint64_t size;
    std::shared_ptr<const void> owner;
    bool storage;  // the tensors on it share it, and saving one of them saves all of it
  };

  std::vector<double> code;
  std::vector<Text> texts;
  std::vector<Buffer> buffers;
  std::string path;  // for errors
};

class ProgramWriter {
 public:
  // The use of the values. kKeeping notes which values were floats without a fraction or numpy
  // scalars, so that saving restores them. kReading does not, and is faster.
  enum class Purpose { kKeeping, kReading };

  // `most`: the bytes of the largest ArrayBuffer.
  ProgramWriter(const Document& document, Purpose purpose, double most,
                const CancelToken* cancel = nullptr);

  void value(const Value& value) { this->value(value, 0); }

  // Writes a dict without the entries that `wanted` refuses by their key. Any other value is
  // written as a whole.
  template <typename F>
  void top(const Value& value, F&& wanted) {
    const auto* dict = value.as<Dict>();
    if (dict == nullptr) return this->value(value);
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& entry : dict->entries)
      if (!entry.first.as_str() || wanted(entry.first.view())) entries.push_back(entry);
    begin(dict->id);
    this->dict(*dict, entries, 0);
  }

  std::shared_ptr<Program> finish(std::string path);

 private:
  struct TextPlace {
    double place;
    std::size_t length;  // in UTF-16 units
  };

  void value(const Value& value, int depth);
  void object(Object& object, int depth);
  void dict(const Dict& dict, std::span<const std::pair<Value, Value>> entries, int depth);
  void described(const PyObject& object, int depth);
  void storage(const Storage& storage);
  void tensor(const Tensor& tensor, std::uint32_t marks, int depth);
  void array(const NdArray& array);
  void bytes(const Value& value);
  void big_int(const BigInt& big);
  // The items, each after its slot if it has one. Returns how many have.
  std::size_t items(std::span<const Value> items, int depth);
  // Writes the slot that `value` needs. Returns whether there is one.
  bool slot(const Value& value);
  // Charges the slots of an array, and of a Map or Set.
  void charge_slots(std::size_t slots);
  void charge_keyed(std::size_t slots);
  // Charges what a value takes in JavaScript beyond javascript_cost() of its kind, because of its
  // content, to what the pickle's budget has left. Throws kLimit when that is exceeded.
  void charge(std::uint64_t bytes);
  TextPlace text(std::string_view text, bool ascii);
  // A text that several values name is written once: a reference takes two bytes of pickle.
  TextPlace shared_text(std::string_view text, bool ascii);
  void global_name(const Global& global);
  void name(std::string_view text);
  void shape(std::span<const std::int64_t> sizes);
  void raw(const void* data, std::size_t size);
  // The number of the buffer over these bytes.
  std::size_t buffer(std::byte* data, std::uint64_t size, const std::shared_ptr<const void>& owner,
                     bool storage);
  // The buffer that has `count` elements of the tensor's storage from its first one on, and the
  // number of the first of them in it. Empty: no buffer can be so large.
  std::optional<std::pair<std::size_t, std::uint64_t>> buffer_from(const Tensor& tensor,
                                                                   std::uint64_t count);
  void begin(std::uint32_t id) { made_[id] = ++count_; }
  template <typename... Numbers>
  void write(Numbers... numbers) {
    (program_->code.push_back(static_cast<double>(numbers)), ...);
  }

  Purpose purpose_;
  double most_;
  CancelWatch watch_;
  std::shared_ptr<Program> program_ = std::make_shared<Program>();
  std::vector<std::uint32_t> made_;  // by object id: its number among the made ones, from 1 on
  std::uint32_t count_ = 0;          // objects and bytes so far
  std::uint64_t left_;               // of the document's budget
  std::unordered_map<const std::byte*, std::size_t> buffers_;
  // By address in the pickle, so that one object of the file becomes one JavaScript value.
  std::unordered_map<const char*, std::pair<std::size_t, TextPlace>> texts_;  // and their sizes
  std::unordered_map<const char*, std::uint32_t> bytes_, byte_arrays_;
  std::optional<std::size_t> latin1_, wide_;  // the texts that grow
};

}  // namespace sda::addon
