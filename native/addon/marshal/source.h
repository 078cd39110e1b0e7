// What a reader opens: a path, or a file whose bytes JavaScript has fetched from elsewhere.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/io/file.h"

namespace sda::addon {

class Source {
 public:
  // A path, or a handle of createImage().
  static Source argument(const Napi::Value& value);

  const std::string& name() const noexcept { return name_; }
  // Opens the file, on any thread.
  std::unique_ptr<const File> open(Waiting waiting = Waiting::kAllowed) const;
  bool is_path() const noexcept { return is_path_; }

 private:
  bool is_path_ = true;
  std::string name_;
  std::uint64_t size_ = 0;
  std::vector<FilePart> parts_;
};

// createImage(name, size, whole): a file in memory. `whole`: all its bytes will come.
Napi::Value create_image(const Napi::CallbackInfo& info);
// fillImage(image, offset, bytes): copies bytes into it. Not while or after a whole image is read.
Napi::Value fill_image(const Napi::CallbackInfo& info);

}  // namespace sda::addon
