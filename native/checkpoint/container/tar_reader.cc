#include <algorithm>
#include <optional>
#include <string>

#include "checkpoint/ambiguity.h"
#include "checkpoint/container/reader.h"
#include "checkpoint/container/tar.h"
#include "checkpoint/limits.h"
#include "checkpoint/memory_size.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"

namespace sda {
namespace {

// The pickles between the storages have a few dozen bytes.
constexpr std::uint64_t kFirstWindow = 1024;
constexpr std::size_t kMaxMembers = 100;

[[noreturn]] void corrupt(const std::string& what, std::uint64_t offset) {
  throw Error(ErrorCode::kCorrupt, what).with("offset", static_cast<std::int64_t>(offset));
}

// Keys are numbers, or their decimal digits.
std::optional<std::string> key_of(const Value& value) {
  if (const auto number = value.as_int()) return std::to_string(*number);
  const auto text = value.as_str();
  if (!text || text->size() > limits::kMaxNameBytes) return std::nullopt;
  return std::string(*text);
}

bool is_blank(std::string_view block) { return block.find_first_not_of('\0') == block.npos; }

}  // namespace

TarReader::TarReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document) {}

void TarReader::read() {
  find_members();
  const Member pickle = member("pickle");
  document_.allocate_arena(pickle.end - pickle.begin, Waiting::kAllowed, options_.memory_bytes);
  read_storages();
  read_tensors();
  std::uint64_t at = pickle.begin;
  document_.root_ = next_pickle(at, pickle.end, this);
  if (options_.hold == Hold::kNothing) return;
  load_storages(file_, options_, in_file_order_, *document_.arena_);
  document_.finish_tensors(/*swap_bytes=*/false, file_, options_);
}

// Only plain files: no program has written others into such an archive.
void TarReader::find_members() {
  std::uint64_t at = 0;
  char header[kTarBlock];
  while (file_.size() - at >= kTarBlock) {
    file_.read_at(at, header, sizeof header);
    const std::string_view block(header, sizeof header);
    if (is_blank(block)) break;
    const auto size = is_tar(block) ? tar_member_size(block) : std::nullopt;
    if (!size) corrupt("a damaged header in the tar archive", at);
    const char type = block[156];
    if ((type != '0' && type != '\0') || members_.size() == kMaxMembers)
      throw Error(ErrorCode::kFormat, "a tar archive, but not one of torch.save")
          .with("offset", static_cast<std::int64_t>(at));
    std::string name(block.substr(0, 100));
    name.resize(std::min(name.find('\0'), name.size()));
    const std::uint64_t begin = at + kTarBlock;
    if (*size > file_.size() - begin) corrupt("the file ends before its member '" + name + "'", at);
    if (!members_.emplace(name, Member{begin, begin + *size}).second)
      refuse_ambiguous(ambiguity::kRecordName, "two members are called '" + name + "'", at);
    const std::uint64_t padded = (*size + kTarBlock - 1) / kTarBlock * kTarBlock;
    if (padded > file_.size() - begin) break;
    at = begin + padded;
  }
  if (!members_.contains("pickle") || !members_.contains("storages"))
    throw Error(ErrorCode::kFormat, "a tar archive, but not one of torch.save")
        .with("offset", std::int64_t{0})
        .with("container", std::string("tar"));
}

const TarReader::Member& TarReader::member(const std::string& name) const {
  return members_.at(name);
}

Value TarReader::next_pickle(std::uint64_t& at, std::uint64_t end, StorageSource* storages) {
  const std::uint64_t begin = at;
  for (std::uint64_t window = storages == nullptr ? kFirstWindow : limits::kMaxPickleBytes;;
       window *= 4) {
    const auto size = static_cast<std::size_t>(std::min(window, end - begin));
    document_.arena_->charge(size);
    char* const bytes = document_.pickles_.emplace_back(new char[size]).get();
    file_.read_at(begin, bytes, size);
    PickleMachine machine(
        {bytes, size}, begin, *document_.arena_, storages,
        {options_.inert_globals, &document_.globals_, options_.cancel, options_.encoding});
    try {
      const Value value = machine.run();
      at = begin + machine.position();
      return value;
    } catch (const Error&) {
      if (!machine.ran_out() || size == end - begin || window >= limits::kMaxPickleBytes) throw;
      document_.pickles_.pop_back();
    }
  }
}

