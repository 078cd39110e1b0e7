// Appends part of one file to another. The kernel copies where it can; a file system that shares
// blocks between files then copies no data at all.
#pragma once

#include <cstdint>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"
#include "checkpoint/io/writer_file.h"

namespace sda {

// Appends the `size` bytes at `offset` of `from` to `to`. Returns the CRC-32 of the bytes as read
// back from `to`, so that it fits them even when another program changes the source meanwhile.
std::uint32_t copy_range(const File& from, std::uint64_t offset, std::uint64_t size, OutputFile& to,
                         const CancelToken* cancel);

}  // namespace sda
