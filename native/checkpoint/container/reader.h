// The two container readers behind Document::open. Each lives on one thread, for one file.
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

// Tells the container from the file's first bytes. Throws kFormat, with the kind of file that it
// looks like, for anything else.
FileKind sniff(const File& file);

// A sorted map, not a hash table: the hash function is known, and a hostile file may choose 100,000
// keys with the same hash.
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
  std::vector<Storage*> storages_;  // by record; null for a record that is no storage
  StoragesByKey recordless_;        // empty storages have no record
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

// A checked persistent id of a storage: ("storage", class, key, location, size, …). Points into the
// pickle.
struct StorageId {
  std::optional<DType> dtype;
  std::string_view key, location;
  std::uint64_t byte_size;
  const Values* items;
};
StorageId parse_storage_id(const Value& persistent_id, std::size_t min_items,
                           std::size_t max_items);

// Whether the id may refer to this storage. torch.save treats an untyped storage as one of bytes
// and may refer to it either way; a typed id then gives the storage its dtype.
bool is_same_storage(Storage& known, const StorageId& id);

// The bytes of `count` elements of `size` bytes each. Throws kCorrupt for a negative or too large
// count.
std::uint64_t checked_bytes(std::int64_t count, std::size_t size);

// Points the storage at its bytes in `image`, or at an aligned copy when they are not aligned
// there. The storage shares `owner`, which keeps `image` alive.
void place_storage(Storage& storage, std::byte* image, const std::shared_ptr<const void>& owner,
                   const File& file);

}  // namespace sda
