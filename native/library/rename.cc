#include "library/rename.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "checkpoint/error.h"

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

}  // namespace

Renamed exchange_names(const std::string& from, const std::string& to) {
  return checked(from, to, Mode::kExchange);
}

Renamed rename_without_replacing(const std::string& from, const std::string& to) {
  return checked(from, to, Mode::kNoReplace);
}

}  // namespace sda::library
