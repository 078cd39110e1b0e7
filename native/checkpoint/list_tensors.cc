#include <string>
#include <string_view>
#include <unordered_set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

class Walk {
 public:
  Walk(std::vector<TensorInfo>& out, std::uint64_t name_budget)
      : out_(out), name_budget_(name_budget) {}

  void visit(const Value& value, int depth) {
    if (value.kind != Kind::kObject || !seen_.insert(value.object).second) return;
    if (depth > limits::kMaxDepth)
      throw Error(ErrorCode::kLimit,
                  "containers nested deeper than " + std::to_string(limits::kMaxDepth));
    if (const auto* tensor = value.as<Tensor>()) {
      add(tensor->dtype, tensor->shape, tensor->numel() * item_size(tensor->dtype));
    } else if (const auto* array = value.as<NdArray>()) {
      if (array->built) add(array->dtype, array->shape, array->byte_size);
    } else if (const auto* list = value.as<List>()) {
      visit_all(list->items, depth);
    } else if (const auto* tuple = value.as<Tuple>()) {
      visit_all(tuple->items, depth);
    } else if (const auto* dict = value.as<Dict>()) {
      visit_entries(dict->entries, depth);
    } else if (const auto* object = value.as<PyObject>()) {
      visit(object->args, depth + 1);
      visit(object->kwargs, depth + 1);
      visit(object->state, depth + 1);
      visit_all(object->items, depth);
      visit_entries(object->entries, depth);
    }
  }

 private:
  // Limits the total length of the names: a key may be a megabyte long, and each further use of it
  // takes only two bytes of pickle.
  void charge(std::size_t bytes) {
    if (bytes > name_budget_)
      throw Error(ErrorCode::kLimit,
                  "the tensors' names are longer than the size of the file allows");
    name_budget_ -= bytes;
  }

  void add(DType dtype, std::span<const std::int64_t> shape, std::uint64_t bytes) {
    charge(name_.size());
    out_.push_back({name_, dtype, {shape.begin(), shape.end()}, bytes});
  }

  void visit_below(std::string_view key, const Value& value, int depth) {
    const std::size_t length = name_.size();
    charge(key.size());
    if (length > 0) name_ += '.';
    name_ += key;
    visit(value, depth + 1);
    name_.resize(length);
  }

  void visit_all(std::span<const Value> items, int depth) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].kind == Kind::kObject) visit_below(std::to_string(i), items[i], depth);
  }

  void visit_entries(std::span<const std::pair<Value, Value>> entries, int depth) {
    for (const auto& [key, value] : entries) {
      if (value.kind != Kind::kObject) continue;
      if (key.as_str())
        visit_below(key.view(), value, depth);
      else
        visit_below(key.as_int() ? std::to_string(key.integer) : describe(key), value, depth);
    }
  }

  std::vector<TensorInfo>& out_;
  std::uint64_t name_budget_;
  std::string name_;  // of the value that is visited
  std::unordered_set<const Object*> seen_;
};

}  // namespace

std::vector<TensorInfo> list_tensors(const Document& document) {
  std::vector<TensorInfo> tensors;
  Walk(tensors, limits::kTensorNameBytes + document.file_size()).visit(document.root(), 0);
  return tensors;
}

}  // namespace sda
