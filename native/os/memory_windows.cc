#include <string_view>

#include "os/memory.h"
#include "os/windows.h"

namespace sda::os {

void* map_memory(std::size_t size) {
  void* address = ::VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (address == nullptr) failed();
  return address;
}

void unmap_memory(void* address, std::size_t) { ::VirtualFree(address, 0, MEM_RELEASE); }

// Large pages need a privilege that users do not have.
void prefer_huge_pages(void*, std::size_t) {}

void* map_file(Handle file, std::size_t size) {
  const HANDLE mapping = ::CreateFileMappingW(native(file), nullptr, PAGE_WRITECOPY, 0, 0, nullptr);
  if (mapping == nullptr) {
    failed();
    return nullptr;
  }
  void* address = ::MapViewOfFile(mapping, FILE_MAP_COPY, 0, 0, size);
  if (address == nullptr) failed();
  ::CloseHandle(mapping);  // the view keeps it
  return address;
}

void unmap_file(void* address, std::size_t) { ::UnmapViewOfFile(address); }

const void* find_bytes(const void* all, std::size_t size, const void* sought, std::size_t length) {
  const std::string_view text(static_cast<const char*>(all), size);
  const std::size_t at = text.find({static_cast<const char*>(sought), length});
  return at == std::string_view::npos ? nullptr : text.data() + at;
}

}  // namespace sda::os
