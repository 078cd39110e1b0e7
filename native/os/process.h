// Identifies this process.
#pragma once

#include <string>

namespace sda::os {

// "<pid>-<start time>": process ids repeat after a while. The start time is in a unit of the
// system; 0 where it does not tell.
std::string process_tag();

}  // namespace sda::os
