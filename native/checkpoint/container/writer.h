// Writes a torch.save file: values, and the bytes of their storages from memory or from the file
// that they lie in.
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

// A file that values are carried over from: its weights stay on disk where they can be copied from
// there, and are in memory otherwise.
class SourceFile {
 public:
  static std::shared_ptr<const SourceFile> open(const std::string& path, const CancelToken* cancel);

  const std::shared_ptr<const Document>& document() const noexcept { return document_; }

  // Appends a storage that is not in memory to the output and returns its CRC-32; kCorrupt if it
  // isn't the one that the file's directory has.
  std::uint32_t copy(const Storage& storage, OutputFile& to, const CancelToken* cancel) const;

 private:
  explicit SourceFile(const std::string& path) : file_(path) {}

  File file_;
  std::shared_ptr<const Document> document_;
  std::unique_ptr<ZipDirectory> directory_;  // of a file whose weights stay on disk
};

struct WriteOptions {
  PickleStyle style;
  const SourceFile* source = nullptr;  // of storages without data
  const CancelToken* cancel = nullptr;
};

// Writes the whole archive; `top_folder` is the file's name without its extension.
void write_checkpoint(const Value& root, std::string_view top_folder, OutputFile& out,
                      const WriteOptions& options);

}  // namespace sda
