#include "library/folder_lock.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "checkpoint/error.h"

namespace sda::library {
namespace {

constexpr unsigned kForAll = 0666;

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

[[noreturn]] void throw_unsupported(const std::string& path, int number) {
  throw Error(ErrorCode::kIo, "cannot lock '" + path +
                                  "': the file system does not support flock() (" +
                                  std::strerror(number) + ")")
      .with("path", path)
      .with("errno", std::int64_t{number})
      .with("unsupported", std::int64_t{1});
}

// Whether the path still names the open file. Another program may have removed it.
bool still_named(os::Handle file, const std::string& path) {
  const auto held = os::info_of(file);
  const auto named = os::info_of_name(path);
  return held && named && held->device == named->device && held->inode == named->inode;
}

}  // namespace

std::unique_ptr<FolderLock> FolderLock::try_acquire(const std::string& path) {
  for (;;) {
    const os::Handle file = os::open_to_lock(path);
    if (file == os::Handle::kNone) throw_errno(path, errno);
    std::unique_ptr<FolderLock> lock(new FolderLock(file));
    const auto info = os::info_of(file);
    if (!info) throw_errno(path, errno);
    if (info->type != os::FileType::kRegular)
      refuse(path, "it is not a regular file; delete it", EINVAL);
    // Whoever may change the folder may lock it: the umask of the user that made the file must not
    // keep others out. Only the owner can set the mode, and not on every file system.
    if ((info->mode & kForAll) != kForAll)
      static_cast<void>(os::set_mode(file, info->mode | kForAll));
    if (!os::try_lock(file)) {
      const int number = errno;
      if (number == EWOULDBLOCK) return nullptr;
      if (os::is_lock_unsupported(number)) throw_unsupported(path, number);
      throw_errno(path, number);
    }
    if (still_named(file, path)) return lock;
  }
}

bool FolderLock::is_supported(const std::string& folder) { return os::can_lock_in(folder); }

void FolderLock::release() noexcept {
  if (file_ != os::Handle::kNone) os::close(file_);
  file_ = os::Handle::kNone;
}

}  // namespace sda::library
