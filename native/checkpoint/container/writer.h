// Writes a torch.save file. The bytes of storages come from memory or from an open source file.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "checkpoint/cancel.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/container/zip.h"
#include "checkpoint/io/writer_file.h"
#include "checkpoint/pickle/pickle_writer.h"

namespace sda {

// An open file whose values are written to a new file. Its weights stay on disk if they can be
// copied from there, and are in memory otherwise. Immutable, so any number of threads may use it.
class SourceFile {
 public:
  static std::shared_ptr<const SourceFile> open(const std::string& path, const CancelToken* cancel);

  const std::shared_ptr<const Document>& document() const noexcept { return document_; }

  // Appends a storage that is not in memory to `to` and returns its CRC-32. Throws kCorrupt if the
  // CRC differs from the one in the source's directory.
  std::uint32_t copy(const Storage& storage, OutputFile& to, const CancelToken* cancel) const;

 private:
  explicit SourceFile(const std::string& path) : file_(path) {}

  File file_;
  std::shared_ptr<const Document> document_;
  std::unique_ptr<ZipDirectory> directory_;  // null when the weights are in memory
};

struct WriteOptions {
  PickleStyle style;
  const SourceFile* source = nullptr;  // where storages without data come from; not owned
  const CancelToken* cancel = nullptr;
  Access access;  // how the bytes of storages, arrays and bytes objects are read
};

// Writes the whole archive; `top_folder` is the file's name without its extension.
void write_checkpoint(const Value& root, std::string_view top_folder, OutputFile& out,
                      const WriteOptions& options);

}  // namespace sda
