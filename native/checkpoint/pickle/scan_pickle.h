// What Python would do with a file that is no archive: torch.load unpickles its beginning, whatever
// it is, before it looks for the magic number of a torch file.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"

namespace sda {

struct PickleScan {
  // Whether Python may import or call something. Types are not followed, so this may be true of a
  // pickle that fails before. It is false only where Python certainly does neither.
  bool executes = false;
  std::vector<std::string> globals;  // the named ones, in order and without repetition
};

// Follows the opcodes from the file's first byte to STOP, to one that Python refuses or to the
// file's end. Knows all protocols. Keeps no part of the file in memory. Throws kIo, and Cancelled.
PickleScan scan_pickle(const File& file, const CancelToken* cancel);

}  // namespace sda
