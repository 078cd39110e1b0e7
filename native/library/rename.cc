#include "library/rename.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "checkpoint/error.h"
#include "library/file_identity.h"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace sda::library {
namespace {

enum class Mode { kExchange, kNoReplace };

int rename_with(const std::string& from, const std::string& to, Mode mode) {
#if defined(__linux__)
  // Called by its number, because older C libraries have no wrapper. In the kernel,
  // RENAME_NOREPLACE is 1 and RENAME_EXCHANGE is 2.
  const unsigned flags = mode == Mode::kExchange ? 2 : 1;
  return static_cast<int>(
      ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
#elif defined(__APPLE__)
  return ::renamex_np(from.c_str(), to.c_str(),
                      mode == Mode::kExchange ? RENAME_SWAP : RENAME_EXCL);
#else
  (void)from, (void)to, (void)mode;
  errno = ENOSYS;
  return -1;
#endif
}

Renamed checked(const std::string& from, const std::string& to, Mode mode) {
  if (rename_with(from, to, mode) == 0) return Renamed::kDone;
  const int number = errno;
  switch (number) {
    case ENOSYS:
    case EINVAL:  // not supported by the file system
    case ENOTSUP:
      return Renamed::kUnsupported;
    case EEXIST:
      return Renamed::kTaken;
    case ENOENT:
      return Renamed::kMissing;
    default:
      throw Error(ErrorCode::kIo,
                  "cannot rename '" + from + "' to '" + to + "': " + std::strerror(number))
          .with("path", to)
          .with("errno", std::int64_t{number});
  }
}

// The identity of the file at `path`; empty if there is none.
std::string identity_at(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return identity_of(info);
  const int number = errno;
  if (number == ENOENT) return {};
  throw Error(ErrorCode::kIo, "cannot examine '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// A lease on an open file. While it lives, other programs that open the file wait; with O_NONBLOCK
// they get EWOULDBLOCK instead.
class Lease {
 public:
  explicit Lease([[maybe_unused]] int descriptor) {
#if defined(__linux__)
    // When a program waits, the kernel signals the holder. The default, SIGIO, would end the
    // process; SIGURG is ignored by default.
    if (descriptor >= 0 && ::fcntl(descriptor, F_SETSIG, SIGURG) == 0 &&
        ::fcntl(descriptor, F_SETLEASE, F_WRLCK) == 0)
      descriptor_ = descriptor;
#endif
  }
  ~Lease() {
#if defined(__linux__)
    if (descriptor_ >= 0) ::fcntl(descriptor_, F_SETLEASE, F_UNLCK);
#endif
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Copies the content of the file at `path` into the leased file, so that waiting programs read
  // it. Best effort.
  void answer_with(const std::string& path) const {
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

 private:
  int descriptor_ = -1;
};

// Undoes an exchange that met another writer: `from` names that writer's file, and `to` names our
// file, whose identity is `ours`. Swaps the two names until the file that comes out of `to` is the
// one that the last swap put there, so that `to` keeps the newest file of the other writers.
void put_back(const std::string& from, const std::string& to, std::string ours) {
  for (std::string last = identity_at(from);;) {
    const Renamed outcome = checked(from, to, Mode::kExchange);
    if (outcome == Renamed::kMissing) {  // another program has removed `to`; nothing is lost
      checked(from, to, Mode::kNoReplace);
      return;
    }
    const std::string out = identity_at(from);
    if (out.empty() || same_content(out, ours)) return;
    // Another program has replaced the file at `to` in between. Its file, which came out, is newer
    // than the one just put back, so swap again.
    ours = std::exchange(last, out);
  }
}

}  // namespace

Renamed exchange_names(const std::string& from, const std::string& to,
                       const std::optional<std::string>& expected, int descriptor) {
  if (!expected) return checked(from, to, Mode::kExchange);
  const Lease lease(descriptor);
  const std::string ours = identity_at(from);
  const std::string found = identity_at(to);
  if (found != *expected) return found.empty() ? Renamed::kMissing : Renamed::kTaken;
  const Renamed outcome = checked(from, to, Mode::kExchange);
  if (outcome != Renamed::kDone) return outcome;
  const std::string out = identity_at(from);
  if (out.empty() || same_content(out, *expected)) return Renamed::kDone;
  put_back(from, to, ours);
  lease.answer_with(to);
  return Renamed::kTaken;
}

Renamed rename_without_replacing(const std::string& from, const std::string& to) {
  return checked(from, to, Mode::kNoReplace);
}

}  // namespace sda::library
