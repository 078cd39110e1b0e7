// Reads the records of a zip archive into memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/container/zip.h"
#include "checkpoint/io/file.h"

namespace sda {

// Every record of `records`, their local headers checked, at its offset in the file. A large file
// is begun at once, on a thread of the reader's own, while the caller does something else.
// The arguments must outlive the reader.
class ImageReader {
 public:
  ImageReader(const File& file, const std::vector<ZipRecord>& records, std::uint64_t records_end,
              const CancelToken* cancel);
  ~ImageReader();  // ends the work, done or not
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  // Does what is left of the work, and throws what went wrong with any of it.
  void finish();

  // Afterwards: the bytes, and the CRC-32 of each record.
  const std::shared_ptr<PageBuffer>& image() const noexcept { return image_; }
  std::vector<std::uint32_t> checksums() const;

 private:
  struct Piece {
    std::size_t record;
    std::uint64_t begin, end;  // in the file
    std::uint32_t crc;
  };

  void start_helper();
  void work();

  const File& file_;
  const std::vector<ZipRecord>& records_;
  const CancelToken* cancel_;
  std::shared_ptr<PageBuffer> image_;
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::exception_ptr failure_;  // of the helper
  std::thread helper_;
};

}  // namespace sda
