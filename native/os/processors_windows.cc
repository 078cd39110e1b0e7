#include <algorithm>
#include <bit>

#include "os/processors.h"
#include "os/windows.h"

namespace sda::os {

double cpu_quota(const std::string&) { return 0.0; }

unsigned available_processors() {
  DWORD_PTR allowed = 0, all = 0;
  ::GetProcessAffinityMask(::GetCurrentProcess(), &allowed, &all);
  return std::max(1U, static_cast<unsigned>(std::popcount(std::uint64_t{allowed})));
}

void keep_off_this_processor(std::thread&) {}

}  // namespace sda::os
