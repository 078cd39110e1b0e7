// Opens a torch.save file: container, pickle and weights, as one immutable document.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"
#include "checkpoint/pickle/pickle.h"
#include "checkpoint/pickle/value.h"
#include "checkpoint/state_dict.h"

namespace sda {

enum class Container { kZip, kLegacy };

// How a document holds the bytes of its storages.
enum class Hold {
  kNothing,  // reads none: for metadata and inspection
  kMemory,   // its own memory, every record's CRC-32 checked while it is read
  kMapping,  // the file mapped copy-on-write, weights unchecked; see MappedFile on truncation
};

struct OpenOptions {
  Hold hold = Hold::kMemory;
  bool inert_globals = false;
  const CancelToken* cancel = nullptr;
};

// Values point into the document; the bytes of storages and arrays have owners of their own and
// may outlive it. Immutable once open, so any thread may read it.
class Document {
 public:
  static std::shared_ptr<const Document> open(const std::string& path, const OpenOptions& options);
  // The document if that takes no waiting and well under a millisecond: a small pickle, all in the
  // kernel's caches, and weights mapped or not wanted. Null for every other file, sound or not.
  static std::shared_ptr<const Document> open_at_once(const std::string& path,
                                                      const OpenOptions& options) noexcept;
  // Of an open file, which is not needed afterwards.
  static std::shared_ptr<const Document> open(const File& file, const OpenOptions& options);

  Container container() const noexcept { return container_; }
  std::uint64_t file_size() const noexcept { return file_size_; }
  const Value& root() const noexcept { return root_; }
  const Arena& arena() const noexcept { return *arena_; }
  const NamedGlobals& globals() const noexcept { return globals_; }

 private:
  friend class ZipReader;
  friend class LegacyReader;
  Document() = default;

  void allocate_arena(std::uint64_t pickle_size, Waiting waiting);
  // Brings storages into host byte order and makes tensors row-major where they aren't.
  void finish_tensors(bool swap_bytes, const File& file);

  Container container_ = Container::kZip;
  std::uint64_t file_size_ = 0;
  std::unique_ptr<char[]> pickle_;
  std::unique_ptr<Arena> arena_;
  NamedGlobals globals_;
  Value root_;
};

struct TensorInfo {
  std::string name;  // the keys on the way to it, joined by dots
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes;
};

// Every tensor and array of the document, in the order of the file; one that is reached twice is
// listed where it is reached first.
std::vector<TensorInfo> list_tensors(const Document& document);

// The tensors of a dict of the top-level dict; kFormat when it isn't there, kSchema when it holds
// anything but tensors with string keys.
StateDict state_dict(const std::shared_ptr<const Document>& document, std::string_view key);

struct FileReport {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> problems;  // empty: the file is sound
};

// Checks each record's headers and CRC and the pickle, and goes on after the first problem.
// Throws only when the file cannot be read at all.
FileReport verify_file(const std::string& path, const CancelToken* cancel);

}  // namespace sda
