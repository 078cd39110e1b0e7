#include "checkpoint/pickle/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "checkpoint/ambiguity.h"
#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/pickle_opcodes.h"
#include "checkpoint/pickle/text_opcodes.h"
#include "checkpoint/pickle/utf8.h"

namespace sda {
namespace {

using namespace opcodes;

constexpr int kHighestProtocol = 5;

// The cost in JavaScript of a typed array with its own buffer, and of a string, besides the bytes
// that they hold.
constexpr std::uint64_t kBytesInJavaScript = 448;
constexpr std::uint64_t kTextInJavaScript = 32;

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorCode::kCorrupt, what); }

}  // namespace

PickleMachine::PickleMachine(std::string_view bytes, std::uint64_t file_offset, Arena& arena,
                             StorageSource* storages, const PickleSettings& settings)
    : bytes_(bytes),
      file_offset_(file_offset),
      arena_(arena),
      storages_(storages),
      settings_(settings),
      constructor_(arena, settings.inert_globals, settings.nested),
      end_(bytes.size()) {
  // Enough for a small model's pickle, and harmless for a hostile one.
  constexpr std::size_t kUsualDepth = 64, kUsualMemo = 512;
  stack_.reserve(kUsualDepth);
  memo_.reserve(kUsualMemo);
}

Value PickleMachine::run() {
  try {
    for (CancelWatch watch(settings_.cancel); !stopped_;) {
      watch.step();
      opcode_at_ = at_;
      execute(take_number<std::uint8_t>());
    }
    return pop();
  } catch (Error& error) {
    error.with("offset", static_cast<std::int64_t>(file_offset_ + opcode_at_));
    throw;
  }
}

void PickleMachine::run_out() {
  ran_out_ = true;
  corrupt("the pickle ends in the middle");
}

// CPython reads a frame into a buffer. When an opcode or its argument crosses the frame's end, it
// drops the rest of the buffer. When STOP comes before that end, the next pickle begins behind the
// frame. Which of this happens also depends on the file object and on the version.
void PickleMachine::enter_frame(std::uint64_t size) {
  if (in_frame_)
    refuse_ambiguous(ambiguity::kFrame, "a pickle frame inside another one", file_offset_ + at_);
  if (size > bytes_.size() - at_) {
    ran_out_ = true;
    corrupt("a frame that is longer than the pickle");
  }
  if (size == 0) return;
  end_ = at_ + static_cast<std::size_t>(size);
  in_frame_ = true;
}

void PickleMachine::leave_frame_or_run_out() {
  if (!in_frame_) run_out();
  if (at_ != end_ || at_ != opcode_at_)
    refuse_ambiguous(ambiguity::kFrame, "a pickle frame that ends in the middle of an opcode",
                     file_offset_ + end_);
  end_ = bytes_.size();
  in_frame_ = false;
}

std::string_view PickleMachine::take(std::uint64_t size) {
  while (size > end_ - at_) [[unlikely]] leave_frame_or_run_out();
  const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(size));
  at_ += taken.size();
  return taken;
}

std::string_view PickleMachine::take_line() {
  for (;;) {
    const std::size_t size = bytes_.substr(at_, end_ - at_).find('\n');
    if (size == std::string_view::npos) {
      leave_frame_or_run_out();
      continue;
    }
    const std::string_view line = bytes_.substr(at_, size);
    at_ += size + 1;
    return line;
  }
}

template <typename T>
T PickleMachine::take_number() {
  T number;
  std::memcpy(&number, take(sizeof(T)).data(), sizeof(T));
  return number;
}

Value PickleMachine::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

Value& PickleMachine::top() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) corrupt("an opcode finds nothing on the stack");
  return stack_.back();
}

void PickleMachine::push(Value value) { arena_.push(stack_, value); }

std::size_t PickleMachine::pop_mark() {
  if (marks_.empty()) corrupt("an opcode finds no mark on the stack");
  const std::size_t mark = marks_.back();
  marks_.pop_back();
  return mark;
}

void PickleMachine::pop_to_mark(Values& items) {
  const std::size_t mark = pop_mark();
  arena_.charge(2 * (stack_.size() - mark) * sizeof(Value));
  items.assign(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark);
}

Tuple* PickleMachine::pop_tuple_to_mark() {
  auto* tuple = arena_.make<Tuple>();
  pop_to_mark(tuple->items);
  return tuple;
}

