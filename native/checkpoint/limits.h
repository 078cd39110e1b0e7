// The reader's limits, in one place. A file that exceeds one is refused with kLimit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda::limits {

// Entries of a zip's central directory, and its size.
inline constexpr std::uint64_t kMaxRecords = 200'000;
inline constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{256} << 20;

// data.pkl; also where the reader stops looking for the end of a legacy file's pickle.
inline constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{1} << 30;

// What a pickle's values may cost, here and as JavaScript values, beyond what the rest of the file
// has in bytes.
inline constexpr std::uint64_t kPickleHeapBytes = std::uint64_t{48} << 20;

// Bytes that are decoded or copied out of the pickle, beyond twice the file's own size (a Fortran-
// ordered array in protocol 2 is decoded first and then reordered).
inline constexpr std::uint64_t kPickleDataBytes = std::uint64_t{16} << 20;

// Dicts, lists, tensors and other objects of one pickle.
inline constexpr std::size_t kMaxObjects = 2'000'000;

// Containers within containers.
inline constexpr int kMaxDepth = 1000;

// Memo indices may run ahead of the number of memo writes by this much; Python's pickler never
// does.
inline constexpr std::uint64_t kMemoSlack = 65'536;

// What is read on the caller's own thread where nothing has to be waited for: directories, pickles
// and what becomes of them. PyTorch's own models have a few kilobytes of each.
inline constexpr std::uint64_t kAtOnceBytes = 64 << 10;
inline constexpr std::uint64_t kAtOnceHeapBytes = 1 << 20;

// Digits are quadratic to print: an integer longer than this is no configuration value.
inline constexpr std::size_t kMaxIntegerBytes = 8192;

inline constexpr std::size_t kMaxDimensions = 64;

// Names are looked up and compared wherever they are referred to, which takes two bytes of pickle.
inline constexpr std::size_t kMaxNameBytes = 1024;

// Entries of a tensor's metadata; PyTorch writes two.
inline constexpr std::size_t kMaxTensorMetadata = 64;

// All names of a list of tensors together, beyond the file's own size.
inline constexpr std::uint64_t kTensorNameBytes = std::uint64_t{16} << 20;

// Problems that a report lists; the others are counted.
inline constexpr std::size_t kMaxProblems = 1000;

// Bytes that non-contiguous or expanded tensors may take when made contiguous, beyond the file's
// own size.
inline constexpr std::uint64_t kMaterializeBytes = std::uint64_t{16} << 20;

}  // namespace sda::limits
