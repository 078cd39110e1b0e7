// Identifies one state of a file, in the same form as identityOf() of lib/library/index/folder.ts.
#pragma once

#include <string>
#include <string_view>

#include "os/file.h"

namespace sda::library {

// "device:inode:size:mtime:ctime", with times in nanoseconds. Changes whenever the file is replaced
// or written to.
std::string identity_of(const os::FileInfo& info);

// Whether two identities stand for the same bytes. Renaming a file changes only its ctime, which
// this comparison ignores.
bool same_content(std::string_view a, std::string_view b) noexcept;

}  // namespace sda::library
