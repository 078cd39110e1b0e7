#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>

#include "os/extras.h"
#include "os/posix.h"
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

namespace sda::os {
namespace {

// Whether the error says that the kernel or the file system does not support the call. Copying
// through memory would meet any other error again.
bool is_copy_unsupported(int number) {
  return number == ENOSYS || number == EXDEV || number == EINVAL || number == EOPNOTSUPP ||
         number == EPERM || number == EBADF;
}

}  // namespace

Handle open_cached([[maybe_unused]] const std::string& path) {
#if defined(SYS_openat2) && defined(RESOLVE_CACHED)  // Linux 5.12
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  how.resolve = RESOLVE_CACHED;
  return handle_of(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
#else
  return Handle::kNone;
#endif
}

std::ptrdiff_t read_cached_at([[maybe_unused]] Handle file, [[maybe_unused]] void* to,
                              [[maybe_unused]] std::size_t size,
                              [[maybe_unused]] std::uint64_t offset) {
#if defined(RWF_NOWAIT)
  const iovec piece{to, size};
  return ::preadv2(descriptor_of(file), &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
#else
  return 0;
#endif
}

std::int64_t copy_range(Handle from, std::uint64_t offset, Handle to, std::size_t size) {
  auto at = static_cast<off_t>(offset);
  const ssize_t copied = retried([&] {
    return ::copy_file_range(descriptor_of(from), &at, descriptor_of(to), nullptr, size, 0);
  });
  return copied < 0 && is_copy_unsupported(errno) ? 0 : copied;
}

Lease::Lease(int descriptor) {
  // When a program waits, the kernel signals the holder. The default, SIGIO, would end the
  // process; SIGURG is ignored by default.
  if (descriptor >= 0 && ::fcntl(descriptor, F_SETSIG, SIGURG) == 0 &&
      ::fcntl(descriptor, F_SETLEASE, F_WRLCK) == 0)
    descriptor_ = descriptor;
}

Lease::~Lease() {
  if (descriptor_ >= 0) ::fcntl(descriptor_, F_SETLEASE, F_UNLCK);
}

void Lease::answer_with(const std::string& path) const {
  if (descriptor_ < 0) return;
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file || content.empty()) return;
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t written = ::pwrite(descriptor_, content.data() + done, content.size() - done,
                                     static_cast<off_t>(done));
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
  static_cast<void>(::ftruncate(descriptor_, static_cast<off_t>(content.size())) == 0);
}

}  // namespace sda::os
