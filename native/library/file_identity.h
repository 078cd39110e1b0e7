// What tells one state of a file from another, as lib/library/index/folder.ts writes it.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

namespace sda::library {

// Device, inode, size, time of the last change of its bytes, and of anything.
std::string identity_of(const struct stat& info);

// Whether two identities are of the same bytes: renaming a file changes nothing but its last time.
bool same_content(std::string_view a, std::string_view b) noexcept;

}  // namespace sda::library
