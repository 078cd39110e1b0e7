// How many processors this process may use.
#pragma once

#include <string>
#include <thread>

namespace sda::os {

// The number of threads that can run at once: the processors of the affinity mask, and not more
// than the CPU quota of the control groups (rounded up), as containers have one. At least 1. Reads
// files of the kernel, so ask once.
unsigned available_processors();

// The CPU quota of this process in processors, as 0.5 or 2; 0: none. `root` is the folder that
// stands for "/", for tests.
double cpu_quota(const std::string& root = "");

// Keeps `thread` off the processor that the calling thread runs on, where that helps.
void keep_off_this_processor(std::thread& thread);

}  // namespace sda::os
