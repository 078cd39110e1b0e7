#include "library/file_identity.h"

#include <cstdint>

namespace sda::library {
namespace {

std::string nanoseconds(const timespec& time) {
  return std::to_string(std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
}

}  // namespace

std::string identity_of(const struct stat& info) {
#if defined(__APPLE__)
  const timespec &modified = info.st_mtimespec, &changed = info.st_ctimespec;
#else
  const timespec &modified = info.st_mtim, &changed = info.st_ctim;
#endif
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" +
         std::to_string(info.st_size) + ":" + nanoseconds(modified) + ":" + nanoseconds(changed);
}

bool same_content(std::string_view a, std::string_view b) noexcept {
  return a.substr(0, a.rfind(':')) == b.substr(0, b.rfind(':'));
}

}  // namespace sda::library
