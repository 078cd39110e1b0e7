#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

class Walk {
 public:
  Walk(std::vector<TensorInfo>& out, const Document& document)
      : out_(out),
        name_budget_(limits::kTensorNameBytes + document.file_size()),
        visits_(limits::kExtraVisits + 2 * document.arena().object_count()) {}

  void visit(const Value& value, int depth) {
    if (value.kind != Kind::kObject) return;
    if (depth > limits::kMaxDepth)
      throw Error(ErrorCode::kLimit,
                  "containers nested deeper than " + std::to_string(limits::kMaxDepth));
    if (const auto known = first_.find(value.object); known != first_.end())
      return add_alias(known->second);
    if (const auto* tensor = value.as<Tensor>()) {
      first_.emplace(tensor, out_.size());
      add(tensor->dtype, tensor->shape, tensor->numel() * item_size(tensor->dtype));
      return visit(tensor->attributes, depth + 1);
    }
    // A container that several others hold is entered from each of them, until that takes too long.
    if (!seen_.insert(value.object).second) {
      const std::uint64_t cost = 1 + size_of(value);
      if (cost > visits_) return;
      visits_ -= cost;
    }
    if (!open_.insert(value.object).second) return;
    enter(value, depth);
    open_.erase(value.object);
  }

 private:
  static std::size_t size_of(const Value& value) {
    if (const auto* list = value.as<List>()) return list->items.size();
    if (const auto* tuple = value.as<Tuple>()) return tuple->items.size();
    if (const auto* set = value.as<Set>()) return set->items.size();
    if (const auto* dict = value.as<Dict>()) return dict->entries.size();
    if (const auto* object = value.as<PyObject>())
      return object->items.size() + object->entries.size();
    return 0;
  }

  void enter(const Value& value, int depth) {
    if (const auto* array = value.as<NdArray>()) {
      if (array->described != nullptr)
        visit(Value::of(array->described), depth + 1);
      else if (array->built) {
        first_.emplace(array, out_.size());
        add(array->dtype, array->shape, array->byte_size);
      }
    } else if (const auto* list = value.as<List>()) {
      visit_all(list->items, depth);
    } else if (const auto* tuple = value.as<Tuple>()) {
      visit_all(tuple->items, depth);
    } else if (const auto* set = value.as<Set>()) {
      visit_all(set->items, depth);
    } else if (const auto* dict = value.as<Dict>()) {
      visit_entries(dict->entries, depth);
      visit(dict->attributes, depth + 1);
    } else if (const auto* object = value.as<PyObject>()) {
      visit(object->callee, depth + 1);
      visit(object->args, depth + 1);
      visit(object->kwargs, depth + 1);
      visit(object->state, depth + 1);
      visit_all(object->items, depth);
      visit_entries(object->entries, depth);
    }
  }

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
    out_.push_back({name_, dtype, {shape.begin(), shape.end()}, bytes, std::nullopt});
  }

  void add_alias(std::size_t index) {
    charge(name_.size());
    TensorInfo alias = out_[index];
    alias.name = name_;
    alias.alias_of = index;
    out_.push_back(std::move(alias));
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
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto& [key, value] = entries[i];
      if (value.kind != Kind::kObject) continue;
      if (key.as_str())
        visit_below(key.view(), value, depth);
      else if (key.as_int())
        visit_below(std::to_string(key.integer), value, depth);
      else
        visit_below("[" + std::to_string(i) + "]", value, depth);  // a tuple or another object
    }
  }

  std::vector<TensorInfo>& out_;
  std::uint64_t name_budget_;
  std::uint64_t visits_;  // that are left, of items in containers that were entered before
  std::string name_;      // of the value that is visited
  std::unordered_set<const Object*> seen_;
  std::unordered_set<const Object*> open_;  // the containers around the value that is visited
  std::unordered_map<const Object*, std::size_t> first_;  // of tensors and arrays: indices in out_
};

}  // namespace

std::vector<TensorInfo> list_tensors(const Document& document) {
  std::vector<TensorInfo> tensors;
  Walk(tensors, document).visit(document.root(), 0);
  return tensors;
}

}  // namespace sda
