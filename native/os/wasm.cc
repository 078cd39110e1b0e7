// What only WebAssembly does in this way.
#include <unistd.h>

#include <cerrno>

#include "os/durable.h"
#include "os/posix.h"
#include "os/shared_library.h"

namespace sda::os {

std::int64_t modified_ns(const struct stat& info) { return nanoseconds(info.st_mtim); }
std::int64_t changed_ns(const struct stat& info) { return nanoseconds(info.st_ctim); }

int sync_descriptor(int descriptor) { return ::fsync(descriptor); }

bool rename_if_free(const std::string&, const std::string&) {
  errno = ENOSYS;
  return false;
}

bool exchange(const std::string&, const std::string&) {
  errno = ENOSYS;
  return false;
}

void keep_this_library() {}

}  // namespace sda::os
