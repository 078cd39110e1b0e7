#include "addon/marshal/compact.h"

#include <algorithm>
#include <cstring>

#include "addon/errors.h"
#include "addon/marshal/key_spread.h"
#include "addon/marshal/numbers.h"
#include "addon/marshal/values.h"
#include "checkpoint/error.h"
#include "checkpoint/limits.h"

namespace sda::addon {
namespace {

enum class Op {
#define SDA_COMPACT_OP(name) k##name,
#include "addon/marshal/compact_ops.def"
#undef SDA_COMPACT_OP
};

}  // namespace

void CompactWriter::dict(std::span<const std::pair<Value, Value>> entries, int depth) {
  check_spread(entries.size(), [&](std::size_t i) { return entries[i].first; });
  write(Op::kMap, entries.size());
  for (const auto& [key, item] : entries) {
    value(key, depth);
    value(item, depth);
  }
}

void CompactWriter::value(const Value& value, int depth) {
  switch (value.kind) {
    case Kind::kNone:
      return write(Op::kNull);
    case Kind::kBool:
      return write(value.integer != 0 ? Op::kTrue : Op::kFalse);
    case Kind::kInt:
      if (!is_safe(value.integer)) return other(value);
      return write(Op::kNumber, value.integer);
    case Kind::kFloat:
      return write(Op::kNumber, value.real);
    case Kind::kStr:
      return value.ascii ? text(value.view()) : other(value);
    case Kind::kBytes:
    case Kind::kByteArray:
      return other(value);
    case Kind::kObject:
      break;
  }
  const Object& object = *value.object;
  if (object.kind == ObjectKind::kNdArray) return array(static_cast<const NdArray&>(object));
  const auto* list = value.as<List>();
  const auto* dict = value.as<Dict>();
  if (dict != nullptr && dict->dict_kind != DictKind::kDict) dict = nullptr;
  if (list != nullptr && list->deque) list = nullptr;
  if (list == nullptr && dict == nullptr) return other(value);
  if (depth > limits::kMaxDepth)
    throw Error(ErrorCode::kLimit,
                "containers nested deeper than " + std::to_string(limits::kMaxDepth));
  const auto [known, is_new] = made_.try_emplace(&object, made_.size());
  if (!is_new) return write(Op::kSame, known->second);
  if (dict != nullptr) return this->dict(dict->entries, depth + 1);
  write(Op::kList, list->items.size());
  for (const Value& item : list->items) this->value(item, depth + 1);
}

void CompactWriter::array(const NdArray& array) {
  const bool is_double = array.dtype == DType::kFloat64;
  if (!array.built || array.described != nullptr || array.byte_size > kCheaperCopied ||
      (!is_double && array.dtype != DType::kFloat32)) {
    Value value = Value::of(const_cast<NdArray*>(&array));
    return other(value);
  }
  const std::size_t start = arrays_.size();
  arrays_.resize(start + (array.byte_size + sizeof(double) - 1) / sizeof(double));
  if (array.byte_size > 0) std::memcpy(arrays_.data() + start, array.data.get(), array.byte_size);
  write(Op::kArray, is_double, array.fortran_order, start, array.shape.size());
  for (const std::int64_t size : array.shape) write(size);
}

void CompactWriter::text(std::string_view text) {
  write(Op::kText, text_.size(), text.size());
  text_ += text;
}

void CompactWriter::other(const Value& value) {
  write(Op::kValue, values_.size());
  values_.push_back(convert_(value));
}

std::vector<napi_value> CompactWriter::pieces(Napi::Env env) const {
  auto program = Napi::Float64Array::New(env, 1 + program_.size() + arrays_.size());
  double* const to = program.Data();
  to[0] = static_cast<double>(1 + program_.size());
  std::copy(program_.begin(), program_.end(), to + 1);
  if (!arrays_.empty())
    std::memcpy(to + 1 + program_.size(), arrays_.data(), arrays_.size() * sizeof(double));
  napi_value text;
  if (napi_create_string_latin1(env, text_.data(), text_.size(), &text) != napi_ok)
    throw Error(ErrorCode::kLimit, "more text than a JavaScript string can hold");
  auto values = Napi::Array::New(env, values_.size());
  for (std::size_t i = 0; i < values_.size(); ++i)
    values.Set(static_cast<std::uint32_t>(i), values_[i]);
  return {program, text, values};
}

}  // namespace sda::addon
