// The container readers behind Document::open. Each lives on one thread, for one file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/container/zip.h"
#include "checkpoint/pickle/pickle.h"

namespace sda {

class ImageReader;

enum class FileKind { kZip, kLegacy, kTar, kPickle };

// The number 0x1950a86a20f9469cfc6c, little-endian, which a legacy file holds in its first pickle.
// The pickle of the magic number by protocols 0 and 1.
inline constexpr std::string_view kLegacyMagicText = "L119547037146038801333356L\n.";
inline constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

// Tells the container from the file's first bytes. Throws kFormat, with the kind of file that it
// looks like, for anything else, and without `any_container` also for a tar archive or a pickle.
FileKind sniff(const File& file, bool any_container);

// A sorted map, not a hash table: the hash function is known, and a hostile file may choose 100,000
// keys with the same hash.
using StoragesByKey = std::map<std::string_view, Storage*>;

class ZipReader : StorageSource {
 public:
  ZipReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  // A pickle of the archive. The bytes of its storage "0" are in the record `prefix` + "0" +
  // `suffix`.
  struct Part {
    std::string name;
    std::string_view prefix, suffix;
    std::string_view bytes;
  };

  Value load(const Value& persistent_id) override;
  void check_kind();
  void check_local_headers();
  void take_pickles();
  void parse_pickles();
  Value script(const std::vector<Value>& parts);
  Value package(const std::vector<Value>& parts);
  Value reduced(const Tuple& id);
  std::vector<bool> wanted_records() const;
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
  // Empty storages, which have no record, by prefix and key
  std::map<std::pair<std::string_view, std::string_view>, Storage*> recordless_;
  std::vector<Part> parts_;
  const Part* part_ = nullptr;  // whose pickle is read
};

class LegacyReader : StorageSource {
 public:
  LegacyReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  Value load(const Value& persistent_id) override;
  bool parse(std::size_t prefix);
  void place_storages();

  const File& file_;
  const OpenOptions& options_;
  Document& document_;
  bool big_endian_ = false;  // the machine that wrote the file
  std::uint64_t pickles_end_ = 0;
  std::vector<Storage*> in_file_order_;
  StoragesByKey storages_;
  StoragesByKey views_;
};

// A tar archive of PyTorch before 0.1.10, with the members "storages", "tensors" and "pickle".
// Source: torch.serialization._legacy_load.
class TarReader : StorageSource {
 public:
  TarReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  struct Member {
    std::uint64_t begin = 0, end = 0;
  };

  Value load(const Value& persistent_id) override;
  void find_members();
  const Member& member(const std::string& name) const;
  Value next_pickle(std::uint64_t& at, std::uint64_t end, StorageSource* storages);
  void read_storages();
  void read_tensors();

  const File& file_;
  const OpenOptions& options_;
  Document& document_;
  std::map<std::string, Member> members_;
  std::vector<Storage*> in_file_order_;
  std::map<std::string, Object*> objects_;  // storages and tensors by their keys
};

// A pickle that is a whole file. joblib writes the elements of arrays between its opcodes.
class PickleReader {
 public:
  PickleReader(const File& file, const OpenOptions& options, Document& document);
  void read();

 private:
  const File& file_;
  const OpenOptions& options_;
  Document& document_;
};

// Gives storages that lie in the file one after the other their bytes, as `options.hold` says, and
// then the views of them.
void load_storages(const File& file, const OpenOptions& options,
                   const std::vector<Storage*>& in_file_order, const Arena& arena);

// A checked persistent id of a storage: ("storage", class, key, location, size, …). Points into the
// pickle.
struct StorageId {
  std::optional<DType> dtype;
  std::string_view key, location;
  std::uint64_t byte_size;
  const Values* items;
};
StorageId parse_storage_id(const Value& persistent_id, std::size_t min_items, std::size_t max_items,
                           Arena& arena);

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
