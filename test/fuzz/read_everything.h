// Does everything with a file that the reader offers.
#pragma once

#include <string>

namespace sda::fuzz {

// Inspects the file, loads it in each mode, reads every tensor and array, and verifies it. Aborts
// when the results contradict each other. Any exception other than sda::Error passes through. Both
// are findings.
void read_everything(const std::string& path);

}  // namespace sda::fuzz
