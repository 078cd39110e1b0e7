// Makes tensors from the descriptions that torch._utils writes.
#include <limits>
#include <string>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"

namespace sda {
namespace {

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorCode::kCorrupt, what); }

bool has_hooks(const Value& hooks) {
  const auto* dict = hooks.as<Dict>();
  return dict != nullptr && !dict->entries.empty();
}

constexpr auto kMaxBytes = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

}  // namespace

std::uint64_t checked_numel(std::span<const std::int64_t> shape, std::size_t item_size) {
  std::uint64_t bytes = item_size;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes) ||
               bytes > kMaxBytes) {
      corrupt("a shape with more elements than can be addressed");
    }
  }
  return empty ? 0 : bytes / item_size;
}

void check_extent(const Tensor& tensor) {
  const std::uint64_t item = item_size(tensor.dtype);
  const std::uint64_t available = tensor.storage->byte_size / item;
  if (tensor.storage->base_offset % item != 0)
    corrupt("a tensor in a view that begins in the middle of an element");
  if (checked_numel(tensor.shape, item) == 0) {
    if (tensor.offset > available) corrupt("a tensor that begins past the end of its storage");
    return;
  }
  std::uint64_t last = tensor.offset;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    std::uint64_t step;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(tensor.shape[d] - 1),
                               static_cast<std::uint64_t>(tensor.strides[d]), &step) ||
        __builtin_add_overflow(last, step, &last))
      corrupt("a tensor whose strides overflow");
  }
  if (last >= available)
    corrupt("a tensor that reaches element " + std::to_string(last) + " of a storage of " +
            std::to_string(available));
}

Value Constructor::rebuild_tensor(const Tuple& args, int version) {
  const auto& items = args.items;
  // (storage, offset, size, stride); from version 2 on also (requires_grad, hooks[, metadata]), and
  // in version 3 the dtype between hooks and metadata.
  const std::size_t required = version == 1 ? 4 : version == 2 ? 6 : 7;
  const bool has_metadata = items.size() == required + 1 && version > 1;
  if (items.size() != required && !has_metadata)
    corrupt("a tensor is described by " + std::to_string(items.size()) + " arguments");

  auto* tensor = arena_.make<Tensor>();
  tensor->storage = items[0].as<Storage>();
  if (tensor->storage == nullptr) corrupt("a tensor's storage is a " + describe(items[0]));
  const auto offset = items[1].as_int();
  if (!offset || *offset < 0) corrupt("a tensor's offset is not a non-negative integer");
  tensor->offset = static_cast<std::uint64_t>(*offset);
  integers(items[2], "a tensor's shape", tensor->shape);
  integers(items[3], "a tensor's strides", tensor->strides);
  if (tensor->shape.size() != tensor->strides.size())
    corrupt("a tensor has " + std::to_string(tensor->shape.size()) + " sizes and " +
            std::to_string(tensor->strides.size()) + " strides");
  arena_.charge(2 * tensor->shape.size() * sizeof(std::int64_t));
  if (version > 1) {
    tensor->hooked = has_hooks(items[5]);
    if (items[4].kind != Kind::kBool) corrupt("a tensor's requires_grad is not a bool");
    tensor->requires_grad = items[4].integer != 0;
  }
  if (version == 3) {
    const auto* dtype = items[6].as<Global>();
    if (dtype == nullptr || dtype->known != Known::kTorchDType)
      corrupt("a tensor's dtype is a " + describe(items[6]));
    tensor->dtype = static_cast<DType>(dtype->dtype);
  } else {
    if (!tensor->storage->dtype) corrupt("a tensor without a dtype");
    tensor->dtype = *tensor->storage->dtype;
  }
  if (has_metadata && !items.back().is_none()) {
    const auto* metadata = items.back().as<Dict>();
    if (metadata == nullptr) corrupt("a tensor's metadata is a " + describe(items.back()));
    if (metadata->entries.size() > limits::kMaxTensorMetadata)
      throw Error(ErrorCode::kLimit, "a tensor's metadata has " +
                                         std::to_string(metadata->entries.size()) + " entries");
    const auto flag = [&](std::string_view key) {
      const Value* value = metadata->find(key);
      return value != nullptr && value->kind == Kind::kBool && value->integer != 0;
    };
    tensor->conjugate = flag("conj");
    tensor->negate = flag("neg");
  }
  check_extent(*tensor);
  return Value::of(tensor);
}

