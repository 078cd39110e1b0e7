// Memory from the operating system, in whole pages, and its search in memory. The functions that
// map return null on failure and set errno.
#pragma once

#include <cstddef>

#include "os/file.h"

namespace sda::os {

// Zeroed, readable and writable.
void* map_memory(std::size_t size);
void unmap_memory(void* address, std::size_t size);
// Asks for huge pages. The address and the size are multiples of their size.
void prefer_huge_pages(void* address, std::size_t size);

// Maps the start of a file copy-on-write: a write makes a private copy of its page. The mapping
// stays valid after the file is closed.
void* map_file(Handle file, std::size_t size);
void unmap_file(void* address, std::size_t size);

// The first place of `sought`, of at least one byte, in `all`; null: there is none.
const void* find_bytes(const void* all, std::size_t size, const void* sought, std::size_t length);

}  // namespace sda::os
