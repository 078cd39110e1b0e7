// The reader's limits, in one place. A file that exceeds one is refused with kLimit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda::limits {

// The entries of a zip archive's central directory, and its size in bytes.
inline constexpr std::uint64_t kMaxRecords = 200'000;
inline constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{256} << 20;

// The size of data.pkl. In a legacy file, the reader looks for the end of the pickles up to here.
inline constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{1} << 30;

// Memory for a pickle's values, in C++ and as JavaScript values together. The size of the file
// without its pickle is added to this limit.
inline constexpr std::uint64_t kPickleHeapBytes = std::uint64_t{48} << 20;

// Bytes that are decoded or copied out of the pickle. Twice the size of the file is added to this
// limit: a Fortran-ordered array in protocol 2 is decoded first and reordered then.
inline constexpr std::uint64_t kPickleDataBytes = std::uint64_t{16} << 20;

// The dicts, lists, tensors and other objects of one pickle.
inline constexpr std::size_t kMaxObjects = 2'000'000;

// How deep containers nest. lib/torch/encode.ts has the same limit for writing.
inline constexpr int kMaxDepth = 1000;

// How far a memo index may exceed the number of memo entries written so far. Python's pickler never
// exceeds it at all.
inline constexpr std::uint64_t kMemoSlack = 65'536;

// What a read on the caller's own thread may take: the size of a zip directory or a pickle, and the
// memory of the pickle's values. Typical models need a few kilobytes of each.
inline constexpr std::uint64_t kAtOnceBytes = 64 << 10;
inline constexpr std::uint64_t kAtOnceHeapBytes = 1 << 20;

// The size of an integer. Printing one takes time quadratic in its digits.
inline constexpr std::size_t kMaxIntegerBytes = 8192;

inline constexpr std::size_t kMaxDimensions = 64;

// The length of a global's or storage's name. A two-byte reference in the pickle is enough to have
// a name looked up and compared again.
inline constexpr std::size_t kMaxNameBytes = 1024;

// The entries of a tensor's metadata dict. PyTorch writes at most two.
inline constexpr std::size_t kMaxTensorMetadata = 64;

// The total length of the names that list_tensors() makes. The size of the file is added to this
// limit.
inline constexpr std::uint64_t kTensorNameBytes = std::uint64_t{16} << 20;

// The problems that a report lists. It only counts the others.
inline constexpr std::size_t kMaxProblems = 1000;

// The bytes of row-major copies of expanded and transposed tensors. The size of the file is added
// to this limit.
inline constexpr std::uint64_t kMaterializeBytes = std::uint64_t{16} << 20;

}  // namespace sda::limits
