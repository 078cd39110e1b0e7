// A lock between processes that the kernel releases when its holder dies, however it dies.
#pragma once

#include <memory>
#include <string>

namespace sda::library {

class FolderLock {
 public:
  // Null when somebody else holds it, in this process or in another. Creates the file, which
  // stays for good: removing it would let two holders hold two files of the same name.
  // Throws kNotFound (no such folder) and kIo.
  static std::unique_ptr<FolderLock> try_acquire(const std::string& path);

  ~FolderLock() { release(); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  void release() noexcept;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace sda::library
