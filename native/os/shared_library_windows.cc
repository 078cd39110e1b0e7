#include "os/shared_library.h"
#include "os/windows.h"

namespace sda::os {

std::string open_library(const std::string& path) {
  const std::wstring name = wide(path);
  // Its own dependencies lie beside it.
  const bool opened = !name.empty() && ::LoadLibraryExW(name.c_str(), nullptr,
                                                        LOAD_WITH_ALTERED_SEARCH_PATH) != nullptr;
  return opened ? "" : error_text(::GetLastError());
}

std::string library_of(const void* address) {
  HMODULE found = nullptr;
  if (::GetModuleHandleExW(
          GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
          static_cast<LPCWSTR>(address), &found) == 0)
    return {};
  std::wstring path(32768, L'\0');  // the longest path
  path.resize(::GetModuleFileNameW(found, path.data(), static_cast<DWORD>(path.size())));
  return narrow(path);
}

void keep_this_library() {
  HMODULE ignored = nullptr;
  ::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                       reinterpret_cast<LPCWSTR>(&keep_this_library), &ignored);
}

}  // namespace sda::os
