// What the files for Windows share.
#pragma once

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <string>

#include "os/file.h"

namespace sda::os {

inline HANDLE native(Handle file) { return reinterpret_cast<HANDLE>(file); }
inline Handle handle_of(HANDLE file) {
  return static_cast<Handle>(reinterpret_cast<std::intptr_t>(file));
}

// A path for the functions with a W: absolute and behind "\\?\", which lifts the limit of 260
// characters. Empty, with errno: the path is not UTF-8.
std::wstring wide(const std::string& path);
// The path without "\\?\".
std::wstring plain(std::wstring path);
std::string narrow(std::wstring_view text);

// Sets errno to what fits GetLastError() best. Returns false.
bool failed();

// The text of an error of the system.
std::string error_text(DWORD error);

// Opens a file that other programs may read, rename and delete meanwhile. Sets errno.
HANDLE open_shared(const std::string& path, DWORD access, DWORD how, DWORD flags);

}  // namespace sda::os
