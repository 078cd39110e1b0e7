#include "library/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "checkpoint/error.h"

namespace sda::library {
namespace {

[[noreturn]] void throw_errno(const std::string& path, int number) {
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              "cannot lock '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// Whether the path still names the file behind the descriptor. Another program may have removed it.
bool still_named(int descriptor, const std::string& path) {
  struct stat held;
  struct stat named;
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace

std::unique_ptr<FolderLock> FolderLock::try_acquire(const std::string& path) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (descriptor < 0) {
      if (errno == EINTR) continue;
      throw_errno(path, errno);
    }
    // flock(), not fcntl(): the lock belongs to this descriptor alone. Two libraries in one process
    // therefore exclude each other, and closing another descriptor of the file keeps the lock.
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      ::close(descriptor);
      if (number == EWOULDBLOCK) return nullptr;
      if (number == EINTR) continue;
      throw_errno(path, number);
    }
    if (still_named(descriptor, path))
      return std::unique_ptr<FolderLock>(new FolderLock(descriptor));
    ::close(descriptor);
  }
}

void FolderLock::release() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace sda::library
