// The directory of a torch.save zip archive. It is stricter than unzip: entries must be
// uncompressed, unencrypted, inside the file, disjoint and in one top folder, and their local
// headers, data descriptors and central headers must agree.
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
  std::uint64_t header_offset;  // where the local header begins
  std::uint64_t data_offset;    // where the data begins; set by check_local_header()
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
  std::vector<ZipRecord>& records() noexcept { return records_; }  // sorted by offset
  const std::vector<ZipRecord>& records() const noexcept { return records_; }
  ZipRecord* find(std::string_view name) noexcept;

  // Whether every CRC is zero: the file was written without computing CRCs.
  bool without_crcs() const noexcept { return without_crcs_; }

  // The offset of the central directory. All records lie before it.
  std::uint64_t records_end() const noexcept { return records_end_; }

 private:
  void read_end(const File& file);
  void read_entries(const File& file);
  void check_order(const File& file);

  std::string top_folder_;
  std::vector<ZipRecord> records_;
  std::vector<std::size_t> by_name_;  // indices into records_, sorted by name
  std::uint64_t records_end_ = 0;
  std::uint64_t directory_size_ = 0;
  std::uint64_t entry_count_ = 0;
  bool without_crcs_ = false;
};

// Reads `size` bytes at `offset` of the file, from wherever the caller has them.
using ByteReader = std::function<void(std::uint64_t offset, void* to, std::size_t size)>;

// Checks the record's local header, and its data descriptor if it has one, against the central
// directory. Sets data_offset.
void check_local_header(ZipRecord& record, std::string_view top_folder, const std::string& path,
                        const ByteReader& read);

}  // namespace sda
