#include "checkpoint/io/writer_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <utility>

#include "checkpoint/error.h"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace sda {
namespace {

constexpr std::size_t kGather = std::size_t{64} << 10;
// A limit on one write() call: larger calls are not faster.
constexpr std::size_t kWriteAtMost = std::size_t{1} << 20;
constexpr std::string_view kTempPrefix = ".sda-";
constexpr std::string_view kTempSuffix = ".tmp";
constexpr int kNameAttempts = 100;

[[noreturn]] void throw_errno(int number, const std::string& path, const std::string& doing) {
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              doing + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

[[noreturn]] void throw_errno(const std::string& path, const std::string& doing) {
  throw_errno(errno, path, doing);
}

template <typename F>
auto retried(F&& call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

std::string join(const std::string& folder, std::string_view name) {
  return folder + (folder.empty() || folder.back() == '/' ? "" : "/") + std::string(name);
}

// "name", "name_1", "name_2", …
std::string numbered(std::string_view stem, std::uint64_t suffix) {
  std::string name(stem);
  if (suffix > 0) name.append("_").append(std::to_string(suffix));
  return name;
}

// In clock ticks since the system started. A pid and a start time together identify one process.
std::string process_start_time() {
  std::array<char, 1024> text{};
  std::FILE* stat = std::fopen("/proc/self/stat", "re");
  if (stat == nullptr) return "0";
  const std::size_t size = std::fread(text.data(), 1, text.size() - 1, stat);
  std::fclose(stat);
  // The program's name stands in parentheses and may hold any character. The start time is the 20th
  // field after it.
  std::string_view rest(text.data(), size);
  rest.remove_prefix(std::min(rest.size(), rest.rfind(')') + 1));
  for (int field = 0; field < 20; ++field) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return "0";
    rest.remove_prefix(space + 1);
  }
  return std::string(rest.substr(0, rest.find(' ')));
}

std::string temp_name() {
  static const std::string process =
      std::string(kTempPrefix) + std::to_string(::getpid()) + "-" + process_start_time() + "-";
  std::random_device random;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%08x%08x", random(), random());
  return process + digits.data() + std::string(kTempSuffix);
}

bool is_temp_name(std::string_view name) {
  if (name.size() <= kTempPrefix.size() + kTempSuffix.size() ||
      name.substr(0, kTempPrefix.size()) != kTempPrefix ||
      name.substr(name.size() - kTempSuffix.size()) != kTempSuffix)
    return false;
  // TempFile's names have two dashes. Those of lib/base/temporary-files.ts have more: their files
  // are not locked.
  return std::count(name.begin() + static_cast<std::ptrdiff_t>(kTempPrefix.size()), name.end(),
                    '-') == 2;
}

// Gives `from` the name `to`; false if the name `to` is taken.
bool rename_without_replacing(const std::string& from, const std::string& to) {
#if defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kNoReplace = 1;
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), kNoReplace) == 0)
    return true;
  if (errno == EEXIST) return false;
  if (errno != ENOSYS && errno != EINVAL) throw_errno(to, "cannot create");
#elif defined(__APPLE__)
  if (::renamex_np(from.c_str(), to.c_str(), RENAME_EXCL) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno != ENOTSUP && errno != EINVAL) throw_errno(to, "cannot create");
#endif
  // On a file system without that flag: a hard link adds the new name, then the old one is removed.
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return true;
  }
  if (errno == EEXIST) return false;
  if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP && errno != ENOSYS &&
      errno != EMLINK)
    throw_errno(to, "cannot create");
  // On a file system without hard links (FAT): an empty file reserves the name, then a rename
  // replaces it.
  const int taken =
      retried([&] { return ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (taken < 0) {
    if (errno == EEXIST) return false;
    throw_errno(to, "cannot create");
  }
  ::close(taken);
  if (::rename(from.c_str(), to.c_str()) == 0) return true;
  const int number = errno;
  ::unlink(to.c_str());
  throw_errno(number, to, "cannot create");
}

// Makes a rename survive a power cut. A file system that cannot sync a folder is not an error.
void sync_folder(const std::string& folder) {
  const int descriptor =
      retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return;  // a folder that we may write to, but not list
  const int result = retried([&] { return ::fsync(descriptor); });
  const int number = errno;
  ::close(descriptor);
  if (result != 0 && (number == EIO || number == ENOSPC || number == EDQUOT))
    throw_errno(number, folder, "cannot sync");
}

}  // namespace

