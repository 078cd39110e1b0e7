// Small reads from a file, mostly forwards, through a window of the file in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "checkpoint/error.h"
#include "checkpoint/io/file.h"

namespace sda {

// In a zip archive, a local header follows the data descriptor of the record before it, so one
// small read serves both. Not thread-safe. Does not own the file, which must outlive the reader.
class WindowReader {
 public:
  explicit WindowReader(const File& file) : file_(file) {}
  void operator()(std::uint64_t offset, void* to, std::size_t size) {
    if (offset < start_ || offset + size > start_ + window_.size()) {
      start_ = offset;
      const std::uint64_t left = file_.size() > offset ? file_.size() - offset : 0;
      window_.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(left, std::max<std::size_t>(size, kWindow))));
      file_.read_at(offset, window_.data(), window_.size());
      if (window_.size() < size)
        throw Error(ErrorCode::kCorrupt, "a zip header reaches past the end of the file")
            .with("offset", static_cast<std::int64_t>(offset));
    }
    std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(offset - start_), size,
                static_cast<std::byte*>(to));
  }

 private:
  static constexpr std::size_t kWindow = 4096;
  const File& file_;
  std::uint64_t start_ = 0;
  std::vector<std::byte> window_;
};

}  // namespace sda
