// What Python would do with the pickles of a file that is no readable torch file: torch.load
// unpickles the beginning of whatever is no archive, before it looks for the magic number.
#pragma once

#include <optional>
#include <string>

#include "checkpoint/cancel.h"
#include "checkpoint/error.h"
#include "checkpoint/io/file.h"
#include "checkpoint/pickle/pickle.h"

namespace sda {

struct PickleScan {
  // Whether Python may import or call something. Types are not followed, so this may be true of a
  // pickle that fails before. It is false only where Python certainly does neither.
  bool executes = false;
  // Whether the reader's own pickle machine reads all pickles to their end. Then each call of a
  // known global does what the reader knows of it.
  bool complete = true;
  NamedGlobals globals;
  std::optional<Error> problem;  // why it is not complete, where the machine has met an error
};

// Scans
//
// - the data.pkl of a zip archive, also where the archive is damaged: then each record of that name
// - the object array of a numpy file
// - any other file from its first byte, and each pickle that follows another one
//
// Knows all protocols. Memory beyond the pickles' own size is limited as for any file. Throws kIo,
// and Cancelled.
PickleScan scan_pickle(const File& file, const CancelToken* cancel);

}  // namespace sda