void TarReader::read_storages() {
  const Member within = member("storages");
  std::uint64_t at = within.begin;
  const auto count = next_pickle(at, within.end, nullptr).as_int();
  if (!count || *count < 0) corrupt("the number of storages is missing", within.begin);
  for (std::int64_t i = 0; i < *count; ++i) {
    if (options_.cancel != nullptr) options_.cancel->throw_if_cancelled();
    const std::uint64_t begin = at;
    // (key, location, class)
    const Value described = next_pickle(at, within.end, nullptr);
    const auto* items = described.as<Tuple>();
    const auto* cls =
        items != nullptr && items->items.size() == 3 ? items->items[2].as<Global>() : nullptr;
    if (cls == nullptr || cls->known != Known::kTorchStorage || !key_of(items->items[0]) ||
        !items->items[1].as_str())
      corrupt("the description of a storage is malformed", begin);
    std::int64_t elements;
    if (within.end - at < sizeof elements) corrupt("the storages end too early", at);
    file_.read_at(at, &elements, sizeof elements);
    auto* storage = document_.arena_->make<Storage>();
    storage->dtype = static_cast<DType>(cls->dtype);
    storage->location = items->items[1].view();
    storage->byte_size = checked_bytes(elements, item_size(*storage->dtype));
    at += sizeof elements;
    if (within.end - at < storage->byte_size) corrupt("the storages end too early", at);
    storage->file_offset = at;
    at += storage->byte_size;
    if (!objects_.emplace(*key_of(items->items[0]), storage).second)
      corrupt("two storages have one key", begin);
    in_file_order_.push_back(storage);
  }
  const std::uint64_t begin = at;
  const Value listed = next_pickle(at, within.end, nullptr);
  const auto* views = listed.as<List>();
  if (views == nullptr) corrupt("the list of views is a " + describe(listed), begin);
  for (const Value& item : views->items) {
    // (key, key of the storage, offset in elements, elements)
    const auto* view = item.as<Tuple>();
    if (view == nullptr || view->items.size() != 4 || !key_of(view->items[0]) ||
        !key_of(view->items[1]) || !view->items[2].as_int() || !view->items[3].as_int())
      corrupt("the description of a view is malformed", begin);
    const auto found = objects_.find(*key_of(view->items[1]));
    if (found == objects_.end()) corrupt("a view of a storage that is not there", begin);
    auto* base = static_cast<Storage*>(found->second);
    const std::size_t item_bytes = item_size(*base->dtype);
    auto* made = document_.arena_->make<Storage>();
    made->dtype = base->dtype;
    made->location = base->location;
    made->base = base->base == nullptr ? base : base->base;
    const std::uint64_t offset = checked_bytes(*view->items[2].as_int(), item_bytes);
    made->byte_size = checked_bytes(*view->items[3].as_int(), item_bytes);
    if (offset > base->byte_size || made->byte_size > base->byte_size - offset)
      corrupt("a view that reaches past the end of its storage", begin);
    made->base_offset = base->base_offset + offset;
    if (!objects_.emplace(*key_of(view->items[0]), made).second)
      corrupt("two storages have one key", begin);
  }
}

void TarReader::read_tensors() {
  // Other programs write tensors as newer files have them, on the storages.
  if (!members_.contains("tensors")) return;
  const Member within = member("tensors");
  std::uint64_t at = within.begin;
  const auto count = next_pickle(at, within.end, nullptr).as_int();
  if (!count || *count < 0) corrupt("the number of tensors is missing", within.begin);
  for (std::int64_t i = 0; i < *count; ++i) {
    if (options_.cancel != nullptr) options_.cancel->throw_if_cancelled();
    const std::uint64_t begin = at;
    // (key, key of the storage, class)
    const Value described = next_pickle(at, within.end, nullptr);
    const auto* items = described.as<Tuple>();
    if (items == nullptr || items->items.size() != 3 || !key_of(items->items[0]) ||
        !key_of(items->items[1]))
      corrupt("the description of a tensor is malformed", begin);
    const auto found = objects_.find(*key_of(items->items[1]));
    if (found == objects_.end() || found->second->kind != ObjectKind::kStorage)
      corrupt("a tensor of a storage that is not there", begin);
    const auto number = [&] {
      std::int64_t value;
      if (within.end - at < sizeof value) corrupt("the tensors end too early", at);
      file_.read_at(at, &value, sizeof value);
      at += sizeof value;
      if (value < 0) corrupt("a tensor with a negative size, stride or offset", begin);
      return value;
    };
    auto* tensor = document_.arena_->make<Tensor>();
    tensor->storage = static_cast<Storage*>(found->second);
    tensor->dtype = *tensor->storage->dtype;
    // The number of dimensions has four bytes, and four more that mean nothing.
    std::int32_t dimensions;
    if (within.end - at < sizeof(std::int64_t)) corrupt("the tensors end too early", at);
    file_.read_at(at, &dimensions, sizeof dimensions);
    at += sizeof(std::int64_t);
    if (dimensions < 0) corrupt("a tensor with a negative number of dimensions", begin);
    if (static_cast<std::uint32_t>(dimensions) > limits::kMaxDimensions)
      throw Error(ErrorCode::kLimit, "a tensor has " + std::to_string(dimensions) + " dimensions")
          .with("offset", static_cast<std::int64_t>(begin));
    document_.arena_->charge(4 * static_cast<std::uint64_t>(dimensions) * sizeof(std::int64_t));
    for (Sizes* sizes : {&tensor->shape, &tensor->strides})
      for (std::int32_t d = 0; d < dimensions; ++d) sizes->push_back(number());
    tensor->offset = static_cast<std::uint64_t>(number());
    check_extent(*tensor);
    if (!objects_.emplace(*key_of(items->items[0]), tensor).second)
      corrupt("two tensors have one key", begin);
  }
}

// A key, or a tuple that stands for a container without a source: its first value is the object.
Value TarReader::load(const Value& persistent_id) {
  const auto* tuple = persistent_id.as<Tuple>();
  const bool is_storage =
      tuple != nullptr && tuple->items.size() == 5 && tuple->items[0].as_str() == "storage";
  if (tuple != nullptr && !tuple->items.empty() && !is_storage) return tuple->items[0];
  const auto key = key_of(is_storage ? tuple->items[2] : persistent_id);
  if (!key) throw Error(ErrorCode::kUnsafe, "a persistent id that is not a storage");
  const auto found = objects_.find(*key);
  if (found == objects_.end())
    throw Error(ErrorCode::kCorrupt, "there is no tensor with the key '" + *key + "'");
  return Value::of(found->second);
}

}  // namespace sda