Tuple* PickleMachine::pop_args() {
  const Value args = pop();
  auto* tuple = args.as<Tuple>();
  if (tuple == nullptr) corrupt("the arguments of a call are a " + describe(args));
  return tuple;
}

// Marks a memo entry that has not been written.
constexpr Object* kNotWritten = nullptr;

bool is_written(const Value& entry) {
  return entry.kind != Kind::kObject || entry.object != kNotWritten;
}

void PickleMachine::memoize(std::uint64_t index) {
  // Python numbers memo entries from 0 without gaps. A single huge index would only waste memory.
  if (index > memo_entries_ + limits::kMemoSlack)
    throw Error(ErrorCode::kLimit, "memo index " + std::to_string(index) + " after " +
                                       std::to_string(memo_entries_) + " memo entries");
  const Value value = top();
  while (memo_.size() <= index) arena_.push(memo_, Value::of(kNotWritten));
  if (!is_written(memo_[index])) ++memo_entries_;
  memo_[index] = value;
}

void PickleMachine::recall(std::uint64_t index) {
  if (index >= memo_.size() || !is_written(memo_[index]))
    corrupt("memo entry " + std::to_string(index) + " is read before it is written");
  push(memo_[index]);
}

void PickleMachine::push_text(std::string_view text) {
  const Value value = Value::str(text);
  if (!value.ascii && !is_python_utf8(text)) corrupt("a string that is not UTF-8");
  arena_.charge(kTextInJavaScript);
  push(value);
}

void PickleMachine::push_python2_text(std::string_view bytes) {
  const bool is_ascii = Value::str(bytes).ascii;
  switch (settings_.encoding) {
    case Encoding::kBytes:
      return push_bytes(bytes, Kind::kBytes);
    case Encoding::kUtf8:
      if (!is_ascii && !is_python_utf8(bytes))
        throw Error(
            ErrorCode::kFormat,
            "a str of Python 2 that is not UTF-8; torch.load reads it with encoding=\"latin1\" "
            "or \"bytes\", and so does load");
      return push_text(bytes);
    case Encoding::kAny:
      if (is_ascii || is_python_utf8(bytes)) return push_text(bytes);
      break;
    case Encoding::kLatin1:
      if (is_ascii) return push_text(bytes);
      break;
  }
  std::string text;
  append_latin1(text, bytes);
  push_text(arena_.keep(text));
}

void PickleMachine::push_bytes(std::string_view bytes, Kind kind) {
  arena_.charge(kBytesInJavaScript);
  push(Value::bytes(bytes, kind));
}

void PickleMachine::push_integer(std::string_view little_endian) {
  if (little_endian.size() > limits::kMaxIntegerBytes)
    throw Error(ErrorCode::kLimit,
                "an integer of " + std::to_string(little_endian.size()) + " bytes");
  const bool negative = !little_endian.empty() && (little_endian.back() & 0x80);
  // Redundant sign bytes are removed, so that a small number does not become a BigInt.
  const char sign = negative ? '\xFF' : '\0';
  while (little_endian.size() > 8 && little_endian.back() == sign &&
         ((little_endian[little_endian.size() - 2] ^ sign) & 0x80) == 0)
    little_endian.remove_suffix(1);
  const std::size_t size = little_endian.size();
  if (size <= 8) {
    std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
    std::memcpy(&bits, little_endian.data(), size);
    push(Value::of(static_cast<std::int64_t>(bits)));
    return;
  }
  auto* big = arena_.make<BigInt>();
  arena_.charge(2 * size + 32);
  big->negative = negative;
  big->magnitude.assign((size + 7) / 8, negative ? ~std::uint64_t{0} : 0);
  std::memcpy(big->magnitude.data(), little_endian.data(), size);
  if (negative) {
    bool carry = true;
    for (std::uint64_t& word : big->magnitude) {
      word = ~word + carry;
      carry = carry && word == 0;
    }
    if (carry) big->magnitude.push_back(1);
  }
  while (!big->magnitude.empty() && big->magnitude.back() == 0) big->magnitude.pop_back();
  push(Value::of(big));
}

