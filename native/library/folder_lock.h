// A lock between processes. The kernel releases it when the holder's process ends in any way. Not
// thread-safe.
#pragma once

#include <memory>
#include <string>

namespace sda::library {

class FolderLock {
 public:
  // Returns at once: null when another holder has the lock, in this process or another. Creates the
  // file at `path`, which must never be removed: two holders could then lock two files of the same
  // name. Throws kNotFound when the folder is missing, and kIo.
  static std::unique_ptr<FolderLock> try_acquire(const std::string& path);

  ~FolderLock() { release(); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Releases the lock; a second call does nothing.
  void release() noexcept;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace sda::library
