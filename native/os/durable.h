// Making changes of files durable, and renaming. Functions fail as those of file.h do.
#pragma once

#include <string>

#include "os/file.h"

namespace sda::os {

// Waits until the file's content is on the disk. A file system that cannot sync is not an error.
bool sync(Handle file);
// Waits until the folder's names are on the disk. Fails only when the disk does.
bool sync_folder(const std::string& folder);

// Renames a file. A file at `to` is replaced in one step, also while other programs have it open.
bool rename_over(const std::string& from, const std::string& to);
// Fails with EEXIST if `to` exists, and with ENOSYS, EINVAL or ENOTSUP where the file system has no
// such rename.
bool rename_if_free(const std::string& from, const std::string& to);
// The same, by other steps where the file system has no such rename.
bool take_free_name(const std::string& from, const std::string& to);
// Swaps the names of two files in one step. Fails with ENOSYS, EINVAL or ENOTSUP where the system
// cannot.
bool exchange(const std::string& a, const std::string& b);

}  // namespace sda::os