// Of protocols 0 and 1.
void PickleMachine::push_decimal(std::string_view line, bool may_be_bool) {
  if (may_be_bool && (line == "00" || line == "01")) return push(Value::boolean(line == "01"));
  if (line.ends_with('L')) line.remove_suffix(1);
  const DecimalNumber number = text_integer(line);
  if (number.magnitude.size() <= 1) {
    const std::uint64_t word = number.magnitude.empty() ? 0 : number.magnitude[0];
    constexpr std::uint64_t kHighest = std::uint64_t{1} << 63;
    if (word < kHighest || (number.negative && word == kHighest))
      return push(Value::of(static_cast<std::int64_t>(number.negative ? 0 - word : word)));
  }
  auto* big = arena_.make<BigInt>();
  arena_.charge(2 * number.magnitude.size() * sizeof(std::uint64_t) + 32);
  big->negative = number.negative;
  big->magnitude = number.magnitude;
  push(Value::of(big));
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  const std::size_t longest = std::max(module.size(), name.size());
  if (longest > limits::kMaxNameBytes)
    throw Error(ErrorCode::kLimit, "a global with a name of " + std::to_string(longest) + " bytes");
  const std::string shown = std::string(module) + "." + std::string(name);
  const GlobalFacts facts = settings_.nested != nullptr ? look_up_plain_global(module, name)
                            : settings_.script          ? look_up_script_global(module, name)
                                                        : look_up_global(module, name);
  if (settings_.globals != nullptr) {
    const auto [named, added] = settings_.globals->emplace(shown, facts.known);
    if (added) arena_.charge(shown.size() + 64);
    // Two different globals may share this text; the more dangerous one counts. Known is ordered
    // so.
    named->second = std::min(named->second, facts.known);
  }
  if (facts.known == Known::kForeign && !settings_.inert_globals)
    throw Error(ErrorCode::kUnsafe,
                "the pickle refers to '" + shown + "', which is not an allowed global")
        .with("global", shown);
  auto* global = arena_.make<sda::Global>();
  global->known = facts.known;
  global->dtype = facts.dtype;
  global->module = module;
  global->name = name;
  push(Value::of(global));
}

// A known global counts as a foreign one if the pickle calls it for something else.
void PickleMachine::note_misuse() {
  const sda::Global* misused = constructor_.take_misused();
  if (misused == nullptr || settings_.globals == nullptr) return;
  const auto found =
      settings_.globals->find(std::string(misused->module) + "." + std::string(misused->name));
  if (found != settings_.globals->end()) found->second = Known::kForeign;
}

void PickleMachine::push_tuple(std::size_t count) {
  auto* tuple = arena_.make<Tuple>();
  arena_.charge(2 * count * sizeof(Value));
  tuple->items.resize(count);
  for (std::size_t i = count; i-- > 0;) tuple->items[i] = pop();
  push(Value::of(tuple));
}

// joblib writes the elements of an array behind the object that describes it, and its reader puts
// the array in the object's place on the stack.
void PickleMachine::read_joblib_array() {
  const auto* wrapper = top().as<PyObject>();
  if (wrapper == nullptr || wrapper->cls->known != Known::kJoblibArray) return;
  if (in_frame_) {
    opcode_at_ = at_;  // the frame ends behind BUILD
    leave_frame_or_run_out();
  }
  if (const auto type = constructor_.joblib_type(*wrapper); type && type->starts_with('O')) {
    // Another pickle holds the whole array.
    PickleSettings inner = settings_;
    inner.joblib = false;
    PickleMachine machine(bytes_.substr(at_), file_offset_ + at_, arena_, nullptr, inner);
    top() = machine.run();
    at_ += machine.position();
    return;
  }
  top() = constructor_.joblib_array(*wrapper, [this](std::uint64_t size) { return take(size); });
}

void PickleMachine::append_items(std::size_t from) {
  const Value target = from == 0 ? Value() : stack_[from - 1];
  Values* items = nullptr;
  if (auto* list = target.as<List>()) items = &list->items;
  if (auto* object = target.as<PyObject>()) items = &object->items;
  if (items == nullptr) corrupt("items are appended to a " + describe(target));
  for (std::size_t i = from; i < stack_.size(); ++i) arena_.push(*items, stack_[i]);
  stack_.resize(from);
}

