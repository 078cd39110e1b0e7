// The format of torch.save before PyTorch 1.6 (and of _use_new_zipfile_serialization=False): five
// pickles — magic number, protocol, system, object, storage keys — and then the raw storages.
#include <algorithm>
#include <cstring>

#include "checkpoint/container/reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/memory_size.h"

namespace sda {
namespace {

constexpr std::int64_t kProtocol = 1001;
constexpr std::size_t kFirstPrefix = std::size_t{1} << 18;

bool is_magic(const BigInt& number) {
  std::vector<std::uint64_t> words(2);
  std::memcpy(words.data(), kLegacyMagic.data(), kLegacyMagic.size());
  return !number.negative && number.magnitude == words;
}

[[noreturn]] void corrupt(const std::string& what, std::uint64_t offset) {
  throw Error(ErrorCode::kCorrupt, what).with("offset", static_cast<std::int64_t>(offset));
}

}  // namespace

LegacyReader::LegacyReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document) {}

void LegacyReader::read() {
  // The format does not say where the pickles end, so longer and longer prefixes of the file are
  // tried.
  std::uint64_t prefix = kFirstPrefix;
  while (!parse(static_cast<std::size_t>(std::min(prefix, file_.size())))) {
    if (prefix >= limits::kMaxPickleBytes)
      throw Error(ErrorCode::kLimit,
                  "a pickle of more than " + std::to_string(limits::kMaxPickleBytes) + " bytes")
          .with("offset", std::int64_t{0});
    prefix = std::min(prefix * 4, limits::kMaxPickleBytes);
  }
  place_storages();
  if (options_.hold == Hold::kNothing) return;
  load_storages(file_, options_, in_file_order_, *document_.arena_);
  document_.finish_tensors(/*swap_bytes=*/false, file_, options_);
}

bool LegacyReader::parse(std::size_t prefix) {
  storages_.clear();
  views_.clear();
  in_file_order_.clear();
  document_.globals_.clear();
  document_.allocate_arena(prefix, Waiting::kAllowed, options_.memory_bytes);
  document_.pickles_.clear();  // freed first, so that only one prefix is in memory
  document_.pickles_.emplace_back(new char[prefix]);
  char* const pickles = document_.pickles_.back().get();
  file_.read_at(0, pickles, prefix);
  const std::string_view bytes(pickles, prefix);

  std::size_t at = 0;
  bool ran_out = false;
  const auto next = [&](StorageSource* storages) {
    PickleMachine machine(
        bytes.substr(at), at, *document_.arena_, storages,
        {options_.inert_globals, &document_.globals_, options_.cancel, options_.encoding});
    try {
      const Value value = machine.run();
      at += machine.position();
      return value;
    } catch (...) {
      ran_out = machine.ran_out();
      throw;
    }
  };
  try {
    const Value magic = next(nullptr);
    const auto* number = magic.as<BigInt>();
    if (number == nullptr || !is_magic(*number))
      throw Error(ErrorCode::kFormat, "a pickle, but not one of torch.save")
          .with("offset", std::int64_t{0});
    const std::size_t protocol_at = at;
    const Value protocol = next(nullptr);
    if (protocol.as_int() != kProtocol)
      throw Error(ErrorCode::kVersion, "an unknown version of the legacy torch.save format")
          .with("offset", static_cast<std::int64_t>(protocol_at));
    const std::size_t system_at = at;
    const Value system = next(nullptr);
    const auto* facts = system.as<Dict>();
    const Value* little = facts == nullptr ? nullptr : facts->find("little_endian");
    if (little == nullptr || little->kind != Kind::kBool)
      corrupt("the file does not say which byte order it has", system_at);
    big_endian_ = little->integer == 0;
    document_.root_ = next(this);
    const std::size_t keys_at = at;
    const Value keys = next(nullptr);
    const auto* list = keys.as<List>();
    if (list == nullptr) corrupt("the list of storages is a " + describe(keys), keys_at);
    for (const Value& key : list->items) {
      const auto found = key.as_str() ? storages_.find(key.view()) : storages_.end();
      if (found == storages_.end()) corrupt("a storage that no tensor uses", keys_at);
      in_file_order_.push_back(found->second);
      storages_.erase(found);  // so a second mention is an error too
    }
    if (!storages_.empty()) corrupt("storages are missing from the list of storages", keys_at);
    pickles_end_ = at;
    return true;
  } catch (const Error&) {
    if (ran_out && prefix < file_.size()) return false;
    throw;
  }
}

