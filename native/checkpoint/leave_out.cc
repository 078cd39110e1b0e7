#include "checkpoint/leave_out.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace sda {
namespace {

// Marks what a value reaches. Not recursive: containers may be nested deeply.
class Marking {
 public:
  void mark(const Value& root) {
    push(root);
    while (!open_.empty()) {
      Object* const object = open_.back();
      open_.pop_back();
      visit(*object);
    }
  }

 private:
  void push(const Value& value) {
    if (value.kind == Kind::kObject && value.object != nullptr && seen_.insert(value.object).second)
      open_.push_back(value.object);
  }
  template <typename Items>
  void push_all(const Items& items) {
    for (const Value& item : items) push(item);
  }
  template <typename Entries>
  void push_entries(const Entries& entries) {
    for (const auto& [key, value] : entries) {
      push(key);
      push(value);
    }
  }

  void visit(Object& object) {
    const Value value = Value::of(&object);
    if (auto* tensor = value.as<Tensor>()) {
      tensor->needed = true;
      need(tensor->storage);
      push(tensor->attributes);
    } else if (auto* storage = value.as<Storage>()) {
      need(storage);
    } else if (const auto* list = value.as<List>()) {
      push_all(list->items);
    } else if (const auto* tuple = value.as<Tuple>()) {
      push_all(tuple->items);
    } else if (const auto* set = value.as<Set>()) {
      push_all(set->items);
    } else if (const auto* dict = value.as<Dict>()) {
      push_entries(dict->entries);
      push(dict->factory);
      push(dict->attributes);
    } else if (const auto* array = value.as<NdArray>()) {
      if (array->described != nullptr) push(Value::of(array->described));
    } else if (const auto* program = value.as<PyObject>()) {
      push(program->callee);
      push(program->args);
      push(program->kwargs);
      push(program->state);
      push_all(program->items);
      push_entries(program->entries);
    }
  }

  static void need(Storage* storage) {
    for (; storage != nullptr; storage = storage->base) storage->needed = true;
  }

  std::vector<Object*> open_;
  std::unordered_set<const Object*> seen_;
};

}  // namespace

bool may_hold(std::string_view pickle, const std::vector<EntryPath>& paths) {
  const auto has = [&](const std::string& key) {
    return pickle.find(key) != std::string_view::npos;
  };
  return std::any_of(paths.begin(), paths.end(),
                     [&](const EntryPath& path) { return has(path.outer) && has(path.inner); });
}

bool leave_out(const Value& root, const std::vector<EntryPath>& paths, const Arena& arena) {
  const auto* top = root.as<Dict>();
  bool found = false;
  for (const EntryPath& path : paths) {
    const Value* outer = top == nullptr ? nullptr : top->find(path.outer);
    auto* dict = outer == nullptr ? nullptr : outer->as<Dict>();
    if (dict == nullptr || dict->find(path.inner) == nullptr) continue;
    std::erase_if(dict->entries, [&](const auto& entry) {
      return entry.first.as_str() && entry.first.view() == path.inner;
    });
    found = true;
  }
  if (!found) return false;
  arena.for_each<Storage>([](Storage& storage) { storage.needed = false; });
  arena.for_each<Tensor>([](Tensor& tensor) { tensor.needed = false; });
  Marking().mark(root);
  return true;
}

}  // namespace sda
