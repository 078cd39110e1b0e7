// The reader's limits, in one place. A file that exceeds one is refused with kLimit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda::limits {

// The entries of a zip archive's central directory, and its size in bytes.
inline constexpr std::uint64_t kMaxRecords = 1 << 24;
inline constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{2} << 30;

// The records of an archive that is listed for JavaScript.
inline constexpr std::size_t kMaxListedRecords = 1'000'000;

// The size of data.pkl. In a legacy file, the reader looks for the end of the pickles up to here.
inline constexpr std::uint64_t kMaxPickleBytes = std::uint64_t{1} << 30;

// Memory for a pickle's values, in C++ and as JavaScript values together: so many bytes, and so
// many for each byte of the pickle, and one for each other byte of the file. The densest pickle
// that Python writes is a list of empty dicts, each of two bytes.
inline constexpr std::uint64_t kPickleHeapBytes = std::uint64_t{48} << 20;
inline constexpr std::uint64_t kPickleHeapFactor = 320;

// The same, whatever the file's size, unless the caller gives another limit.
inline constexpr std::uint64_t kMemoryBytes = std::uint64_t{4} << 30;

// Bytes that are decoded or copied out of the pickle. Twice the size of the file is added to this
// limit: a Fortran-ordered array in protocol 2 is decoded first and reordered then.
inline constexpr std::uint64_t kPickleDataBytes = std::uint64_t{16} << 20;

// The dicts, lists, tensors and other objects of one pickle: as many as their numbers can count.
inline constexpr std::size_t kMaxObjects = std::size_t{1} << 31;

// How deep containers nest. lib/torch/encode.ts has the same limit for writing.
inline constexpr int kMaxDepth = 1600;

// How far a memo index may exceed the number of memo entries written so far. Python's pickler never
// exceeds it at all.
inline constexpr std::uint64_t kMemoSlack = 65'536;

// What a read on the caller's own thread may take: the size of a zip directory or a pickle, and the
// memory of the pickle's values. Typical models need a few kilobytes of each.
inline constexpr std::uint64_t kAtOnceBytes = 64 << 10;
inline constexpr std::uint64_t kAtOnceHeapBytes = 1 << 20;

// The size of an integer. Printing one takes time quadratic in its digits.
inline constexpr std::size_t kMaxIntegerBytes = 8192;

inline constexpr std::size_t kMaxDimensions = 1024;

// The length of a global's or storage's name. A two-byte reference in the pickle is enough to have
// a name looked up and compared again.
inline constexpr std::size_t kMaxNameBytes = 1024;

// The entries of a tensor's metadata dict. PyTorch writes at most two.
inline constexpr std::size_t kMaxTensorMetadata = 64;

// The total length of the names that list_tensors() makes. The size of the file is added to this
// limit.
inline constexpr std::uint64_t kTensorNameBytes = std::uint64_t{16} << 20;

// How many items list_tensors() visits again because several containers hold their container. Twice
// the number of objects is added to this limit.
inline constexpr std::uint64_t kExtraVisits = 100'000;

// The problems that a report lists. It only counts the others.
inline constexpr std::size_t kMaxProblems = 1000;

// The bytes of row-major copies of expanded and transposed tensors: more than the largest network
// of the program has. The size of the file is added to this limit.
inline constexpr std::uint64_t kMaterializeBytes = std::uint64_t{64} << 20;

}  // namespace sda::limits
