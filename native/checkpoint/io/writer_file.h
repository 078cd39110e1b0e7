// Files that come to be whole or not at all: written under a temporary name, synced, then given
// their own name in one step. Everything throws kIo (kNotFound for a missing folder) with the path
// and `errno` in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sda {

// Appends to an open file; small writes are gathered.
class OutputFile {
 public:
  // `path` is named in errors. Does not own the descriptor.
  OutputFile(int descriptor, std::string path);

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Bytes written so far, gathered ones included.
  std::uint64_t position() const noexcept { return position_; }
  void flush();

  // For copy_range: the descriptor, which stands at position() after a flush, and what to tell
  // after bytes were written to it directly.
  int descriptor() const noexcept { return descriptor_; }
  void advance(std::uint64_t bytes) noexcept { position_ += bytes; }
  const std::string& path() const noexcept { return path_; }

 private:
  void write_through(const char* data, std::size_t size);

  int descriptor_;
  std::string path_;
  std::uint64_t position_ = 0;
  std::size_t gathered_ = 0;
  std::unique_ptr<char[]> buffer_;
};

// The first of <stem>, <stem>_1, … for which there is no file with that extension now. Only a guess
// at what publish_new() will take: others may be faster.
std::string free_stem(const std::string& folder, std::string_view stem, std::string_view extension);

// A file under construction. It is locked while it is written: the kernel takes the lock away when
// the process ends, so that whoever gets the lock knows that the writer is gone.
class TempFile {
 public:
  // In `folder`, as ".sda-<pid>-<start time of the process>-<random>.tmp".
  explicit TempFile(std::string folder);
  // Removes what was not published.
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  const std::string& path() const noexcept { return path_; }

  // Syncs and names it <stem><extension>, or <stem>_1<extension>, … : the first that is not taken.
  // Never replaces a file. Returns the path.
  std::string publish_new(std::string_view stem, std::string_view extension);

  // Syncs and names it `path`, in place of the regular file that may be there, whose permissions
  // it takes over.
  void publish_over(const std::string& path);

 private:
  void sync();
  void published(const std::string& path);

  std::string folder_;
  std::string path_;
  int descriptor_ = -1;
};

// Removes temporary files of TempFile whose writers are dead; returns how many. Files of writers
// that live, in whatever process, are not touched.
std::size_t remove_stale_temps(const std::string& folder);

// The path that a write to `path` would end at: symbolic links followed.
std::string follow_links(const std::string& path);

}  // namespace sda
