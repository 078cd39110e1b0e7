// The directory of a zip archive. It is stricter than unzip: entries must be unencrypted, inside
// the file and disjoint, and their local headers, data descriptors and central headers must agree.
// In an archive of torch.save, they must also be uncompressed and in one top folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/io/file.h"

namespace sda {

struct ZipRecord {
  std::string name;             // without the top folder, if there is one: "data.pkl", "data/0"
  std::uint64_t header_offset;  // where the local header begins
  std::uint64_t data_offset;    // where the data begins; set by check_local_header()
  std::uint64_t size;
  std::uint64_t stored;  // the size in the file
  std::uint16_t method;  // 0: uncompressed; 8: deflated
  std::uint32_t crc;     // 0: written without computing one
  std::uint16_t flags;
  std::uint64_t limit;  // where the next record or the central directory begins

  bool has_crc(std::uint32_t found) const noexcept { return crc == 0 || crc == found; }
};

enum class Archive { kTorchSave, kAny };

class ZipDirectory {
 public:
  // Reads the central directory from the end of the file.
  explicit ZipDirectory(const File& file, Archive kind = Archive::kTorchSave);

  const std::string& top_folder() const noexcept { return top_folder_; }
  std::vector<ZipRecord>& records() noexcept { return records_; }  // sorted by offset
  const std::vector<ZipRecord>& records() const noexcept { return records_; }
  ZipRecord* find(std::string_view name) noexcept;

  // The offset of the central directory. All records lie before it.
  std::uint64_t records_end() const noexcept { return records_end_; }

 private:
  void read_end(const File& file);
  void read_entries(const File& file);
  void check_order(const File& file);

  void check_top_folder(std::string_view name, const File& file, std::uint64_t entry_offset) const;

  Archive kind_;
  std::string top_folder_;
  std::vector<ZipRecord> records_;
  std::vector<std::size_t> by_name_;  // indices into records_, sorted by name
  std::uint64_t records_end_ = 0;
  std::uint64_t directory_size_ = 0;
  std::uint64_t entry_count_ = 0;
};

// Reads `size` bytes at `offset` of the file, from wherever the caller has them.
using ByteReader = std::function<void(std::uint64_t offset, void* to, std::size_t size)>;

// Checks the record's local header, and its data descriptor if it has one, against the central
// directory. Sets data_offset.
void check_local_header(ZipRecord& record, std::string_view top_folder, const std::string& path,
                        const ByteReader& read);

// The records of any archive, with their full names and checked local headers.
std::vector<ZipRecord> list_archive(const File& file);

}  // namespace sda
