// A pickle machine that builds inert values and calls nothing. It understands the opcodes that
// Python's pickler writes in protocols 0 to 5. globals.h alone decides the meaning of globals.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/value.h"

namespace sda {

// Finds the storage of a persistent id; each container implements it. Throws kUnsafe or kCorrupt.
class StorageSource {
 public:
  virtual ~StorageSource() = default;
  virtual Value load(const Value& persistent_id) = 0;
};

// The result of look_up_global() for each "module.name". Two globals may share this text ("a.b" "c"
// and "a" "b.c"); the map then has the more dangerous result.
using NamedGlobals = std::map<std::string, Known>;

// What becomes of a str of Python 2, which is bytes in an encoding that the file does not name.
enum class Encoding : std::uint8_t {
  kUtf8,    // text; kFormat where it is not UTF-8
  kLatin1,  // text
  kBytes,
  kAny,  // text: Latin-1 where it is not UTF-8
};

struct PickleSettings {
  bool inert_globals = false;           // describe unknown globals instead of refusing them
  NamedGlobals* globals = nullptr;      // collects each global that the pickle names; not owned
  const CancelToken* cancel = nullptr;  // checked every few thousand opcodes; not owned
  Encoding encoding = Encoding::kUtf8;
  bool script = false;            // of a TorchScript program, with objects of its own classes
  NestedFiles* nested = nullptr;  // of a plain pickle; not owned
  bool joblib = false;            // a plain pickle with the elements of joblib's arrays
};

class PickleMachine {
 public:
  // `bytes` must outlive the values in the arena. `file_offset` is their offset in the file, for
  // errors. Without `storages`, every persistent id is refused. The machine owns none of its
  // arguments and lives on one thread.
  PickleMachine(std::string_view bytes, std::uint64_t file_offset, Arena& arena,
                StorageSource* storages, const PickleSettings& settings);

  // Runs to STOP and returns the value on top of the stack. Errors carry the failing opcode's
  // offset.
  Value run();

  // Bytes consumed so far.
  std::size_t position() const noexcept { return at_; }

  // Whether run() failed only because the bytes ended. A longer part of the file may succeed.
  bool ran_out() const noexcept { return ran_out_; }

 private:
  void execute(std::uint8_t opcode);

  std::string_view take(std::uint64_t size);
  void leave_frame_or_run_out();
  [[noreturn]] void run_out();
  std::string_view take_line();
  template <typename T>
  T take_number();

  Value pop();
  Value& top();
  void push(Value value);
  std::size_t pop_mark();
  void pop_to_mark(Values& items);
  Tuple* pop_tuple_to_mark();
  Tuple* pop_args();

  void memoize(std::uint64_t index);
  void recall(std::uint64_t index);
  void push_text(std::string_view text);
  void push_python2_text(std::string_view bytes);
  void push_bytes(std::string_view bytes, Kind kind);
  void push_integer(std::string_view little_endian);
  void push_decimal(std::string_view line, bool may_be_bool);
  void push_global(std::string_view module, std::string_view name);
  void note_misuse();
  void push_tuple(std::size_t count);
  void read_joblib_array();
  void append_items(std::size_t from);
  void set_items(std::size_t from);
  void add_items(std::size_t from);

  std::string_view bytes_;
  std::uint64_t file_offset_;
  Arena& arena_;
  StorageSource* storages_;
  PickleSettings settings_;
  Constructor constructor_;

  void enter_frame(std::uint64_t size);

  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  std::size_t end_;  // of the current frame, or of all bytes when no frame is open
  bool in_frame_ = false;
  bool ran_out_ = false;
  bool stopped_ = false;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Value> memo_;
  std::uint64_t memo_entries_ = 0;  // those of memo_ that have been written
};

}  // namespace sda
