// What only Linux does in this way.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/durable.h"
#include "os/posix.h"
#include "os/shared_library.h"

namespace sda::os {
namespace {

// By its number, because older C libraries have no renameat2().
bool rename_with(unsigned flags, const std::string& from, const std::string& to) {
  return ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0;
}

constexpr unsigned kNoReplace = 1, kExchange = 2;  // RENAME_NOREPLACE and RENAME_EXCHANGE

}  // namespace

std::int64_t modified_ns(const struct stat& info) { return nanoseconds(info.st_mtim); }
std::int64_t changed_ns(const struct stat& info) { return nanoseconds(info.st_ctim); }

int sync_descriptor(int descriptor) { return ::fsync(descriptor); }

bool rename_if_free(const std::string& from, const std::string& to) {
  return rename_with(kNoReplace, from, to);
}

bool exchange(const std::string& a, const std::string& b) { return rename_with(kExchange, a, b); }

// The link option -z nodelete keeps it.
void keep_this_library() {}

}  // namespace sda::os
