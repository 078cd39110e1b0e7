#include "checkpoint/pickle/construct.h"

#include <algorithm>
#include <string>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/globals.h"

namespace sda {
namespace {

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorCode::kCorrupt, what); }

std::string full_name(const Global& global) {
  return std::string(global.module) + "." + std::string(global.name);
}

[[noreturn]] void unexpected_arguments(const Global& global) {
  corrupt("'" + full_name(global) + "' is called with unexpected arguments");
}

const Values* sequence_items(const Value& value) {
  if (auto* list = value.as<List>()) return &list->items;
  if (auto* tuple = value.as<Tuple>()) return &tuple->items;
  if (auto* set = value.as<Set>()) return &set->items;
  return nullptr;
}

bool is_getattr(const Global& global) {
  return global.name == "getattr" &&
         (global.module == "builtins" || global.module == "__builtin__");
}

}  // namespace

void check_hashable(const Value& key) {
  const auto* set = key.as<Set>();
  if (key.kind == Kind::kByteArray || key.as<List>() || key.as<Dict>() || (set && !set->frozen))
    corrupt("a " + describe(key) + " as a dict key or set member");
}

void integers(const Value& sequence, const char* what, Sizes& to) {
  const auto* items = sequence_items(sequence);
  if (items == nullptr || sequence.as<Set>()) corrupt(std::string(what) + " is not a tuple");
  if (items->size() > limits::kMaxDimensions)
    throw Error(ErrorCode::kLimit,
                std::string(what) + " has " + std::to_string(items->size()) + " dimensions");
  to.clear();
  to.reserve(items->size());
  for (const Value& item : *items) {
    const auto number = item.as_int();
    if (!number || *number < 0) corrupt(std::string(what) + " must hold non-negative integers");
    to.push_back(*number);
  }
}

Value Constructor::call(const Value& callable, Tuple& args) {
  if (!inert_) return call_known(callable, args);
  try {
    return call_known(callable, args);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsafe) throw;
    blame(callable);
    return describe_object(callable, args, Value(), false);
  }
}

Value Constructor::instantiate(const Value& cls, Tuple& args, const Value& kwargs) {
  if (!inert_) return instantiate_known(cls, args, kwargs);
  try {
    return instantiate_known(cls, args, kwargs);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsafe) throw;
    blame(cls);
    return describe_object(cls, args, kwargs, true);
  }
}

// Other values than globals and what their calls return can't be called in Python.
void Constructor::blame(const Value& value) noexcept {
  const auto* global = value.as<Global>();
  if (const auto* object = value.as<PyObject>()) global = object->origin;
  if (global != nullptr) misused_ = global;
}

