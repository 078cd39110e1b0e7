// Opens a torch.save file: container, pickle and weights become one immutable document.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/io/file.h"
#include "checkpoint/leave_out.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/pickle.h"
#include "checkpoint/pickle/value.h"
#include "checkpoint/state_dict.h"

namespace sda {

enum class Container {
  kZip,      // of torch.save since PyTorch 1.6
  kLegacy,   // of torch.save before that
  kTar,      // of torch.save before PyTorch 0.1.10
  kScript,   // a TorchScript program
  kPackage,  // of torch.package
  kPickle,   // a pickle without a container, also of joblib
};

// The name of a container in JavaScript.
std::string_view container_name(Container container);

// How a document holds the bytes of its storages.
enum class Hold {
  kNothing,  // reads no storages: for metadata and inspection
  kMemory,   // in memory of the document's own; checks every record's CRC-32 while reading
  kMapping,  // maps the file copy-on-write and checks no weights; see MappedFile about truncation
};

struct OpenOptions {
  Hold hold = Hold::kMemory;
  bool any_container = false;  // false: only those of torch.save since PyTorch 0.1.10
  // The most memory for the values of the pickle, in C++ and as JavaScript values together.
  std::uint64_t memory_bytes = limits::kMemoryBytes;
  bool inert_globals = false;
  Encoding encoding = Encoding::kUtf8;
  // Makes no row-major copies of tensors that are not row-major, but of conjugated and negated
  // ones.
  bool keep_strides = false;
  // Left out of the document: their storages are neither read nor checked. Only of zip files.
  std::vector<EntryPath> without;
  const CancelToken* cancel = nullptr;
};

// An open file. Its values point into the document and must not outlive it. The bytes of storages
// and arrays have owners of their own, which may outlive the document. A document never changes, so
// any number of threads may read it.
class Document {
 public:
  static std::shared_ptr<const Document> open(const std::string& path, const OpenOptions& options);
  // Opens the file on the calling thread if that takes well under a millisecond and never waits for
  // the disk: the pickle is small, the file is in the kernel's caches, and weights are mapped or
  // not read. Returns null for every other file, sound or damaged.
  static std::shared_ptr<const Document> open_at_once(const std::string& path,
                                                      const OpenOptions& options) noexcept;
  // The same for a file that is open already. The document does not use `file` afterwards.
  static std::shared_ptr<const Document> open(const File& file, const OpenOptions& options);

  Container container() const noexcept { return container_; }
  std::uint64_t file_size() const noexcept { return file_size_; }
  const Value& root() const noexcept { return root_; }
  const Arena& arena() const noexcept { return *arena_; }
  const NamedGlobals& globals() const noexcept { return globals_; }

 private:
  friend class ZipReader;
  friend class LegacyReader;
  friend class TarReader;
  friend class PickleReader;
  Document() = default;

  void allocate_arena(std::uint64_t pickle_size, Waiting waiting, std::uint64_t memory_bytes);
  // Converts storages to host byte order and makes a row-major copy of each tensor that is not
  // row-major, as the options say.
  void finish_tensors(bool swap_bytes, const File& file, const OpenOptions& options);

  Container container_ = Container::kZip;
  std::uint64_t file_size_ = 0;
  std::vector<std::unique_ptr<char[]>> pickles_;  // the values' texts point into them
  std::unique_ptr<Arena> arena_;
  NamedGlobals globals_;
  Value root_;
};

struct TensorInfo {
  std::string name;  // the keys that lead to the tensor, joined by dots
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes;
  std::optional<std::size_t> alias_of;  // the index of the same tensor's first name
};

// Every tensor and array of the document, in the order of the file, with every name that leads to
// it.
std::vector<TensorInfo> list_tensors(const Document& document);

// The tensors of the dict that the top-level dict holds under `key`, or that a dict there holds
// under "outer.inner". Throws kSchema when there is no such dict, or when it holds anything but
// tensors with string keys.
StateDict state_dict(const std::shared_ptr<const Document>& document, std::string_view key);

// The value under `key` of the top-level dict, or under "outer.inner"; null: there is none.
const Value* find_value(const Document& document, std::string_view key);

struct FileReport {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> problems;  // empty: the file is sound
};

// Checks the pickle and each record's headers and CRC. It collects problems instead of stopping at
// the first one, and throws only when the system cannot read the file.
FileReport verify_file(const std::string& path, const CancelToken* cancel);

}  // namespace sda
