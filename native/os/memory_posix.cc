#include <sys/mman.h>

#include <cstring>

#include "os/memory.h"
#include "os/posix.h"

namespace sda::os {
namespace {

void* mapped(std::size_t size, int flags, int descriptor) {
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  return address == MAP_FAILED ? nullptr : address;
}

}  // namespace

void* map_memory(std::size_t size) {
  return mapped(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

void unmap_memory(void* address, std::size_t size) { ::munmap(address, size); }

void prefer_huge_pages([[maybe_unused]] void* address, [[maybe_unused]] std::size_t size) {
#if defined(MADV_HUGEPAGE)
  ::madvise(address, size, MADV_HUGEPAGE);
#endif
}

void* map_file(Handle file, std::size_t size) {
  return mapped(size, MAP_PRIVATE, descriptor_of(file));
}

void unmap_file(void* address, std::size_t size) { ::munmap(address, size); }

const void* find_bytes(const void* all, std::size_t size, const void* sought, std::size_t length) {
  return ::memmem(all, size, sought, length);
}

}  // namespace sda::os