Value Constructor::call_known(const Value& callable, Tuple& args) {
  const auto* global = callable.as<Global>();
  if (global == nullptr)
    throw Error(ErrorCode::kUnsafe, "the pickle calls the value of type '" + describe(callable) +
                                        "', which is not a global");
  const auto& items = args.items;
  switch (global->known) {
    case Known::kForeign:
      if (is_getattr(*global))
        if (const Value found = attribute_of(args); !found.is_none()) return found;
      return describe_object(callable, args, Value(), false);
    case Known::kProgramClass:
    case Known::kTorchDevice:
    case Known::kDescribedCall:
      return describe_object(callable, args, Value(), false);
    case Known::kDict:
      return make_dict(DictKind::kDict, args, 0);
    case Known::kOrderedDict:
      return make_dict(DictKind::kOrderedDict, args, 0);
    case Known::kCounter:
      return make_dict(DictKind::kCounter, args, 0);
    case Known::kDefaultDict:
      return make_dict(DictKind::kDefaultDict, args, 1);
    case Known::kList:
    case Known::kDeque:
    case Known::kTuple:
    case Known::kTorchSize:
    case Known::kSet:
    case Known::kFrozenSet:
      return make_sequence(*global, args);
    case Known::kInt:
    case Known::kFloat:
    case Known::kStr:
    case Known::kBool:
    case Known::kComplex:
    case Known::kTorchVersion:
      return make_scalar(*global, args);
    case Known::kBytes:
    case Known::kByteArray:
      return make_bytes(*global, args);
    case Known::kCodecsEncode:
      return encode(args);
    case Known::kRebuildTensorV1:
      return rebuild_tensor(args, 1);
    case Known::kRebuildTensorV2:
      return rebuild_tensor(args, 2);
    case Known::kRebuildTensorV3:
      return rebuild_tensor(args, 3);
    case Known::kRebuildParameter:
    case Known::kRebuildParameterWithState:
      return rebuild_parameter(args);
    case Known::kRebuildFromType:
      return rebuild_from_type(callable, args);
    case Known::kRebuildDeviceTensor:
      return rebuild_device_tensor(callable, args);
    case Known::kNumpyReconstruct:
      return numpy_reconstruct(callable, args);
    case Known::kNumpyFromBuffer:
      return numpy_from_buffer(callable, args);
    case Known::kNumpyScalar:
      return numpy_scalar(callable, args);
    case Known::kNumpyDType:
      return numpy_dtype(callable, args);
    case Known::kTorchSame:
      if (items.empty()) unexpected_arguments(*global);
      return items[0];
    case Known::kScriptClass:
      return describe_object(callable, args, Value(), false);
    case Known::kNestedFile:
      if (items.size() != 1 || items[0].kind != Kind::kBytes) unexpected_arguments(*global);
      return nested_->open(items[0].view(), arena_);
    case Known::kTorchParameterClass:
      if (items.size() == 1 && items[0].as<Tensor>()) return rebuild_parameter(args);
      break;
    case Known::kTorchStorage:
    case Known::kTorchUntypedStorage:
    case Known::kTorchDType:
    case Known::kTorchTensorClass:
    case Known::kTorchName:
    case Known::kJoblibArray:
    case Known::kNumpyNdArray:
    case Known::kNumpySubclass:
      break;
  }
  throw Error(ErrorCode::kUnsafe, "the pickle calls '" + full_name(*global) + "'")
      .with("global", full_name(*global));
}

Value Constructor::instantiate_known(const Value& cls, Tuple& args, const Value& kwargs) {
  const auto* global = cls.as<Global>();
  if (global == nullptr)
    throw Error(ErrorCode::kUnsafe, "the pickle makes an instance of the value of type '" +
                                        describe(cls) + "', which is not a class");
  switch (global->known) {
    case Known::kForeign:
    case Known::kProgramClass:
    case Known::kDescribedCall:
    case Known::kScriptClass:
    case Known::kJoblibArray:
      return describe_object(cls, args, kwargs, true);
    case Known::kDict:
    case Known::kOrderedDict:
    case Known::kCounter:
    case Known::kDefaultDict:
    case Known::kList:
    case Known::kDeque:
    case Known::kTuple:
    case Known::kSet:
    case Known::kFrozenSet:
    case Known::kStr:
    case Known::kTorchSize:
    case Known::kTorchVersion:
      if (!kwargs.is_none()) unexpected_arguments(*global);
      return call_known(cls, args);
    default:
      throw Error(ErrorCode::kUnsafe,
                  "the pickle makes an instance of '" + full_name(*global) + "'")
          .with("global", full_name(*global));
  }
}

void Constructor::build(const Value& target, const Value& state) {
  if (auto* object = target.as<PyObject>()) {
    object->state = state;
  } else if (auto* dict = target.as<Dict>()) {
    if (!state.as<Dict>()) corrupt("the attributes of a dict are a " + describe(state));
    dict->attributes = state;
  } else if (auto* dtype = target.as<NumpyDType>()) {
    build_numpy_dtype(*dtype, state);
  } else if (auto* array = target.as<NdArray>()) {
    build_numpy_array(*array, state);
  } else if (!inert_ || target.kind != Kind::kObject) {
    throw Error(ErrorCode::kUnsafe, "the pickle sets the state of a " + describe(target));
  } else {
    blame(target);
  }
}

