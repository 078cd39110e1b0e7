#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "os/durable.h"
#include "os/posix.h"

namespace sda::os {

bool sync(Handle file) {
  if (retried([&] { return sync_descriptor(descriptor_of(file)); }) == 0) return true;
  // Some file systems cannot sync, such as those of FUSE programs: there is nothing to wait for.
  return errno == EINVAL || errno == ENOSYS || errno == ENOTSUP || errno == EOPNOTSUPP;
}

bool sync_folder(const std::string& folder) {
  const int descriptor =
      retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return true;  // a folder that we may write to, but not list
  const bool synced = sync(handle_of(descriptor));
  const int number = errno;
  ::close(descriptor);
  errno = number;
  return synced || !(number == EIO || number == ENOSPC || number == EDQUOT);
}

bool rename_over(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0;
}

bool take_free_name(const std::string& from, const std::string& to) {
  if (rename_if_free(from, to)) return true;
  if (errno != ENOSYS && errno != EINVAL && errno != ENOTSUP) return false;
  // A hard link adds the new name, then the old one is removed.
  if (::link(from.c_str(), to.c_str()) == 0) {
    ::unlink(from.c_str());
    return true;
  }
  if (errno != EPERM && errno != ENOTSUP && errno != EOPNOTSUPP && errno != ENOSYS &&
      errno != EMLINK)
    return false;
  // On a file system without hard links (FAT): an empty file reserves the name, then a rename
  // replaces it.
  const Handle taken = create_new(to);
  if (taken == Handle::kNone) return false;
  close(taken);
  if (rename_over(from, to)) return true;
  const int number = errno;
  ::unlink(to.c_str());
  errno = number;
  return false;
}

}  // namespace sda::os
