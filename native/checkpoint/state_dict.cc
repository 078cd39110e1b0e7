#include "checkpoint/state_dict.h"

#include <string>

#include "checkpoint/checkpoint.h"

namespace sda {

const Value* find_value(const Document& document, std::string_view key) {
  const auto in = [](const Value* value, std::string_view name) {
    const auto* dict = value == nullptr ? nullptr : value->as<Dict>();
    return dict == nullptr ? nullptr : dict->find(name);
  };
  const std::size_t dot = key.find('.');
  const Value* found = in(&document.root(), key.substr(0, dot));
  return dot == std::string_view::npos ? found : in(found, key.substr(dot + 1));
}

StateDict state_dict(const std::shared_ptr<const Document>& document, std::string_view key) {
  const Value* found = find_value(*document, key);
  const auto* dict = found == nullptr ? nullptr : found->as<Dict>();
  if (dict == nullptr)
    throw Error(ErrorCode::kSchema, "the file holds no '" + std::string(key) + "'")
        .with("field", std::string(key));
  StateDict tensors;
  tensors.reserve(dict->entries.size());
  for (const auto& [name, value] : dict->entries) {
    const auto* tensor = value.as<Tensor>();
    if (!name.as_str() || tensor == nullptr)
      throw Error(ErrorCode::kSchema, "'" + std::string(key) + "' holds a " + describe(value) +
                                          "; expected tensors only")
          .with("field", std::string(key) + "." +
                             (name.as_str() ? std::string(name.view()) : describe(name)));
    NamedTensor& named = tensors.emplace_back();
    named.name = name.view();
    named.dtype = tensor->dtype;
    named.shape.assign(tensor->shape.begin(), tensor->shape.end());
    if (tensor->contiguous) {
      named.strides.resize(tensor->shape.size());
      std::int64_t stride = 1;
      for (std::size_t d = named.shape.size(); d-- > 0;) {
        named.strides[d] = stride;
        stride *= named.shape[d];
      }
      named.data = tensor->contiguous.get();
      named.owner = tensor->contiguous;
    } else {
      named.strides.assign(tensor->strides.begin(), tensor->strides.end());
      named.owner = tensor->storage->owner;
      named.data = tensor->storage->data == nullptr
                       ? nullptr
                       : tensor->storage->data + tensor->offset * item_size(tensor->dtype);
    }
  }
  return tensors;
}

}  // namespace sda
