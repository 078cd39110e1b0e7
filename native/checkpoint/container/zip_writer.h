// Writes a zip archive as torch.save does: uncompressed records in one top folder, their data at
// multiples of 64 bytes, CRCs and sizes in data descriptors, and zip64 fields where a number needs
// them. Lives on one thread; `out` must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/io/writer_file.h"

namespace sda {

class ZipWriter {
 public:
  ZipWriter(OutputFile& out, std::string_view top_folder) : out_(out), top_folder_(top_folder) {}

  // Begins a record of `size` bytes. The caller then passes them to write(), or appends them to the
  // output directly and calls set_crc(). end() completes the record.
  void begin(std::string_view name, std::uint64_t size);
  void write(const void* data, std::size_t size);
  void set_crc(std::uint32_t crc) noexcept { records_.back().crc = crc; }
  void end();

  void add(std::string_view name, std::string_view content);

  // Writes the central directory, which ends the archive.
  void finish();

  // 40 digits that identify the content, as PyTorch stores them in every file.
  std::string serialization_id() const;

 private:
  struct Record {
    std::string name;
    std::uint64_t offset, size;
    std::uint32_t crc;
    std::uint16_t flags;
    bool is_zip64() const noexcept;
  };
  static std::string zip64_extra(const Record& record);

  OutputFile& out_;
  std::string top_folder_;
  std::vector<Record> records_;
};

}  // namespace sda
