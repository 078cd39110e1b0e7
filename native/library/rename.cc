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
  // By number, because older C libraries have no wrapper. The flags are the kernel's:
  // RENAME_NOREPLACE is 1, RENAME_EXCHANGE is 2.
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
    case EINVAL:  // the file system can't
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

// Empty: no such file.
std::string identity_at(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return identity_of(info);
  const int number = errno;
  if (number == ENOENT) return {};
  throw Error(ErrorCode::kIo, "cannot examine '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// Whoever opens the file waits for as long as this lives, or gets EWOULDBLOCK if it doesn't wait.
class Lease {
 public:
  explicit Lease([[maybe_unused]] int descriptor) {
#if defined(__linux__)
    // The kernel tells the holder that somebody waits: by SIGIO, which would end the process,
    // unless another signal is asked for. This one is ignored.
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

  // Those who wait will read what is in the file at `path`. Best effort.
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

// `from` is a file that was found as `to` by mistake, `to` is ours. Puts the latest of what others
// have written there, which is what comes out if it is not ours.
void put_back(const std::string& from, const std::string& to, std::string ours) {
  for (std::string last = identity_at(from);;) {
    const Renamed outcome = checked(from, to, Mode::kExchange);
    if (outcome == Renamed::kMissing) {  // somebody has removed it, and nothing is lost
      checked(from, to, Mode::kNoReplace);
      return;
    }
    const std::string out = identity_at(from);
    if (out.empty() || same_content(out, ours)) return;
    // Somebody has replaced ours, so what had been before it is out of date.
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
