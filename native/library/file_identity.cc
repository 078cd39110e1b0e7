#include "library/file_identity.h"

namespace sda::library {

std::string identity_of(const os::FileInfo& info) {
  return std::to_string(info.device) + ":" + std::to_string(info.inode) + ":" +
         std::to_string(info.size) + ":" + std::to_string(info.modified) + ":" +
         std::to_string(info.changed);
}

bool same_content(std::string_view a, std::string_view b) noexcept {
  return a.substr(0, a.rfind(':')) == b.substr(0, b.rfind(':'));
}

}  // namespace sda::library