Value LegacyReader::load(const Value& persistent_id) {
  const auto* tuple = persistent_id.as<Tuple>();
  // Old versions of PyTorch stored a class with its source text: ("module", class, file, text).
  if (tuple != nullptr && tuple->items.size() == 4 && tuple->items[0].as_str() == "module")
    return tuple->items[1];
  const StorageId id = parse_storage_id(persistent_id, 5, 6, *document_.arena_);

  Storage* root;
  const auto known = storages_.find(id.key);
  if (known != storages_.end()) {
    root = known->second;
    if (!is_same_storage(*root, id))
      throw Error(ErrorCode::kCorrupt, "storage '" + std::string(id.key) + "' has two sizes");
  } else {
    root = document_.arena_->make<Storage>();
    root->dtype = id.dtype;
    root->key = id.key;
    root->location = id.location;
    root->byte_size = id.byte_size;
    storages_.emplace(id.key, root);
  }
  if (id.items->size() < 6 || (*id.items)[5].is_none()) return Value::of(root);

  // A view into another storage: (key, offset, size), in elements.
  const auto* view = (*id.items)[5].as<Tuple>();
  if (view == nullptr || view->items.size() != 3 || !view->items[0].as_str() ||
      view->items[0].size > limits::kMaxNameBytes || !view->items[1].as_int() ||
      !view->items[2].as_int())
    throw Error(ErrorCode::kCorrupt, "the description of a view of a storage is malformed");
  const std::size_t item = id.dtype ? item_size(*id.dtype) : 1;
  const std::uint64_t offset = checked_bytes(*view->items[1].as_int(), item);
  const std::uint64_t size = checked_bytes(*view->items[2].as_int(), item);
  if (offset > root->byte_size || size > root->byte_size - offset)
    throw Error(ErrorCode::kCorrupt, "a view that reaches past the end of its storage");
  Storage*& made = views_[view->items[0].view()];
  if (made == nullptr) {
    made = document_.arena_->make<Storage>();
    made->dtype = id.dtype;
    made->key = root->key;
    made->location = root->location;
    made->base = root;
    made->base_offset = offset;
    made->byte_size = size;
  }
  return Value::of(made);
}

void LegacyReader::place_storages() {
  std::uint64_t at = pickles_end_;
  for (Storage* storage : in_file_order_) {
    std::int64_t count;
    if (file_.size() - at < sizeof count) corrupt("the file ends before its storages do", at);
    file_.read_at(at, &count, sizeof count);
    const std::size_t item = storage->dtype ? item_size(*storage->dtype) : 1;
    // PyTorch on a big-endian machine writes the elements in little-endian order, and old versions
    // of it only the counts in its own.
    if (big_endian_ && static_cast<std::uint64_t>(count) != storage->byte_size / item)
      count = static_cast<std::int64_t>(__builtin_bswap64(static_cast<std::uint64_t>(count)));
    if (count < 0 || static_cast<std::uint64_t>(count) != storage->byte_size / item)
      corrupt("a storage of " + std::to_string(count) + " elements that should have " +
                  std::to_string(storage->byte_size / item),
              at);
    at += sizeof count;
    if (file_.size() - at < storage->byte_size) corrupt("the file ends before its storages do", at);
    storage->file_offset = at;
    at += storage->byte_size;
  }
}

void load_storages(const File& file, const OpenOptions& options,
                   const std::vector<Storage*>& in_file_order, const Arena& arena) {
  if (options.hold == Hold::kMapping) {
    const WholeFile whole(file);
    for (Storage* storage : in_file_order) place_storage(*storage, whole.data, whole.owner, file);
  } else {
    // The file does not align storages, so each is read to an aligned place of its own.
    constexpr std::uint64_t kAlignment = 64;
    const auto room = [](const Storage* storage) {
      return (storage->byte_size + kAlignment - 1) / kAlignment * kAlignment;
    };
    std::uint64_t size = 0;
    for (const Storage* storage : in_file_order) size += room(storage);
    auto buffer = std::make_shared<PageBuffer>(memory_size(size));
    std::byte* at = buffer->data();
    const std::shared_ptr<const void> owner = std::move(buffer);
    for (Storage* storage : in_file_order) {
      if (options.cancel != nullptr) options.cancel->throw_if_cancelled();
      file.read_at(storage->file_offset, at, static_cast<std::size_t>(storage->byte_size));
      storage->data = at;
      storage->owner = owner;
      at += room(storage);
    }
  }
  arena.for_each<Storage>([](Storage& storage) {
    if (storage.base == nullptr) return;
    storage.data = storage.base->data + storage.base_offset;
    storage.owner = storage.base->owner;
  });
}

}  // namespace sda