Value Constructor::describe_object(const Value& callable, Tuple& args, const Value& kwargs,
                                   bool allocated) {
  auto* object = arena_.make<PyObject>();
  if (const auto* global = callable.as<Global>()) {
    object->cls = global;
    object->origin = global;
  } else {
    object->cls = arena_.make<Global>();
    object->callee = callable;
    if (const auto* made = callable.as<PyObject>()) object->origin = made->origin;
  }
  object->allocated = allocated;
  object->args = Value::of(&args);
  object->kwargs = kwargs;
  return Value::of(object);
}

// getattr(a.B, "C"), by which protocols before 4 name the class C in the class B: the global a.B.C.
Value Constructor::attribute_of(const Tuple& args) {
  const auto* from = args.items.size() == 2 ? args.items[0].as<Global>() : nullptr;
  if (from == nullptr || from->known != Known::kForeign || !args.items[1].as_str()) return {};
  const std::string name = std::string(from->name) + "." + std::string(args.items[1].view());
  if (name.size() > limits::kMaxNameBytes) return {};
  auto* global = arena_.make<Global>();
  global->module = from->module;
  global->name = arena_.keep(name);
  return Value::of(global);
}

Value Constructor::make_dict(DictKind kind, const Tuple& args, std::size_t from) {
  auto* dict = arena_.make<Dict>();
  dict->dict_kind = kind;
  if (args.items.size() > from + 1) corrupt("a dict is made from too many arguments");
  if (kind == DictKind::kDefaultDict && !args.items.empty()) dict->factory = args.items[0];
  if (args.items.size() <= from) return Value::of(dict);
  const Value& source = args.items[from];
  if (const auto* other = source.as<Dict>()) {
    for (const auto& entry : other->entries) arena_.push(dict->entries, entry);
    return Value::of(dict);
  }
  const auto* pairs = sequence_items(source);
  if (pairs == nullptr) corrupt("a dict is made from a " + describe(source));
  for (const Value& item : *pairs) {
    const auto* pair = sequence_items(item);
    if (pair == nullptr || pair->size() != 2)
      corrupt("a dict is made from items that are not pairs");
    check_hashable((*pair)[0]);
    arena_.push(dict->entries, {(*pair)[0], (*pair)[1]});
  }
  return Value::of(dict);
}

Value Constructor::make_sequence(const Global& cls, const Tuple& args) {
  const Values none;
  const bool bounded = cls.known == Known::kDeque && args.items.size() == 2;  // (items, maxlen)
  const auto* items = args.items.empty() ? &none : sequence_items(args.items[0]);
  if (items == nullptr || (args.items.size() > 1 && !bounded)) unexpected_arguments(cls);
  if (bounded && !args.items[1].is_none() && !args.items[1].as_int()) unexpected_arguments(cls);
  arena_.charge(2 * items->size() * sizeof(Value));
  switch (cls.known) {
    case Known::kSet:
    case Known::kFrozenSet: {
      std::for_each(items->begin(), items->end(), check_hashable);
      auto* set = arena_.make<Set>();
      set->frozen = cls.known == Known::kFrozenSet;
      set->items = *items;
      return Value::of(set);
    }
    case Known::kTuple:
    case Known::kTorchSize: {
      auto* tuple = arena_.make<Tuple>();
      tuple->size = cls.known == Known::kTorchSize;
      tuple->items = *items;
      return Value::of(tuple);
    }
    default: {
      auto* list = arena_.make<List>();
      list->deque = cls.known == Known::kDeque;
      if (bounded) list->maxlen = args.items[1];
      list->items = *items;
      return Value::of(list);
    }
  }
}

