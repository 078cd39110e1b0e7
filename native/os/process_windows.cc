#include "os/process.h"
#include "os/windows.h"

namespace sda::os {

std::string process_tag() {
  FILETIME start{}, ignored;
  ::GetProcessTimes(::GetCurrentProcess(), &start, &ignored, &ignored, &ignored);
  const auto ticks = std::uint64_t{start.dwHighDateTime} << 32 | start.dwLowDateTime;
  return std::to_string(::GetCurrentProcessId()) + "-" + std::to_string(ticks);
}

}  // namespace sda::os
