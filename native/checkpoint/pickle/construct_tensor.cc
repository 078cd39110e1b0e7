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
  auto* parameter = arena_.make<Tensor>();
  parameter->storage = data->storage;
  parameter->dtype = data->dtype;
  parameter->offset = data->offset;
  parameter->shape = data->shape;
  parameter->strides = data->strides;
  parameter->conjugate = data->conjugate;
  parameter->negate = data->negate;
  parameter->requires_grad = items.size() < 2 || items[1].kind != Kind::kBool || items[1].integer;
  parameter->parameter = true;
  return Value::of(parameter);
}

Value Constructor::rebuild_from_type(const Tuple& args) {
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
  if (!known_class || !known_rebuild)
    throw Error(ErrorCode::kUnsafe, "a tensor of class '" + describe(items[1]) + "', rebuilt by '" +
                                        describe(items[0]) + "'")
        .with("global", describe(known_class ? items[0] : items[1]));
  return call(items[0], *inner);
}

}  // namespace sda
