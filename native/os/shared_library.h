// Shared libraries of this process.
#pragma once

#include <string>

namespace sda::os {

// Opens a library for good, so that libraries opened later find its symbols or its name. Returns
// the problem; empty: none.
std::string open_library(const std::string& path);

// The path of the library with this address; empty: unknown.
std::string library_of(const void* address);

// Keeps this library loaded until the process ends. Node closes an addon when the worker thread
// that loaded it ends, although threads of the addon may still run its code.
void keep_this_library();

}  // namespace sda::os
