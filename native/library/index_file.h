// Reads a library's index whole, as one moment left it.
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
  // Changes whenever the file is replaced or written to: device, inode, size and both times.
  std::string identity;
  std::optional<IndexLayout> layout;
};

// Throws kNotFound, kIo, kFormat (not a regular file) and kLimit. A file that is being written in
// place is read again until it holds still, a few times.
IndexFile read_index(const std::string& path, const CancelToken& cancel);

}  // namespace sda::library
