// What only macOS does in this way.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/durable.h"
#include "os/posix.h"
#include "os/shared_library.h"

namespace sda::os {

std::int64_t modified_ns(const struct stat& info) { return nanoseconds(info.st_mtimespec); }
std::int64_t changed_ns(const struct stat& info) { return nanoseconds(info.st_ctimespec); }

// fsync() leaves the bytes in the disk's cache. Some file systems have nothing else.
int sync_descriptor(int descriptor) {
  return ::fcntl(descriptor, F_FULLFSYNC) != -1 ? 0 : ::fsync(descriptor);
}

bool rename_if_free(const std::string& from, const std::string& to) {
  return ::renamex_np(from.c_str(), to.c_str(), RENAME_EXCL) == 0;
}

bool exchange(const std::string& a, const std::string& b) {
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
}

void keep_this_library() {
  const std::string path = library_of(reinterpret_cast<const void*>(&keep_this_library));
  ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace sda::os