Value Constructor::make_scalar(const Global& cls, const Tuple& args) {
  const auto& items = args.items;
  const auto number = [&](std::size_t i) {
    if (items[i].kind == Kind::kFloat) return items[i].real;
    if (items[i].kind == Kind::kInt) return static_cast<double>(items[i].integer);
    unexpected_arguments(cls);
  };
  switch (cls.known) {
    case Known::kComplex: {
      auto* complex = arena_.make<Complex>();
      if (items.size() > 2) unexpected_arguments(cls);
      if (!items.empty()) complex->real = number(0);
      if (items.size() == 2) complex->imaginary = number(1);
      return Value::of(complex);
    }
    case Known::kInt:
      if (items.empty()) return Value::of(std::int64_t{0});
      if (items.size() == 1 && (items[0].kind == Kind::kInt || items[0].as<BigInt>()))
        return items[0];
      break;
    case Known::kFloat:
      if (items.empty()) return Value::of(0.0);
      if (items.size() == 1) return Value::of(number(0));
      break;
    case Known::kBool:
      if (items.empty()) return Value::boolean(false);
      if (items.size() == 1 && items[0].kind == Kind::kBool) return items[0];
      break;
    default: {
      Value text = Value::str({});
      if (items.size() == 1 && items[0].kind == Kind::kStr) text = items[0];
      text.version = cls.known == Known::kTorchVersion;
      if (items.empty() || items[0].kind == Kind::kStr) return text;
    }
  }
  unexpected_arguments(cls);
}

Value Constructor::make_bytes(const Global& cls, const Tuple& args) {
  const Kind kind = cls.known == Known::kBytes ? Kind::kBytes : Kind::kByteArray;
  const auto& items = args.items;
  if (items.empty()) return Value::bytes({}, kind);
  if (items.size() == 2 && items[0].kind == Kind::kStr) {
    const Value encoded = encode(args);
    return Value::bytes(encoded.view(), kind);
  }
  if (items.size() != 1) unexpected_arguments(cls);
  if (items[0].kind == Kind::kBytes || items[0].kind == Kind::kByteArray)
    return Value::bytes(items[0].view(), kind);
  const auto* list = items[0].as<List>();
  if (list == nullptr) unexpected_arguments(cls);
  arena_.charge(8 * list->items.size());  // limits the time of many calls with the same list
  char* out = arena_.allocate(list->items.size());
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const auto byte = list->items[i].as_int();
    if (!byte || *byte < 0 || *byte > 255) unexpected_arguments(cls);
    out[i] = static_cast<char>(*byte);
  }
  return Value::bytes({out, list->items.size()}, kind);
}

// _codecs.encode(text, "latin1"): protocol 2 writes bytes this way.
Value Constructor::encode(const Tuple& args) {
  const auto& items = args.items;
  const auto encoding = items.size() == 2 ? items[1].as_str() : std::nullopt;
  if (!encoding || !items[0].as_str() || (*encoding != "latin1" && *encoding != "latin-1"))
    throw Error(ErrorCode::kUnsafe,
                "'_codecs.encode' is called with an encoding other than latin-1")
        .with("global", "_codecs.encode");
  return Value::bytes(latin1_bytes(items[0].view()));
}

std::string_view Constructor::latin1_bytes(std::string_view utf8) {
  const auto* const text = reinterpret_cast<const std::uint8_t*>(utf8.data());
  // Counts the bytes first, because the text is up to twice as long.
  std::size_t count = 0;
  std::uint8_t highest = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    count += (text[i] & 0xC0) != 0x80;
    highest = std::max(highest, text[i]);
  }
  // The pickle machine has checked that the text is UTF-8, in which U+0080…U+00FF are C2 or C3 and
  // one more byte.
  if (highest > 0xC3) corrupt("text that stands for bytes holds a character above U+00FF");
  char* const out = arena_.allocate(count);
  // Writes every byte, and overwrites a leading byte with the character that its continuation
  // completes. Leading bytes come at random, so a branch would often be mispredicted.
  std::size_t end = 0;
  std::uint8_t before = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const std::uint8_t byte = text[i];
    const unsigned joined = static_cast<unsigned>(before) << 6 | (byte & 0x3FU);
    out[end] = static_cast<char>(byte < 0x80 ? byte : joined);
    end += (byte & 0xC0) != 0xC0;
    before = byte;
  }
  return {out, count};
}

}  // namespace sda