Value Constructor::rebuild_parameter(const Tuple& args) {
  // (data, requires_grad, hooks[, state])
  const auto& items = args.items;
  const Tensor* data = items.empty() ? nullptr : items[0].as<Tensor>();
  if (data == nullptr || items.size() > 4) corrupt("a parameter that is not made from a tensor");
  Tensor* const parameter = copy_of(*data);
  parameter->requires_grad = items.size() < 2 || items[1].kind != Kind::kBool || items[1].integer;
  parameter->parameter = true;
  parameter->hooked = items.size() > 2 && has_hooks(items[2]);
  if (items.size() == 4) parameter->attributes = tensor_attributes(items[3]);
  return Value::of(parameter);
}

Tensor* Constructor::copy_of(const Tensor& tensor) {
  auto* copy = arena_.make<Tensor>();
  arena_.charge(4 * tensor.shape.size() * sizeof(std::int64_t));
  copy->storage = tensor.storage;
  copy->dtype = tensor.dtype;
  copy->offset = tensor.offset;
  copy->shape = tensor.shape;
  copy->strides = tensor.strides;
  copy->conjugate = tensor.conjugate;
  copy->negate = tensor.negate;
  return copy;
}

// (data, dtype, device, requires_grad): a tensor of another device, moved there when it is read.
Value Constructor::rebuild_device_tensor(const Value& callable, Tuple& args) {
  const auto& items = args.items;
  const Tensor* data = items.size() == 4 ? items[0].as<Tensor>() : nullptr;
  const Global* dtype = items.size() == 4 ? items[1].as<Global>() : nullptr;
  const bool is_same = data != nullptr && dtype != nullptr && dtype->known == Known::kTorchDType &&
                       static_cast<DType>(dtype->dtype) == data->dtype;
  if (!is_same) return describe_object(callable, args, Value(), false);
  Tensor* const tensor = copy_of(*data);
  tensor->requires_grad = items[3].kind == Kind::kBool && items[3].integer != 0;
  tensor->moved = true;
  return Value::of(tensor);
}

Value Constructor::rebuild_from_type(const Value& callable, Tuple& args) {
  // (rebuild function, type, its arguments, state): a tensor of a known class with attributes.
  const auto& items = args.items;
  const Global* cls = items.size() == 4 ? items[1].as<Global>() : nullptr;
  const Global* rebuild = items.size() == 4 ? items[0].as<Global>() : nullptr;
  Tuple* inner = items.size() == 4 ? items[2].as<Tuple>() : nullptr;
  if (cls == nullptr || rebuild == nullptr || inner == nullptr)
    corrupt("the description of a tensor with attributes is malformed");
  const bool known_class =
      cls->known == Known::kTorchTensorClass || cls->known == Known::kTorchParameterClass;
  const bool known_rebuild = rebuild->known == Known::kRebuildTensorV2 ||
                             rebuild->known == Known::kRebuildTensorV3 ||
                             rebuild->known == Known::kRebuildParameter;
  if (is_described_type(rebuild->known, cls->known))
    return describe_object(callable, args, Value(), false);
  if (inert_ && (!known_class || !known_rebuild)) {
    // What the class is made from, and its attributes.
    auto* made = arena_.make<Tuple>();
    // Described, where it would lead here again: descriptions inside each other have no end.
    arena_.push(made->items, rebuild->known == Known::kRebuildFromType
                                 ? describe_object(items[0], *inner, Value(), false)
                                 : call(items[0], *inner));
    const Value object = describe_object(items[1], *made, Value(), false);
    object.as<PyObject>()->state = items[3];
    if (misused_ == nullptr) blame(items[known_class ? 0 : 1]);
    return object;
  }
  if (!known_class || !known_rebuild)
    throw Error(ErrorCode::kUnsafe, "a tensor of class '" + describe(items[1]) + "', rebuilt by '" +
                                        describe(items[0]) + "'")
        .with("global", describe(known_class ? items[0] : items[1]));
  const Value made = call(items[0], *inner);
  if (auto* tensor = made.as<Tensor>()) tensor->attributes = tensor_attributes(items[3]);
  return made;
}

// The attributes in the state of a tensor: a dict, or those of __dict__ and of __slots__, either of
// which may be None. Python sets all of them alike.
Value Constructor::tensor_attributes(const Value& state) {
  const auto filled = [](const Value& value) {
    const auto* dict = value.as<Dict>();
    return dict != nullptr && !dict->entries.empty();
  };
  const auto* pair = state.as<Tuple>();
  if (pair == nullptr || pair->items.size() != 2) return filled(state) ? state : Value();
  const Value &first = pair->items[0], &second = pair->items[1];
  if (!filled(first) || !filled(second))
    return filled(first) ? first : filled(second) ? second : Value();
  auto* all = arena_.make<Dict>();
  for (const Value& part : pair->items)
    for (const auto& entry : part.as<Dict>()->entries) arena_.push(all->entries, entry);
  return Value::of(all);
}

}  // namespace sda
