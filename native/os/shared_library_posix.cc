#include <dlfcn.h>

#include "os/shared_library.h"

namespace sda::os {

std::string open_library(const std::string& path) {
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return {};
  const char* problem = ::dlerror();
  return problem != nullptr ? problem : "unknown reason";
}

std::string library_of(const void* address) {
  Dl_info found{};
  return ::dladdr(address, &found) != 0 ? found.dli_fname : "";
}

}  // namespace sda::os
