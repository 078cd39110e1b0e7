// The two container readers behind Document::open.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/container/zip.h"
#include "checkpoint/pickle/pickle.h"

namespace sda {

class ImageReader;

enum class FileKind { kZip, kLegacy };

// The number 0x1950a86a20f9469cfc6c, little-endian, which a legacy file holds in its first pickle.
inline constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

// By the first bytes; kFormat, naming what it looks like, for anything else.
FileKind sniff(const File& file);

// The keys are the file's, so no hash table: its hash is known, and a file may have 100,000 keys of
// one hash.
using StoragesByKey = std::map<std::string_view, Storage*>;

class ZipReader : StorageSource {
 public:
  ZipReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  Value load(const Value& persistent_id) override;
  void check_kind();
  void check_local_headers();
  void read_pickle();
  void check_version();
  bool is_foreign_byte_order();
  void place_image(ImageReader& reader);
  void map();
  void place_storages(std::byte* image, const std::shared_ptr<const void>& owner);
  std::string small_record(ZipRecord& record);

  const File& file_;
  const OpenOptions& options_;
  Document& document_;
  ZipDirectory directory_;
  std::vector<Storage*> storages_;  // of each record, null where it is none
  StoragesByKey recordless_;        // empty storages
};

class LegacyReader : StorageSource {
 public:
  LegacyReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  Value load(const Value& persistent_id) override;
  bool parse(std::size_t prefix);
  void place_storages();
  void load_storages();

  const File& file_;
  const OpenOptions& options_;
  Document& document_;
  bool foreign_byte_order_ = false;
  std::uint64_t pickles_end_ = 0;
  std::vector<Storage*> in_file_order_;
  StoragesByKey storages_;
  StoragesByKey views_;
};

// What a persistent id says of a storage, checked: ("storage", class, key, location, size, …).
struct StorageId {
  std::optional<DType> dtype;
  std::string_view key, location;
  std::uint64_t byte_size;
  const Values* items;
};
StorageId parse_storage_id(const Value& persistent_id, std::size_t min_items,
                           std::size_t max_items);

// Whether the id may stand for the storage, too. For torch.save an untyped storage is one of bytes,
// and may be referred to as either; the storage has a dtype then.
bool is_same_storage(Storage& known, const StorageId& id);

// `count` elements of `size` bytes; kCorrupt if negative or too large.
std::uint64_t checked_bytes(std::int64_t count, std::size_t size);

// Points the storage at its bytes, or at an aligned copy of them where they lie askew.
void place_storage(Storage& storage, std::byte* image, const std::shared_ptr<const void>& owner,
                   const File& file);

}  // namespace sda