OutputFile::OutputFile(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)), buffer_(new char[kGather]) {}

void OutputFile::write(const void* data, std::size_t size) {
  position_ += size;
  const auto* from = static_cast<const char*>(data);
  if (size <= kGather - gathered_) {
    if (size > 0) std::memcpy(buffer_.get() + gathered_, from, size);
    gathered_ += size;
    return;
  }
  flush();
  if (size < kGather) {
    std::memcpy(buffer_.get(), from, size);
    gathered_ = size;
  } else {
    write_through(from, size);
  }
}

void OutputFile::flush() {
  write_through(buffer_.get(), gathered_);
  gathered_ = 0;
}

void OutputFile::write_through(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written =
        retried([&] { return ::write(descriptor_, data, std::min(size, kWriteAtMost)); });
    if (written < 0) throw_errno(path_, "cannot write");
    if (written == 0) throw_errno(EIO, path_, "cannot write");
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

TempFile::TempFile(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    path_ = join(folder_, temp_name());
    descriptor_ =
        retried([&] { return ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor_ < 0) {
      if (errno == EEXIST) continue;
      throw_errno(path_, "cannot create");
    }
    // Until the file is locked, another process may take it for a dead writer's file and remove it.
    // Then this loop makes another file.
    struct stat info;
    const int locked = retried([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); });
    if (locked != 0 && errno != EWOULDBLOCK)
      return;  // a file system without locks: no process removes temporary files here
    if (locked == 0 && ::fstat(descriptor_, &info) == 0 && info.st_nlink > 0) return;
    ::close(descriptor_);
    descriptor_ = -1;
  }
  throw_errno(EEXIST, folder_, "cannot create a temporary file in");
}

TempFile::~TempFile() {
  if (descriptor_ < 0) return;
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

void TempFile::sync() {
  if (retried([&] { return ::fsync(descriptor_); }) == 0) return;
  // Some file systems cannot sync, such as those of FUSE programs: there is nothing to wait for.
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP && errno != EOPNOTSUPP)
    throw_errno(path_, "cannot sync");
}

void TempFile::published(const std::string& path) {
  path_.clear();
  const int descriptor = std::exchange(descriptor_, -1);
  // Network file systems report failed writes here.
  if (::close(descriptor) != 0 && errno != EINTR) throw_errno(path, "cannot close");
  sync_folder(folder_);
}

std::string free_stem(const std::string& folder, std::string_view stem,
                      std::string_view extension) {
  for (std::uint64_t suffix = 0;; ++suffix) {
    const std::string candidate = numbered(stem, suffix);
    struct stat info;
    if (::lstat(join(folder, candidate + std::string(extension)).c_str(), &info) != 0)
      return candidate;
  }
}

std::string TempFile::publish_new(std::string_view stem, std::string_view extension) {
  sync();
  for (std::uint64_t suffix = 0;; ++suffix) {
    const std::string path = join(folder_, numbered(stem, suffix) + std::string(extension));
    if (!rename_without_replacing(path_, path)) continue;
    try {
      published(path);
    } catch (...) {
      ::unlink(path.c_str());  // the name may not survive a power cut, so it is not left there
      throw;
    }
    return path;
  }
}

void TempFile::publish_over(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode))
      throw Error(ErrorCode::kArgument, "'" + path + "' is not a regular file").with("path", path);
    // Best effort: some file systems have no permissions.
    static_cast<void>(::fchmod(descriptor_, info.st_mode & 07777) == 0);
  }
  sync();
  if (::rename(path_.c_str(), path.c_str()) != 0) throw_errno(path, "cannot replace");
  published(path);
}

std::size_t remove_stale_temps(const std::string& folder) {
  DIR* const directory = ::opendir(folder.c_str());
  if (directory == nullptr) throw_errno(folder, "cannot list");
  const std::unique_ptr<DIR, int (*)(DIR*)> owner(directory, ::closedir);
  std::size_t removed = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (!is_temp_name(entry->d_name)) continue;
    const std::string path = join(folder, entry->d_name);
    // O_NONBLOCK: opening must not wait, even when the name belongs to a FIFO.
    const int descriptor = retried(
        [&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); });
    if (descriptor < 0) continue;
    struct stat info;
    if (::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) &&
        ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0)
      ++removed;
    ::close(descriptor);
  }
  return removed;
}

std::string follow_links(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;  // missing or unreachable; creating the file reports an error
  const std::unique_ptr<char, void (*)(void*)> owner(real, std::free);
  return real;
}

}  // namespace sda
