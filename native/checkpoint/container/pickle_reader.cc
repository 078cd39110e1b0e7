#include <algorithm>
#include <cstring>
#include <map>

#include "checkpoint/container/reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/memory_size.h"

namespace sda {
namespace {

// pickle writes a tensor's storage as the bytes of a file of torch.save.
class Nested : public NestedFiles {
 public:
  Nested(const File& file, const OpenOptions& options) : file_(file), options_(options) {
    options_.any_container = false;
    options_.inert_globals = false;
  }

  Value open(std::string_view bytes, Arena& arena) override {
    // A few more bytes of the pickle may call the function again with the same bytes.
    if (const auto known = opened_.find(bytes.data()); known != opened_.end()) return known->second;
    // Besides the bytes, a nested file takes an arena and pages of its own.
    constexpr std::uint64_t kLeast = std::uint64_t{64} << 10;
    arena.charge(std::max<std::uint64_t>(bytes.size(), kLeast));
    const File inner(file_.path(),
                     Bytes(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
    OpenOptions options = options_;
    if (options.hold == Hold::kMapping) options.hold = Hold::kMemory;
    const auto document = Document::open(inner, options);
    const auto* from = document->root().as<Storage>();
    if (from == nullptr || from->base != nullptr)
      throw Error(ErrorCode::kCorrupt,
                  "the bytes of a storage hold a " + describe(document->root()));
    auto* storage = arena.make<Storage>();
    storage->dtype = from->dtype;
    storage->key = arena.keep(from->key);
    storage->location = arena.keep(from->location);
    storage->byte_size = from->byte_size;
    storage->data = from->data;
    storage->owner = from->owner;
    opened_.emplace(bytes.data(), Value::of(storage));
    return Value::of(storage);
  }

 private:
  const File& file_;
  OpenOptions options_;
  std::map<const char*, Value> opened_;
};

}  // namespace

PickleReader::PickleReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document) {}

void PickleReader::read() {
  if (file_.size() > limits::kMaxPickleBytes)
    throw Error(ErrorCode::kLimit, "a pickle of " + std::to_string(file_.size()) + " bytes")
        .with("offset", std::int64_t{0});
  const std::size_t size = memory_size(file_.size());
  char* const bytes = document_.pickles_.emplace_back(new char[size]).get();
  file_.read_at(0, bytes, size);
  document_.allocate_arena(size, Waiting::kAllowed, options_.memory_bytes);
  Nested nested(file_, options_);
  PickleSettings settings{options_.inert_globals, &document_.globals_, options_.cancel,
                          options_.encoding};
  settings.nested = &nested;
  settings.joblib = true;
  PickleMachine machine({bytes, size}, 0, *document_.arena_, nullptr, settings);
  document_.root_ = machine.run();
  if (options_.hold != Hold::kNothing)
    document_.finish_tensors(/*swap_bytes=*/false, file_, options_);
}

}  // namespace sda
