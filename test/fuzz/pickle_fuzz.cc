// Runs the pickle machine alone, with storages that need no container.
#include <algorithm>

#include "checkpoint/container/reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/pickle.h"
#include "input_file.h"

namespace {

// Makes storages of the size that the pickle states, without memory: the machine only describes
// tensors in them.
class AnyStorage : public sda::StorageSource {
 public:
  explicit AnyStorage(sda::Arena& arena) : arena_(arena) {}
  sda::Value load(const sda::Value& persistent_id) override {
    const sda::StorageId id = sda::parse_storage_id(persistent_id, 5, 6, arena_);
    auto* storage = arena_.make<sda::Storage>();
    storage->dtype = id.dtype;
    storage->key = id.key;
    storage->byte_size = id.byte_size;
    return sda::Value::of(storage);
  }

 private:
  sda::Arena& arena_;
};

// Makes a storage of any bytes.
class AnyFile : public sda::NestedFiles {
 public:
  sda::Value open(std::string_view bytes, sda::Arena& arena) override {
    arena.charge(bytes.size());
    auto* storage = arena.make<sda::Storage>();
    storage->dtype = sda::DType::kFloat32;
    storage->byte_size = bytes.size() / 4 * 4;
    return sda::Value::of(storage);
  }
};

enum class Kind { kTorch, kPlain, kScript };

void run(std::string_view pickle, bool inert, Kind kind) {
  sda::NamedGlobals globals;
  sda::Arena arena(sda::limits::kPickleHeapBytes,
                   sda::limits::kPickleDataBytes + 2 * pickle.size());
  AnyStorage storages(arena);
  AnyFile nested;
  sda::PickleSettings settings{inert, &globals};
  if (kind == Kind::kPlain) {
    settings.nested = &nested;
    settings.joblib = true;
  }
  settings.script = kind == Kind::kScript;
  sda::PickleMachine machine(pickle, 0, arena, kind == Kind::kPlain ? nullptr : &storages,
                             settings);
  try {
    const sda::Value root = machine.run();
    sda::describe(root);
    if (machine.position() > pickle.size()) std::abort();
    // Every element of a tensor lies inside its storage.
    arena.for_each<sda::Tensor>([](sda::Tensor& tensor) {
      const std::size_t item = sda::item_size(tensor.dtype);
      std::uint64_t last = tensor.offset;
      if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end()) return;
      for (std::size_t d = 0; d < tensor.shape.size(); ++d)
        if (tensor.shape[d] > 1)
          last += static_cast<std::uint64_t>(tensor.shape[d] - 1) *
                  static_cast<std::uint64_t>(tensor.strides[d]);
      if (last >= tensor.storage->byte_size / item) std::abort();
    });
  } catch (const sda::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view pickle = sda::fuzz::text_of(data, size);
  for (const Kind kind : {Kind::kTorch, Kind::kPlain, Kind::kScript}) {
    run(pickle, true, kind);
    run(pickle, false, kind);
  }
  return 0;
}
