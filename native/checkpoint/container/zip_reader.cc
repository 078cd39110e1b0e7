#include <algorithm>
#include <charconv>
#include <optional>

#include "checkpoint/container/image_reader.h"
#include "checkpoint/container/reader.h"
#include "checkpoint/io/crc32.h"
#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

// The highest archive version that PyTorch's own reader accepts.
constexpr int kHighestArchiveVersion = 10;
constexpr std::size_t kSmallRecord = 1024;

[[noreturn]] void crc_mismatch(const File& file, const ZipRecord& record) {
  throw Error(ErrorCode::kCorrupt,
              "'" + file.path() + "': record '" + record.name + "' is damaged (CRC-32 mismatch)")
      .with("path", file.path())
      .with("offset", static_cast<std::int64_t>(record.data_offset))
      .with("record", record.name);
}

}  // namespace

ZipReader::ZipReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document), directory_(file) {}

void ZipReader::read() {
  check_kind();
  if (options_.hold == Hold::kNothing) {
    read_pickle();
    return;
  }
  check_local_headers();
  std::optional<ImageReader> image;  // its helper thread reads while this thread parses
  if (options_.hold == Hold::kMemory)
    image.emplace(file_, directory_.records(), directory_.records_end(), options_.cancel);
  read_pickle();
  check_version();
  const bool swap = is_foreign_byte_order();
  if (image)
    place_image(*image);
  else
    map();
  document_.finish_tensors(swap, file_);
}

void ZipReader::check_local_headers() {
  WindowReader headers(file_);
  for (ZipRecord& record : directory_.records())
    check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
}

void ZipReader::check_kind() {
  const ZipRecord* pickle = directory_.find("data.pkl");
  const auto refuse = [&](const char* what) {
    throw Error(ErrorCode::kFormat, "'" + file_.path() + "' is " + what)
        .with("path", file_.path())
        .with("offset", std::int64_t{0});
  };
  if (pickle == nullptr) refuse("a zip archive, but not one of torch.save: it has no data.pkl");
  if (directory_.find("constants.pkl") != nullptr)
    refuse("a TorchScript program, not data; save the model's state dict instead");
  if (pickle->size > limits::kMaxPickleBytes)
    throw Error(ErrorCode::kLimit, "a pickle of " + std::to_string(pickle->size) + " bytes")
        .with("offset", static_cast<std::int64_t>(pickle->header_offset));
}

void ZipReader::read_pickle() {
  ZipRecord& record = *directory_.find("data.pkl");
  if (options_.hold == Hold::kNothing) {
    WindowReader headers(file_);
    check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
  }
  const auto size = static_cast<std::size_t>(record.size);
  if (size > limits::kAtOnceBytes) file_.before_waiting();
  document_.pickle_.reset(new char[size]);
  file_.read_at(record.data_offset, document_.pickle_.get(), size);
  if (!directory_.without_crcs() && crc32(0, document_.pickle_.get(), size) != record.crc)
    crc_mismatch(file_, record);

  document_.allocate_arena(size, file_.waiting());
  PickleMachine machine({document_.pickle_.get(), size}, record.data_offset, *document_.arena_,
                        this, {options_.inert_globals, &document_.globals_, options_.cancel});
  document_.root_ = machine.run();
}

Value ZipReader::load(const Value& persistent_id) {
  const StorageId id = parse_storage_id(persistent_id, 5, 5);
  const std::string name = "data/" + std::string(id.key);
  ZipRecord* record = directory_.find(name);
  if (storages_.empty()) storages_.resize(directory_.records().size());
  Storage*& known = record != nullptr
                        ? storages_[static_cast<std::size_t>(record - directory_.records().data())]
                        : recordless_[id.key];
  if (known != nullptr) {
    if (!is_same_storage(*known, id))
      throw Error(ErrorCode::kCorrupt, "storage '" + std::string(id.key) + "' has two types");
    return Value::of(known);
  }
  const std::uint64_t found = record == nullptr ? 0 : record->size;
  if (found != id.byte_size)
    throw Error(ErrorCode::kCorrupt,
                record == nullptr ? "there is no record '" + name + "' for a storage"
                                  : "record '" + name + "' has " + std::to_string(found) +
                                        " bytes; its storage needs " + std::to_string(id.byte_size))
        .with("record", name);
  auto* storage = document_.arena_->make<Storage>();
  storage->dtype = id.dtype;
  storage->key = id.key;
  storage->location = id.location;
  storage->byte_size = id.byte_size;
  known = storage;
  return Value::of(storage);
}

std::string ZipReader::small_record(ZipRecord& record) {
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(record.size, kSmallRecord)),
                   '\0');
  file_.read_at(record.data_offset, text.data(), text.size());
  return text;
}

void ZipReader::check_version() {
  ZipRecord* record = directory_.find("version");
  if (record == nullptr) record = directory_.find(".data/version");
  if (record == nullptr) return;
  const std::string text = small_record(*record);
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || version < 1)
    throw Error(ErrorCode::kCorrupt, "the archive's version is not a number")
        .with("offset", static_cast<std::int64_t>(record->data_offset));
  if (version > kHighestArchiveVersion)
    throw Error(ErrorCode::kVersion, "archive version " + std::to_string(version) +
                                         " is newer than supported (" +
                                         std::to_string(kHighestArchiveVersion) + ")")
        .with("offset", static_cast<std::int64_t>(record->data_offset));
}

bool ZipReader::is_foreign_byte_order() {
  ZipRecord* record = directory_.find("byteorder");
  if (record == nullptr) return false;
  const std::string order = small_record(*record);
  if (order == "little") return false;
  if (order == "big") return true;
  throw Error(ErrorCode::kCorrupt, "the byte order is neither 'little' nor 'big'")
      .with("offset", static_cast<std::int64_t>(record->data_offset));
}

void ZipReader::place_image(ImageReader& reader) {
  reader.finish();
  if (!directory_.without_crcs()) {
    const auto& records = directory_.records();
    const std::vector<std::uint32_t> found = reader.checksums();
    for (std::size_t i = 0; i < records.size(); ++i)
      if (found[i] != records[i].crc) crc_mismatch(file_, records[i]);
  }
  place_storages(reader.image()->data(), reader.image());
}

void ZipReader::map() {
  auto mapping = std::make_shared<MappedFile>(file_);
  std::byte* data = mapping->data();
  place_storages(data, std::move(mapping));
}

void ZipReader::place_storages(std::byte* image, const std::shared_ptr<const void>& owner) {
  for (std::size_t i = 0; i < storages_.size(); ++i) {
    if (storages_[i] == nullptr) continue;
    storages_[i]->file_offset = directory_.records()[i].data_offset;
    place_storage(*storages_[i], image, owner, file_);
  }
}

}  // namespace sda
