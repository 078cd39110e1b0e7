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

// Reads every record to the same offset in memory as in the file. The caller has checked the local
// headers. For a large file, the constructor starts a helper thread that reads while the caller
// does other work. The reader keeps references to its arguments, which must outlive it.
class ImageReader {
 public:
  // `wanted`: whether to read a record. Memory of others is not touched.
  ImageReader(const File& file, const std::vector<ZipRecord>& records, std::uint64_t records_end,
              const std::vector<bool>& wanted, const CancelToken* cancel);
  ~ImageReader();  // stops the helper thread, also in the middle of its work
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  // Reads the remaining pieces on the calling thread and waits for the helper. Rethrows an error of
  // either thread.
  void finish();

  // After finish(): the bytes, and the CRC-32 of each record that was read.
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
  bool in_place_;  // the file is in memory that may be changed
  std::shared_ptr<PageBuffer> image_;
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::exception_ptr failure_;  // thrown on the helper thread
  std::thread helper_;
};

}  // namespace sda
