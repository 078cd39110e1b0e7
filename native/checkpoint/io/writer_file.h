// Atomic file writing: a file is written under a temporary name, synced, and renamed to its own
// name in one step. Errors are kIo (kNotFound for a missing folder) with the path and `errno`. No
// class here is thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "os/file.h"

namespace sda {

// Appends to an open file. Small writes are gathered in a buffer.
class OutputFile {
 public:
  // Errors name `path`. The caller keeps and closes the file.
  OutputFile(os::Handle handle, std::string path);

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Bytes written so far, including those in the buffer.
  std::uint64_t position() const noexcept { return position_; }
  void flush();

  // For copy_range(), which writes to the file directly: after flush() the file ends at position(),
  // and advance() counts the bytes written past the buffer.
  os::Handle handle() const noexcept { return handle_; }
  void advance(std::uint64_t bytes) noexcept { position_ += bytes; }
  const std::string& path() const noexcept { return path_; }

 private:
  void write_through(const char* data, std::size_t size);

  os::Handle handle_;
  std::string path_;
  std::uint64_t position_ = 0;
  std::size_t gathered_ = 0;
  std::unique_ptr<char[]> buffer_;
};

// The first of <stem>, <stem>_1, … for which there is no file with that extension now.
// publish_new() may take a later one if another writer takes this name first.
std::string free_stem(const std::string& folder, std::string_view stem, std::string_view extension);

// A file under construction. It stays locked while it is written. The kernel releases the lock when
// the process ends, so a process that gets the lock knows that the writer is dead.
class TempFile {
 public:
  // Creates ".sda-<pid>-<start time of the process>-<random>.tmp" in `folder`.
  explicit TempFile(std::string folder);
  // Removes the file unless it was published.
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  os::Handle handle() const noexcept { return handle_; }
  const std::string& path() const noexcept { return path_; }

  // Syncs the file and renames it to <stem><extension>, <stem>_1<extension>, …: the first name that
  // is free. Never replaces a file. Returns the path.
  std::string publish_new(std::string_view stem, std::string_view extension);

  // Syncs the file and renames it to `path`. A regular file at `path` is replaced, and its
  // permissions are kept.
  void publish_over(const std::string& path);

 private:
  void sync();
  void published(const std::string& path);

  std::string folder_;
  std::string path_;
  os::Handle handle_ = os::Handle::kNone;
};

// Removes the temporary files of dead writers from `folder` and returns how many. Files of live
// writers in any process stay.
std::size_t remove_stale_temps(const std::string& folder);

// The path of the file that a write to `path` would reach, with symbolic links resolved.
std::string follow_links(const std::string& path);

}  // namespace sda
