#include <string>
#include <unordered_set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

class Walk {
 public:
  explicit Walk(std::vector<TensorInfo>& out) : out_(out) {}

  void visit(const Value& value, const std::string& name, int depth) {
    if (value.kind != Kind::kObject || !seen_.insert(value.object).second) return;
    if (depth > limits::kMaxDepth)
      throw Error(ErrorCode::kLimit,
                  "containers nested deeper than " + std::to_string(limits::kMaxDepth));
    if (const auto* tensor = value.as<Tensor>()) {
      out_.push_back(
          {name, tensor->dtype, tensor->shape, tensor->numel() * item_size(tensor->dtype)});
    } else if (const auto* array = value.as<NdArray>()) {
      if (array->built) out_.push_back({name, array->dtype, array->shape, array->byte_size});
    } else if (const auto* list = value.as<List>()) {
      visit_all(list->items, name, depth);
    } else if (const auto* tuple = value.as<Tuple>()) {
      visit_all(tuple->items, name, depth);
    } else if (const auto* dict = value.as<Dict>()) {
      visit_entries(dict->entries, name, depth);
    } else if (const auto* object = value.as<PyObject>()) {
      visit(object->args, name, depth + 1);
      visit(object->kwargs, name, depth + 1);
      visit(object->state, name, depth + 1);
      visit_all(object->items, name, depth);
      visit_entries(object->entries, name, depth);
    }
  }

 private:
  static std::string join(const std::string& name, const std::string& key) {
    return name.empty() ? key : name + "." + key;
  }

  void visit_all(const std::vector<Value>& items, const std::string& name, int depth) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].kind == Kind::kObject) visit(items[i], join(name, std::to_string(i)), depth + 1);
  }

  void visit_entries(const std::vector<std::pair<Value, Value>>& entries, const std::string& name,
                     int depth) {
    for (const auto& [key, value] : entries) {
      if (value.kind != Kind::kObject) continue;
      const std::string part = key.as_str()   ? std::string(key.view())
                               : key.as_int() ? std::to_string(key.integer)
                                              : describe(key);
      visit(value, join(name, part), depth + 1);
    }
  }

  std::vector<TensorInfo>& out_;
  std::unordered_set<const Object*> seen_;
};

}  // namespace

std::vector<TensorInfo> list_tensors(const Document& document) {
  std::vector<TensorInfo> tensors;
  Walk(tensors).visit(document.root(), "", 0);
  return tensors;
}

}  // namespace sda
