#include "checkpoint/container/writer.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "checkpoint/container/zip_writer.h"
#include "checkpoint/io/copy_range.h"

namespace sda {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::string_view kFormatVersion = "1";
constexpr std::string_view kStorageAlignment = "64";
constexpr std::string_view kByteOrder = "little";
constexpr std::string_view kArchiveVersion = "3\n";

bool is_little_endian(const File& file, ZipDirectory& directory, const ByteReader& read) {
  ZipRecord* record = directory.find("byteorder");
  if (record == nullptr) return true;
  check_local_header(*record, directory.top_folder(), file.path(), read);
  std::string order(std::min<std::uint64_t>(record->size, kByteOrder.size() + 1), '\0');
  file.read_at(record->data_offset, order.data(), order.size());
  return order == kByteOrder;
}

void write_storage(const Storage& storage, ZipWriter& zip, OutputFile& out,
                   const WriteOptions& options) {
  if (storage.data == nullptr && storage.byte_size > 0) {
    if (options.source == nullptr)
      throw Error(ErrorCode::kArgument, "a tensor without data: its file was read without weights");
    zip.set_crc(options.source->copy(storage, out, options.cancel));
    return;
  }
  std::vector<std::byte> copy;
  for (std::uint64_t at = 0; at < storage.byte_size; at += kPiece) {
    if (options.cancel != nullptr) options.cancel->throw_if_cancelled();
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, storage.byte_size - at));
    const std::byte* piece = storage.data + at;
    if (options.access) {
      // Only the copy may be made in access(): the file may take long.
      copy.resize(size);
      options.access(piece, [&] { std::memcpy(copy.data(), piece, size); });
      piece = copy.data();
    }
    zip.write(piece, size);
  }
}

}  // namespace

std::shared_ptr<const SourceFile> SourceFile::open(const std::string& path,
                                                   const CancelToken* cancel) {
  std::shared_ptr<SourceFile> source(new SourceFile(path));
  const File& file = source->file_;
  OpenOptions options;
  options.cancel = cancel;
  options.hold = Hold::kNothing;
  source->document_ = Document::open(file, options);
  if (source->document_->container() == Container::kZip) {
    const auto read = [&](std::uint64_t offset, void* to, std::size_t size) {
      file.read_at(offset, to, size);
    };
    auto directory = std::make_unique<ZipDirectory>(file);
    if (is_little_endian(file, *directory, read)) {
      for (ZipRecord& record : directory->records())
        check_local_header(record, directory->top_folder(), path, read);
      source->directory_ = std::move(directory);
      return source;
    }
  }
  // A big-endian or legacy file: its storages are converted in memory.
  options.hold = Hold::kMemory;
  source->document_ = Document::open(file, options);
  return source;
}

std::uint32_t SourceFile::copy(const Storage& storage, OutputFile& to,
                               const CancelToken* cancel) const {
  const std::string name = "data/" + std::string(storage.key);
  const ZipRecord* record = directory_ == nullptr ? nullptr : directory_->find(name);
  if (record == nullptr || record->size != storage.byte_size)
    throw Error(ErrorCode::kCorrupt, "'" + file_.path() + "' has no record '" + name + "'")
        .with("path", file_.path())
        .with("record", name);
  const std::uint32_t crc = copy_range(file_, record->data_offset, record->size, to, cancel);
  if (!record->has_crc(crc))
    throw Error(ErrorCode::kCorrupt,
                "'" + file_.path() + "': record '" + name + "' is damaged (CRC-32 mismatch)")
        .with("path", file_.path())
        .with("offset", static_cast<std::int64_t>(record->data_offset))
        .with("record", name);
  return crc;
}

void write_checkpoint(const Value& root, std::string_view top_folder, OutputFile& out,
                      const WriteOptions& options) {
  ZipWriter zip(out, top_folder);
  std::vector<const Storage*> storages;
  {
    const PickleContent pickle = write_pickle(root, options.style, options.cancel, options.access);
    storages = pickle.storages;
    zip.begin("data.pkl", pickle.size());
    pickle.for_each([&](std::string_view piece) { zip.write(piece.data(), piece.size()); },
                    options.access);
    zip.end();
  }
  zip.add(".format_version", kFormatVersion);
  zip.add(".storage_alignment", kStorageAlignment);
  zip.add("byteorder", kByteOrder);
  for (std::size_t i = 0; i < storages.size(); ++i) {
    zip.begin("data/" + std::to_string(i), storages[i]->byte_size);
    write_storage(*storages[i], zip, out, options);
    zip.end();
  }
  zip.add("version", kArchiveVersion);
  zip.add(".data/serialization_id", zip.serialization_id());
  zip.finish();
  out.flush();
}

}  // namespace sda