void PickleMachine::set_items(std::size_t from) {
  const Value target = from == 0 ? Value() : stack_[from - 1];
  Entries* entries = nullptr;
  if (auto* dict = target.as<Dict>()) entries = &dict->entries;
  if (auto* object = target.as<PyObject>()) entries = &object->entries;
  if (entries == nullptr) corrupt("keys are set on a " + describe(target));
  if ((stack_.size() - from) % 2 != 0) corrupt("a dict key without a value");
  for (std::size_t i = from; i < stack_.size(); i += 2) {
    check_hashable(stack_[i]);
    arena_.push(*entries, {stack_[i], stack_[i + 1]});
  }
  stack_.resize(from);
}

void PickleMachine::add_items(std::size_t from) {
  const Value target = from == 0 ? Value() : stack_[from - 1];
  auto* set = target.as<Set>();
  if (set == nullptr || set->frozen) corrupt("members are added to a " + describe(target));
  for (std::size_t i = from; i < stack_.size(); ++i) {
    check_hashable(stack_[i]);
    arena_.push(set->items, stack_[i]);
  }
  stack_.resize(from);
}

void PickleMachine::execute(std::uint8_t opcode) {
  // APPEND and SETITEM work on the last one or two values above the current mark.
  const auto last = [this](std::size_t count) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() < floor + count + 1) corrupt("an opcode finds nothing on the stack");
    return stack_.size() - count;
  };
  switch (opcode) {
    case kProto: {
      const int protocol = take_number<std::uint8_t>();
      if (protocol > kHighestProtocol)
        throw Error(ErrorCode::kVersion,
                    "pickle protocol " + std::to_string(protocol) + " is newer than supported (5)");
      return;
    }
    case kFrame:
      return enter_frame(take_number<std::uint64_t>());
    case kStop:
      if (in_frame_ && at_ != end_)
        refuse_ambiguous(ambiguity::kFrame, "a pickle that stops before its frame ends",
                         file_offset_ + at_);
      stopped_ = true;
      return;

    case kNone:
      return push(Value());
    case kNewTrue:
      return push(Value::boolean(true));
    case kNewFalse:
      return push(Value::boolean(false));
    case kBinInt:
      return push(Value::of(std::int64_t{take_number<std::int32_t>()}));
    case kBinInt1:
      return push(Value::of(std::int64_t{take_number<std::uint8_t>()}));
    case kBinInt2:
      return push(Value::of(std::int64_t{take_number<std::uint16_t>()}));
    case kLong1:
      return push_integer(take(take_number<std::uint8_t>()));
    case kLong4: {
      const auto size = take_number<std::int32_t>();
      if (size < 0) corrupt("an integer of negative length");
      return push_integer(take(static_cast<std::uint64_t>(size)));
    }
    case kBinFloat: {
      auto bits = take_number<std::uint64_t>();
      bits = __builtin_bswap64(bits);
      return push(Value::of(std::bit_cast<double>(bits)));
    }

    case kBinUnicode:
      return push_text(take(take_number<std::uint32_t>()));
    case kShortBinUnicode:
      return push_text(take(take_number<std::uint8_t>()));
    case kBinUnicode8:
      return push_text(take(take_number<std::uint64_t>()));
    case kBinString:
      return push_python2_text(take(take_number<std::uint32_t>()));
    case kShortBinString:
      return push_python2_text(take(take_number<std::uint8_t>()));
    case kBinBytes:
      return push_bytes(take(take_number<std::uint32_t>()), Kind::kBytes);
    case kShortBinBytes:
      return push_bytes(take(take_number<std::uint8_t>()), Kind::kBytes);
    case kBinBytes8:
      return push_bytes(take(take_number<std::uint64_t>()), Kind::kBytes);
    case kByteArray8:
      return push_bytes(take(take_number<std::uint64_t>()), Kind::kByteArray);

    case kMark:
      arena_.push(marks_, stack_.size());
      return;
    case kPop:
      // As in Python, POP discards a mark that has no values above it.
      if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
      else
        pop();
      return;
    case kPopMark:
      stack_.resize(pop_mark());
      return;
    case kDup:
      return push(top());

    case kEmptyTuple:
      return push_tuple(0);
    case kTuple1:
      return push_tuple(1);
    case kTuple2:
      return push_tuple(2);
    case kTuple3:
      return push_tuple(3);
    case kTuple: {
      Tuple* tuple = pop_tuple_to_mark();
      return push(Value::of(tuple));
    }
    case kEmptyList:
      return push(Value::of(arena_.make<List>()));
    case kList: {
      auto* list = arena_.make<List>();
      pop_to_mark(list->items);
      return push(Value::of(list));
    }
    case kAppend:
      return append_items(last(1));
    case kAppends:
      return append_items(pop_mark());
    case kEmptyDict:
      return push(Value::of(arena_.make<sda::Dict>()));
    case kDict: {
      const std::size_t mark = pop_mark();
      const Value dict = Value::of(arena_.make<sda::Dict>());
      arena_.push(stack_, Value());
      std::rotate(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end() - 1,
                  stack_.end());
      stack_[mark] = dict;
      return set_items(mark + 1);
    }
    case kSetItem:
      return set_items(last(2));
    case kSetItems:
      return set_items(pop_mark());
    case kEmptySet:
      return push(Value::of(arena_.make<Set>()));
    case kAddItems:
      return add_items(pop_mark());
    case kFrozenSet: {
      auto* set = arena_.make<Set>();
      pop_to_mark(set->items);
      std::for_each(set->items.begin(), set->items.end(), check_hashable);
      set->frozen = true;
      return push(Value::of(set));
    }

    case kBinPut:
      return memoize(take_number<std::uint8_t>());
    case kLongBinPut:
      return memoize(take_number<std::uint32_t>());
    case kMemoize:
      return memoize(memo_entries_);  // as in Python, which counts entries, not slots
    case kBinGet:
      return recall(take_number<std::uint8_t>());
    case kLongBinGet:
      return recall(take_number<std::uint32_t>());

    case kGlobal: {
      const std::string_view module = take_line();
      return push_global(module, take_line());
    }
    case kStackGlobal: {
      const Value name = pop();
      const Value module = pop();
      if (!name.as_str() || !module.as_str()) corrupt("a global whose name is not a string");
      return push_global(module.view(), name.view());
    }
    case kReduce: {
      Tuple* args = pop_args();
      const Value callable = pop();
      push(constructor_.call(callable, *args));
      return note_misuse();
    }
    case kNewObj: {
      Tuple* args = pop_args();
      const Value cls = pop();
      push(constructor_.instantiate(cls, *args, Value()));
      return note_misuse();
    }
    case kNewObjEx: {
      const Value kwargs = pop();
      Tuple* args = pop_args();
      const Value cls = pop();
      if (!kwargs.as<sda::Dict>()) corrupt("the keyword arguments of a call are not a dict");
      push(constructor_.instantiate(cls, *args, kwargs));
      return note_misuse();
    }
    case kObj: {
      Tuple* args = pop_tuple_to_mark();
      if (args->items.empty()) corrupt("an object without a class");
      const Value cls = args->items.front();
      args->items.erase(args->items.begin());
      push(constructor_.instantiate(cls, *args, Value()));
      return note_misuse();
    }
    case kInst: {
      const std::string_view module = take_line();
      const std::string_view name = take_line();
      Tuple* args = pop_tuple_to_mark();
      push_global(module, name);
      const Value cls = pop();
      push(constructor_.instantiate(cls, *args, Value()));
      return note_misuse();
    }
    case kBuild: {
      const Value state = pop();
      constructor_.build(top(), state);
      if (settings_.joblib) read_joblib_array();
      return note_misuse();
    }
    case kBinPersId: {
      const Value id = pop();
      if (storages_ == nullptr)
        throw Error(ErrorCode::kUnsafe, "a persistent id in a pickle that has no storages");
      return push(storages_->load(id));
    }

    case kPersId:
      throw Error(ErrorCode::kUnsafe, "a persistent id that is text instead of a storage");
    case kExt1:
    case kExt2:
    case kExt4:
      throw Error(
          ErrorCode::kUnsafe,
          "an opcode of the extension registry, which differs between Python installations");
    case kNextBuffer:
    case kReadonlyBuffer:
      throw Error(ErrorCode::kUnsafe, "an opcode that refers to a buffer outside the file");

    case kFloatText:
      return push(Value::of(text_float(take_line())));
    case kIntText:
    case kLongText:
      return push_decimal(take_line(), opcode == kIntText);
    case kStringText:
      return push_python2_text(arena_.keep(text_string(take_line())));
    case kUnicodeText:
      return push_text(arena_.keep(text_unicode(take_line())));
    case kGetText:
      return recall(text_index(take_line()));
    case kPutText:
      return memoize(text_index(take_line()));
    default:
      corrupt("unknown pickle opcode " + std::to_string(opcode));
  }
}

}  // namespace sda
