#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "os/process.h"

namespace sda::os {
namespace {

// In clock ticks since the system started.
std::string start_time() {
  std::array<char, 1024> text{};
  std::FILE* stat = std::fopen("/proc/self/stat", "re");
  if (stat == nullptr) return "0";
  const std::size_t size = std::fread(text.data(), 1, text.size() - 1, stat);
  std::fclose(stat);
  // The program's name stands in parentheses and may hold any character. The start time is the 20th
  // field after it.
  std::string_view rest(text.data(), size);
  rest.remove_prefix(std::min(rest.size(), rest.rfind(')') + 1));
  for (int field = 0; field < 20; ++field) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return "0";
    rest.remove_prefix(space + 1);
  }
  return std::string(rest.substr(0, rest.find(' ')));
}

}  // namespace

std::string process_tag() { return std::to_string(::getpid()) + "-" + start_time(); }

}  // namespace sda::os
