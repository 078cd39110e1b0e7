// A file opened for reading, and memory for its bytes. Several threads may read one File at the
// same time. Errors are sda::Error with the path in their details.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/error.h"
#include "os/file.h"

namespace sda {

using Bytes = std::span<const std::byte>;

// Thrown in place of waiting for the disk, by a File of Waiting::kNever. The caller then repeats
// the whole call on a thread that may wait.
struct WouldWait {};

enum class Waiting { kAllowed, kNever };

class PageBuffer;

// Bytes of a file that are in memory.
struct FilePart {
  std::uint64_t offset;
  std::shared_ptr<PageBuffer> bytes;
};

// Thrown in place of reading bytes that are in none of a File's parts.
struct PartMissing {
  std::uint64_t offset, size;
};

class File {
 public:
  // Opens regular files only: a directory, a socket or a FIFO is an error, not a hang. With kNever,
  // opening and reading throw WouldWait for data that is not in the kernel's caches; where the
  // kernel cannot tell, they always throw it.
  explicit File(std::string path, Waiting waiting = Waiting::kAllowed);
  // A file in memory, which must outlive the File. `name` stands for the path in errors. It has no
  // handle and cannot be mapped.
  File(std::string name, Bytes content);
  // A file of which these parts, sorted and disjoint, are in memory. Reading others throws
  // PartMissing.
  File(std::string name, std::uint64_t size, std::vector<FilePart> parts);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::uint64_t size() const noexcept { return size_; }   // at the time of opening
  os::Handle handle() const noexcept { return handle_; }  // the File closes it

  // The whole content, if that is in memory of the File's own; it may be changed. Else null.
  std::shared_ptr<PageBuffer> content() const;

  // Throws PartMissing for a file of which only some parts are in memory.
  void need_all() const;

  // Reads exactly `size` bytes. Throws kCorrupt when the file has become shorter meanwhile.
  void read_at(std::uint64_t offset, void* to, std::size_t size) const;

  Waiting waiting() const noexcept { return waiting_; }
  // Called before work that takes a while: throws WouldWait if this File must not wait.
  void before_waiting() const {
    if (waiting_ == Waiting::kNever) throw WouldWait();
  }

 private:
  void read_parts(std::uint64_t offset, std::byte* to, std::size_t size) const;

  std::string path_;
  Waiting waiting_;
  os::Handle handle_ = os::Handle::kNone;
  std::uint64_t size_ = 0;
  const std::byte* memory_ = nullptr;
  std::vector<FilePart> parts_;
  bool has_parts_ = false;
};

// Page-aligned memory, uninitialised. It is in huge pages where the kernel provides them: faulting
// in small pages costs more than reading the file from the page cache. A destroyed buffer leaves
// its memory to the next one, up to 32 MiB in the process.
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

// The whole file mapped copy-on-write. Processes that map the same file share its pages; a write
// makes a private copy of the page and never reaches the file. The mapping stays valid after the
// File is closed. If another program truncates the file, which Windows refuses, access to a page
// beyond its new end raises SIGBUS.
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

// A whole file in memory, which may be changed without changing the file: content(), or else a
// mapping.
struct WholeFile {
  explicit WholeFile(const File& file);
  std::byte* data;
  std::shared_ptr<const void> owner;
};

}  // namespace sda
