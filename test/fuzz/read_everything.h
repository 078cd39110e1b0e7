// All that a user may have the reader do with a file.
#pragma once

#include <string>

namespace sda::fuzz {

// Inspects, loads in each mode, reads every tensor and array, and verifies the file. Aborts when
// the answers contradict each other, and lets everything through that is no sda::Error: both are
// findings.
void read_everything(const std::string& path);

}  // namespace sda::fuzz
