// A zip archive as torch.save writes it: records stored under one top folder, their data at
// multiples of 64 bytes, sizes and CRCs in data descriptors, zip64 where a number needs it.
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

  // A record of `size` bytes, which must follow through write() or as `crc` of bytes that have been
  // appended to the output directly; then end().
  void begin(std::string_view name, std::uint64_t size);
  void write(const void* data, std::size_t size);
  void set_crc(std::uint32_t crc) noexcept { records_.back().crc = crc; }
  void end();

  void add(std::string_view name, std::string_view content);

  // The central directory; nothing can follow.
  void finish();

  // 40 digits that tell contents apart, as PyTorch stores them in every file.
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
