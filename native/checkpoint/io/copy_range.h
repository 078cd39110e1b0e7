// Part of one file to the end of another, by the kernel where it can: file systems that share
// blocks between files then copy nothing at all.
#pragma once

#include <cstdint>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"
#include "checkpoint/io/writer_file.h"

namespace sda {

// Appends `size` bytes of `from` at `offset`, and returns the CRC-32 of the bytes that arrived,
// read back from the new file: whatever happens to the source meanwhile, CRC and bytes agree.
std::uint32_t copy_range(const File& from, std::uint64_t offset, std::uint64_t size, OutputFile& to,
                         const CancelToken* cancel);

}  // namespace sda
