#include <unistd.h>

#include "os/process.h"

namespace sda::os {

std::string process_tag() { return std::to_string(::getpid()) + "-0"; }

}  // namespace sda::os
