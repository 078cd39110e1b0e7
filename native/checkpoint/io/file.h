// A file opened for reading, and memory that holds bytes of it.
// A File may be read from several threads; everything throws sda::Error with the path in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "checkpoint/cancel.h"
#include "checkpoint/error.h"

namespace sda {

using Bytes = std::span<const std::byte>;

// Thrown instead of waiting, by what has been told not to wait. No error: the caller tries again
// where waiting does no harm.
struct WouldWait {};

enum class Waiting { kAllowed, kNever };

class File {
 public:
  // Regular files only: a directory, a socket or a FIFO is an error, not a hang.
  // With kNever, opening and reading throw WouldWait for whatever isn't in the kernel's caches
  // (and, where the kernel cannot tell, always).
  explicit File(std::string path, Waiting waiting = Waiting::kAllowed);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::uint64_t size() const noexcept { return size_; }  // when it was opened
  int descriptor() const noexcept { return fd_; }        // for copies by the kernel; stays ours

  // Reads exactly `size` bytes; fewer, because the file shrank meanwhile, is kCorrupt.
  void read_at(std::uint64_t offset, void* to, std::size_t size) const;

  Waiting waiting() const noexcept { return waiting_; }
  // Before work that takes a while: WouldWait if it has been told not to wait.
  void before_waiting() const {
    if (waiting_ == Waiting::kNever) throw WouldWait();
  }

 private:
  friend class MappedFile;
  std::string path_;
  Waiting waiting_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// Memory of its own, page-aligned, in huge pages where the kernel gives them: faulting in small
// pages costs more than reading the file from the page cache does. Its contents are undefined. The
// memory of a buffer that goes is kept for the next one, up to 32 MiB in the process.
class PageBuffer {
 public:
  struct Region {
    void* address = nullptr;
    std::size_t size = 0;
  };

  explicit PageBuffer(std::size_t size);
  ~PageBuffer();
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;

  std::byte* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  Region region_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole file mapped copy-on-write: pages are shared with every other process that maps it
// until somebody writes to them, and writes never reach the file.
// If another program truncates the file, touching a page past its new end raises SIGBUS.
class MappedFile {
 public:
  explicit MappedFile(const File& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::byte* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sda
