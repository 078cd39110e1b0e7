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

constexpr mode_t kForAll = 0666;

[[noreturn]] void refuse(const std::string& path, const std::string& problem, int number) {
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              "cannot lock '" + path + "': " + problem)
      .with("path", path)
      .with("errno", std::int64_t{number});
}

[[noreturn]] void throw_errno(const std::string& path, int number) {
  if (number == ELOOP)
    refuse(path, "it is a symbolic link, which is not followed; delete it", number);
  refuse(path, std::strerror(number), number);
}

// flock() is missing on some network file systems and in some FUSE programs. Over NFS, an exclusive
// lock needs a file that is open for writing, and otherwise fails with EBADF.
bool is_unsupported(int number) {
  return number == ENOLCK || number == ENOSYS || number == EOPNOTSUPP || number == ENOTSUP ||
         number == EINVAL || number == EBADF;
}

[[noreturn]] void throw_unsupported(const std::string& path, int number) {
  throw Error(ErrorCode::kIo, "cannot lock '" + path +
                                  "': the file system does not support flock() (" +
                                  std::strerror(number) + ")")
      .with("path", path)
      .with("errno", std::int64_t{number})
      .with("unsupported", std::int64_t{1});
}

// Whether the path still names the file behind the descriptor. Another program may have removed it.
bool still_named(int descriptor, const std::string& path) {
  struct stat held;
  struct stat named;
  return ::fstat(descriptor, &held) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// Opens the file, and creates it if it is missing. A lock needs no permission to write, except over
// NFS, so the file is opened for reading where its permissions allow no more. O_CREAT comes last:
// in a folder like /tmp the system refuses it for a file of another user.
int open_lock(const std::string& path) {
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
  for (;;) {
    int descriptor = ::open(path.c_str(), O_RDWR | kFlags);
    if (descriptor < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
      descriptor = ::open(path.c_str(), O_RDONLY | kFlags);
    if (descriptor < 0 && errno == ENOENT) {
      descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kFlags, kForAll);
      if (descriptor < 0 && errno == EEXIST) continue;
    }
    if (descriptor >= 0 || errno != EINTR) return descriptor;
  }
}

}  // namespace

std::unique_ptr<FolderLock> FolderLock::try_acquire(const std::string& path) {
  for (;;) {
    const int descriptor = open_lock(path);
    if (descriptor < 0) throw_errno(path, errno);
    std::unique_ptr<FolderLock> lock(new FolderLock(descriptor));
    struct stat info;
    if (::fstat(descriptor, &info) != 0) throw_errno(path, errno);
    if (!S_ISREG(info.st_mode)) refuse(path, "it is not a regular file; delete it", EINVAL);
    // Whoever may change the folder may lock it: the umask of the user that made the file must not
    // keep others out. Only the owner can set the mode, and not on every file system.
    if ((info.st_mode & kForAll) != kForAll)
      static_cast<void>(::fchmod(descriptor, (info.st_mode & 07777) | kForAll) == 0);
    // flock(), not fcntl(): the lock belongs to this descriptor alone. Two libraries in one process
    // therefore exclude each other, and closing another descriptor of the file keeps the lock.
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      if (number == EWOULDBLOCK) return nullptr;
      if (number == EINTR) continue;
      if (is_unsupported(number)) throw_unsupported(path, number);
      throw_errno(path, number);
    }
    if (still_named(descriptor, path)) return lock;
  }
}

bool FolderLock::is_supported(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return true;
  const bool supported = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0 || !is_unsupported(errno);
  ::close(descriptor);
  return supported;
}

void FolderLock::release() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace sda::library
