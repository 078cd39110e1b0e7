#include <algorithm>
#include <thread>

#include "os/processors.h"

namespace sda::os {

double cpu_quota(const std::string&) { return 0.0; }

unsigned available_processors() { return std::max(1U, std::thread::hardware_concurrency()); }

void keep_off_this_processor(std::thread&) {}

}  // namespace sda::os
