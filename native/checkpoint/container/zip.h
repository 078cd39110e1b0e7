// The directory of a torch.save zip archive. Stricter than unzip: entries are stored, unencrypted,
// inside the file, disjoint, under one top folder, and their local headers, descriptors and
// central headers say the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/io/file.h"

namespace sda {

struct ZipRecord {
  std::string name;             // without the top folder: "data.pkl", "data/0"
  std::uint64_t header_offset;  // of the local header
  std::uint64_t data_offset;    // known after check_local_header
  std::uint64_t size;
  std::uint32_t crc;
  std::uint16_t flags;
  std::uint64_t limit;  // where the next record or the central directory begins
};

class ZipDirectory {
 public:
  // Reads the central directory from the end of the file.
  explicit ZipDirectory(const File& file);

  const std::string& top_folder() const noexcept { return top_folder_; }
  std::vector<ZipRecord>& records() noexcept { return records_; }  // by offset
  const std::vector<ZipRecord>& records() const noexcept { return records_; }
  ZipRecord* find(std::string_view name) noexcept;

  // Every CRC is zero: the file was written with CRC calculation switched off.
  bool without_crcs() const noexcept { return without_crcs_; }

  // Bytes in front of the central directory; records lie inside.
  std::uint64_t records_end() const noexcept { return records_end_; }

 private:
  void read_end(const File& file);
  void read_entries(const File& file);
  void check_order(const File& file);

  std::string top_folder_;
  std::vector<ZipRecord> records_;
  std::vector<std::size_t> by_name_;  // indices, sorted
  std::uint64_t records_end_ = 0;
  std::uint64_t directory_size_ = 0;
  std::uint64_t entry_count_ = 0;
  bool without_crcs_ = false;
};

// Reads `size` bytes of the file from `offset`; the caller decides from what.
using ByteReader = std::function<void(std::uint64_t offset, void* to, std::size_t size)>;

// Checks the record's local header and, if it has one, its data descriptor against the central
// directory, and sets data_offset.
void check_local_header(ZipRecord& record, std::string_view top_folder, const std::string& path,
                        const ByteReader& read);

}  // namespace sda
