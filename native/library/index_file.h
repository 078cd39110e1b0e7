// Reads a library's index as a consistent whole.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"
#include "library/index_scanner.h"

namespace sda::library {

struct IndexFile {
  std::shared_ptr<PageBuffer> bytes;
  // The file's identity_of() at the time of reading.
  std::string identity;
  // nullopt: the JSON parser must read the index; see scan_index().
  std::optional<IndexLayout> layout;
};

// Throws kNotFound, kIo, kFormat (not a regular file) and kLimit. Reads the file again when it
// changes meanwhile, up to 20 times, 10 ms apart. Runs on any thread.
IndexFile read_index(const std::string& path, const CancelToken& cancel);

}  // namespace sda::library
