#include "checkpoint/pickle/pickle_writer.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/pickle_opcodes.h"

namespace sda {

using namespace opcodes;

namespace {

// How many items Python's pickler puts between one MARK and its APPENDS or SETITEMS.
constexpr std::size_t kBatch = 1000;

// A name becomes a line of text in the pickle, so a line break in it would begin another opcode.
bool is_dotted_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

// (rebuild function, type, its arguments, state), as the reader accepts it
bool is_described_rebuild(const PyObject& object) {
  const auto* args = object.args.as<Tuple>();
  if (args == nullptr || args->items.size() != 4 || !object.kwargs.is_none() || object.allocated)
    return false;
  const auto* rebuild = args->items[0].as<Global>();
  const auto* cls = args->items[1].as<Global>();
  return rebuild != nullptr && cls != nullptr && args->items[2].as<Tuple>() != nullptr &&
         is_described_type(look_up_global(rebuild->module, rebuild->name).known,
                           look_up_global(cls->module, cls->name).known);
}

}  // namespace

PickleContent write_pickle(const Value& root, const PickleStyle& style, const CancelToken* cancel,
                           const Access& access) {
  std::unordered_set<const Storage*> untyped;
  for (;;) {
    PickleWriter writer(style, untyped, cancel, access);
    writer.write(root);
    if (!writer.must_repeat()) return writer.take();
  }
}

void PickleWriter::write(const Value& root) {
  opcode(kProto);
  number(std::uint8_t{2});
  save(root);
  opcode(kStop);
}

std::uint32_t PickleWriter::put() {
  if (memo_size_ < 256) {
    opcode(kBinPut);
    number(static_cast<std::uint8_t>(memo_size_));
  } else {
    opcode(kLongBinPut);
    number(memo_size_);
  }
  return memo_size_++;
}

void PickleWriter::get(std::uint32_t index) {
  if (index < 256) {
    opcode(kBinGet);
    number(static_cast<std::uint8_t>(index));
  } else {
    opcode(kLongBinGet);
    number(index);
  }
}

void PickleWriter::save(const Value& value) {
  watch_.step();
  if (value.numpy_dtype != 0) return save_numpy_scalar(value);
  if (value.version) {
    global("torch.torch_version", "TorchVersion");
    text(value.view());
    opcode(kTuple1);
    return opcode(kNewObj);
  }
  switch (value.kind) {
    case Kind::kNone:
      return opcode(kNone);
    case Kind::kBool:
      return opcode(value.integer != 0 ? kNewTrue : kNewFalse);
    case Kind::kInt:
      return integer(value.integer);
    case Kind::kFloat:
      return real(value.real);
    case Kind::kStr:
      return text(value.view());
    case Kind::kBytes:
      return bytes(value.view());
    case Kind::kByteArray:
      return byte_array(value.view());
    case Kind::kObject:
      break;
  }
  const auto known = objects_.find(value.object);
  if (known != objects_.end()) return get(known->second);
  if (depth_ > limits::kMaxDepth)
    throw Error(ErrorCode::kLimit, "containers nested deeper than " +
                                       std::to_string(limits::kMaxDepth) +
                                       ", or a tuple, set or object that contains itself");
  ++depth_;
  save_object(*value.object);
  --depth_;
}

void PickleWriter::save_object(const Object& object) {
  switch (object.kind) {
    case ObjectKind::kBigInt:
      return big_integer(static_cast<const BigInt&>(object));
    case ObjectKind::kComplex: {
      const auto& complex = static_cast<const Complex&>(object);
      global("__builtin__", "complex");
      real(complex.real);
      real(complex.imaginary);
      opcode(kTuple2);
      opcode(kReduce);
      return remember(object);
    }
    case ObjectKind::kList: {
      const auto& list = static_cast<const List&>(object);
      if (list.deque) {
        global("collections", "deque");
        opcode(kEmptyList);
        save(list.maxlen);
        opcode(kTuple2);
        opcode(kReduce);
      } else {
        opcode(kEmptyList);
      }
      remember(object);
      return save_sequence(list.items);
    }
    case ObjectKind::kTuple:
      return save_tuple(static_cast<const Tuple&>(object));
    case ObjectKind::kDict:
      return save_dict(static_cast<const Dict&>(object));
    case ObjectKind::kSet:
      return save_set(static_cast<const Set&>(object));
    case ObjectKind::kGlobal: {
      const auto& named = static_cast<const Global&>(object);
      return global(named.module, named.name);
    }
    case ObjectKind::kPyObject:
      return save_py_object(static_cast<const PyObject&>(object));
    case ObjectKind::kStorage:
      return save_storage(static_cast<const Storage&>(object));
    case ObjectKind::kTensor:
      save_tensor(static_cast<const Tensor&>(object));
      return remember(object);
    case ObjectKind::kNumpyDType: {
      const auto& dtype = static_cast<const NumpyDType&>(object);
      return save_numpy_dtype(dtype.dtype, dtype.big_endian);
    }
    case ObjectKind::kNdArray: {
      const auto& array = static_cast<const NdArray&>(object);
      if (array.described != nullptr) return save(Value::of(array.described));
      save_array(array);
      return remember(object);
    }
  }
  throw Error(ErrorCode::kNative, "a value of an unknown kind");
}

void PickleWriter::save_sequence(std::span<const Value> items) {
  for (std::size_t at = 0; at < items.size();) {
    const std::size_t end = std::min(items.size(), at + kBatch);
    if (end - at == 1) {
      save(items[at++]);
      opcode(kAppend);
      continue;
    }
    opcode(kMark);
    for (; at < end; ++at) save(items[at]);
    opcode(kAppends);
  }
}

void PickleWriter::save_entries(std::span<const std::pair<Value, Value>> entries) {
  for (std::size_t at = 0; at < entries.size();) {
    const std::size_t end = std::min(entries.size(), at + kBatch);
    const bool single = end - at == 1;
    if (!single) opcode(kMark);
    for (; at < end; ++at) {
      save(entries[at].first);
      save(entries[at].second);
    }
    opcode(single ? kSetItem : kSetItems);
  }
}

void PickleWriter::save_tuple(const Tuple& tuple) {
  const auto& items = tuple.items;
  if (tuple.size) {
    Sizes numbers;
    for (const Value& item : items) numbers.push_back(item.as_int().value_or(0));
    global("torch", "Size");
    sizes(numbers);
    opcode(kTuple1);
    opcode(kReduce);
    return remember(tuple);
  }
  if (items.empty()) return opcode(kEmptyTuple);
  const bool is_short = items.size() <= 3;
  if (!is_short) opcode(kMark);
  for (const Value& item : items) save(item);
  // If the tuple's items contain the tuple itself, saving them has already written it.
  const auto made = objects_.find(&tuple);
  if (made != objects_.end()) {
    if (is_short)
      for (std::size_t i = 0; i < items.size(); ++i) opcode(kPop);
    else
      opcode(kPopMark);
    return get(made->second);
  }
  constexpr std::uint8_t kShort[] = {kTuple1, kTuple2, kTuple3};
  opcode(is_short ? kShort[items.size() - 1] : std::uint8_t{kTuple});
  remember(tuple);
}

void PickleWriter::save_dict(const Dict& dict) {
  switch (dict.dict_kind) {
    case DictKind::kDict:
      opcode(kEmptyDict);
      break;
    case DictKind::kOrderedDict:
      empty_ordered_dict();
      break;
    case DictKind::kDefaultDict:
      global("collections", "defaultdict");
      save(dict.factory);
      opcode(kTuple1);
      opcode(kReduce);
      break;
    case DictKind::kCounter:
      // Made empty; save_entries() below then sets each count.
      global("collections", "Counter");
      opcode(kEmptyTuple);
      opcode(kReduce);
      break;
  }
  remember(dict);
  save_entries(dict.entries);
  if (!dict.attributes.is_none()) {
    save(dict.attributes);
    opcode(kBuild);
  }
}

void PickleWriter::save_set(const Set& set) {
  global("__builtin__", set.frozen ? "frozenset" : "set");
  opcode(kEmptyList);
  save_sequence(set.items);
  opcode(kTuple1);
  opcode(kReduce);
  remember(set);
}

void PickleWriter::save_py_object(const PyObject& object) {
  // Only what the reader reads by default. Anything else would be a call in Python that this writer
  // causes.
  if (!object.callee.is_none())
    throw Error(ErrorCode::kUnsafe, "an object that the result of another call makes");
  const Global& cls = *object.cls;
  const Known known = look_up_global(cls.module, cls.name).known;
  constexpr Known kWritten[] = {
      Known::kProgramClass, Known::kTorchDevice,      Known::kDescribedCall,  Known::kNumpyDType,
      Known::kNumpyScalar,  Known::kNumpyReconstruct, Known::kNumpyFromBuffer};
  const bool rebuilt = known == Known::kRebuildFromType && is_described_rebuild(object);
  if (!rebuilt && std::find(std::begin(kWritten), std::end(kWritten), known) == std::end(kWritten))
    throw Error(ErrorCode::kUnsafe, "an object of class '" + std::string(cls.module) + "." +
                                        std::string(cls.name) +
                                        "': only classes of the Python program are written")
        .with("global", std::string(cls.module) + "." + std::string(cls.name));
  global(cls.module, cls.name);
  save(object.args);
  if (!object.kwargs.is_none()) {
    save(object.kwargs);
    opcode(kNewObjEx);
  } else {
    opcode(object.allocated ? kNewObj : kReduce);
  }
  remember(object);
  save_sequence(object.items);
  save_entries(object.entries);
  if (!object.state.is_none()) {
    save(object.state);
    opcode(kBuild);
  }
}

void PickleWriter::integer(std::int64_t value) {
  if (value >= 0 && value <= 0xFF) {
    opcode(kBinInt1);
    number(static_cast<std::uint8_t>(value));
  } else if (value >= 0 && value <= 0xFFFF) {
    opcode(kBinInt2);
    number(static_cast<std::uint16_t>(value));
  } else if (value >= std::numeric_limits<std::int32_t>::min() &&
             value <= std::numeric_limits<std::int32_t>::max()) {
    opcode(kBinInt);
    number(static_cast<std::int32_t>(value));
  } else {
    // Two's complement in the fewest bytes that keep the sign.
    std::size_t size = sizeof value;
    while (size > 1 && (value >> (8 * size - 9)) == (value < 0 ? -1 : 0)) --size;
    opcode(kLong1);
    number(static_cast<std::uint8_t>(size));
    content_.bytes.append(&value, size);
  }
}

void PickleWriter::big_integer(const BigInt& value) {
  std::vector<std::uint64_t> words = value.magnitude;
  words.push_back(0);  // room for the sign
  if (value.negative) {
    bool carry = true;
    for (std::uint64_t& word : words) {
      word = ~word + carry;
      carry = carry && word == 0;
    }
  }
  const auto* raw = reinterpret_cast<const std::uint8_t*>(words.data());
  std::size_t size = words.size() * sizeof words[0];
  const std::uint8_t fill = value.negative ? 0xFF : 0;
  while (size > 1 && raw[size - 1] == fill && (raw[size - 2] & 0x80) == (fill & 0x80)) --size;
  if (size > limits::kMaxIntegerBytes)
    throw Error(ErrorCode::kLimit, "an integer of " + std::to_string(size) + " bytes");
  if (size <= 0xFF) {
    opcode(kLong1);
    number(static_cast<std::uint8_t>(size));
  } else {
    opcode(kLong4);
    number(static_cast<std::int32_t>(size));
  }
  content_.bytes.append(raw, size);
}

void PickleWriter::real(double value) {
  opcode(kBinFloat);
  number(__builtin_bswap64(std::bit_cast<std::uint64_t>(value)));
}

void PickleWriter::text(std::string_view utf8) {
  const auto known = texts_.find(utf8);
  if (known != texts_.end()) return get(known->second);
  opcode(kBinUnicode);
  number(static_cast<std::uint32_t>(utf8.size()));
  content_.bytes.append(utf8);
  texts_.emplace(utf8, put());
}

void PickleWriter::bytes(std::string_view raw) {
  const BytesKey key{raw.data(), raw.size(), Kind::kBytes};
  const auto known = bytes_.find(key);
  if (known != bytes_.end()) return get(known->second);
  new_bytes(raw);
  if (!raw.empty()) bytes_.emplace(key, put());
}

void PickleWriter::new_bytes(std::string_view raw, const NdArray* columns) {
  if (raw.empty()) {
    global("__builtin__", "bytes");
    opcode(kEmptyTuple);
    return opcode(kReduce);
  }
  // Protocol 2 has no bytes. They become text with one character for each byte.
  const std::uint64_t encoded = latin1_text_size(raw, access_);
  if (encoded > std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::kLimit, "bytes or a numpy array of " + std::to_string(raw.size()) +
                                       " bytes: pickle protocol 2 holds at most 4 GiB of text");
  global("_codecs", "encode");
  opcode(kBinUnicode);
  number(static_cast<std::uint32_t>(encoded));
  content_.append_text(raw, encoded, columns);
  text("latin1");
  opcode(kTuple2);
  opcode(kReduce);
}

void PickleWriter::byte_array(std::string_view raw) {
  const BytesKey key{raw.data(), raw.size(), Kind::kByteArray};
  const auto known = raw.empty() ? bytes_.end() : bytes_.find(key);
  if (known != bytes_.end()) return get(known->second);
  global("__builtin__", "bytearray");
  if (raw.empty()) {
    opcode(kEmptyTuple);
    return opcode(kReduce);
  }
  bytes(raw);
  opcode(kTuple1);
  opcode(kReduce);
  bytes_.emplace(key, put());
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  // Protocol 2 uses Python 2's names.
  if (module == "builtins") {
    module = "__builtin__";
    if (name == "str") name = "unicode";
  }
  const std::string line = std::string(module) + "\n" + std::string(name) + "\n";
  const auto known = globals_.find(line);
  if (known != globals_.end()) return get(known->second);
  if (!is_dotted_name(module) || !is_dotted_name(name) ||
      look_up_global(module, name).known == Known::kForeign)
    throw Error(ErrorCode::kUnsafe,
                "'" + std::string(module) + "." + std::string(name) + "' is not an allowed global")
        .with("global", std::string(module) + "." + std::string(name));
  opcode(kGlobal);
  content_.bytes.append(line);
  globals_.emplace(line, put());
}

void PickleWriter::empty_ordered_dict() {
  global("collections", "OrderedDict");
  opcode(kEmptyTuple);
  opcode(kReduce);
}

void PickleWriter::sizes(std::span<const std::int64_t> numbers) {
  constexpr std::uint8_t kShort[] = {kEmptyTuple, kTuple1, kTuple2, kTuple3};
  const bool is_short = numbers.size() < std::size(kShort);
  if (!is_short) opcode(kMark);
  for (const std::int64_t size : numbers) integer(size);
  opcode(is_short ? kShort[numbers.size()] : std::uint8_t{kTuple});
}

}  // namespace sda
