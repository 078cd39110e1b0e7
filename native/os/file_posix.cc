#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "os/file.h"
#include "os/posix.h"

namespace sda::os {
namespace {

constexpr mode_t kForAll = 0666;

FileInfo converted(const struct stat& info) {
  const auto type_of = [](mode_t mode) {
    if (S_ISREG(mode)) return FileType::kRegular;
    if (S_ISDIR(mode)) return FileType::kFolder;
    return S_ISLNK(mode) ? FileType::kLink : FileType::kOther;
  };
  FileInfo result;
  result.type = type_of(info.st_mode);
  result.mode = info.st_mode & 07777;
  result.links = info.st_nlink;
  result.device = static_cast<std::uint64_t>(info.st_dev);
  result.inode = info.st_ino;
  result.size = static_cast<std::uint64_t>(info.st_size);
  result.modified = modified_ns(info);
  result.changed = changed_ns(info);
  return result;
}

}  // namespace

// O_NONBLOCK: opening a FIFO must not wait for its writer.
Handle open_to_read(const std::string& path) {
  return handle_of(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

Handle open_to_remove(const std::string& path) {
  return handle_of(retried(
      [&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); }));
}

Handle create_new(const std::string& path) {
  return handle_of(retried(
      [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kForAll); }));
}

// A lock needs no permission to write, except over NFS, so the file is opened for reading where its
// permissions allow no more. O_CREAT comes last: in a folder like /tmp the system refuses it for a
// file of another user.
Handle open_to_lock(const std::string& path) {
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
  for (;;) {
    int descriptor = ::open(path.c_str(), O_RDWR | kFlags);
    if (descriptor < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
      descriptor = ::open(path.c_str(), O_RDONLY | kFlags);
    if (descriptor < 0 && errno == ENOENT) {
      descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kFlags, kForAll);
      if (descriptor < 0 && errno == EEXIST) continue;
    }
    if (descriptor >= 0 || errno != EINTR) return handle_of(descriptor);
  }
}

bool close(Handle file) {
  // After EINTR the descriptor is closed all the same.
  return ::close(descriptor_of(file)) == 0 || errno == EINTR;
}

std::optional<FileInfo> info_of(Handle file) {
  struct stat info;
  if (::fstat(descriptor_of(file), &info) != 0) return std::nullopt;
  return converted(info);
}

std::optional<FileInfo> info_at(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return converted(info);
}

std::optional<FileInfo> info_of_name(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return converted(info);
}

std::ptrdiff_t read_at(Handle file, void* to, std::size_t size, std::uint64_t offset) {
  return retried(
      [&] { return ::pread(descriptor_of(file), to, size, static_cast<off_t>(offset)); });
}

std::ptrdiff_t append(Handle file, const void* from, std::size_t size) {
  return retried([&] { return ::write(descriptor_of(file), from, size); });
}

bool set_mode(Handle file, unsigned mode) {
  return ::fchmod(descriptor_of(file), static_cast<mode_t>(mode)) == 0;
}

// flock(), not fcntl(): the lock belongs to this descriptor alone. Two libraries in one process
// therefore exclude each other, and closing another descriptor of the file keeps the lock.
bool try_lock(Handle file) {
  return retried([&] { return ::flock(descriptor_of(file), LOCK_EX | LOCK_NB); }) == 0;
}

// flock() is missing on some network file systems and in some FUSE programs. Over NFS, an exclusive
// lock needs a file that is open for writing, and otherwise fails with EBADF.
bool is_lock_unsupported(int number) {
  return number == ENOLCK || number == ENOSYS || number == EOPNOTSUPP || number == ENOTSUP ||
         number == EINVAL || number == EBADF;
}

bool can_lock_in(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return true;
  const bool supported = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0 || !is_lock_unsupported(errno);
  ::close(descriptor);
  return supported;
}

bool remove_file(const std::string& path) { return ::unlink(path.c_str()) == 0; }

std::optional<std::vector<std::string>> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  if (!directory) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) names.emplace_back(entry->d_name);
  return names;
}

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) return std::nullopt;
  return real.get();
}

}  // namespace sda::os
