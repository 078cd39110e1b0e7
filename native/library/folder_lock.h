// A lock between processes. The kernel releases it when the holder's process ends in any way. Not
// thread-safe.
#pragma once

#include <memory>
#include <string>

#include "os/file.h"

namespace sda::library {

class FolderLock {
 public:
  // Returns at once: null when another holder has the lock, in this process or another. Creates the
  // file at `path`, which must never be removed: two holders could then lock two files of the same
  // name. Every user may lock it, whoever has made it; a symbolic link is not followed. Throws
  // kNotFound when the folder is missing, and kIo, with the detail "unsupported" where the file
  // system has no locks.
  static std::unique_ptr<FolderLock> try_acquire(const std::string& path);

  // False if files in this folder can't be locked; true if they can or if nobody can tell.
  static bool is_supported(const std::string& folder);

  ~FolderLock() { release(); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Releases the lock; a second call does nothing.
  void release() noexcept;

 private:
  explicit FolderLock(os::Handle file) : file_(file) {}
  os::Handle file_;
};

}  // namespace sda::library
