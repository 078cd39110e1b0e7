// The content of a pickle before it is written: its opcodes, and references to the bytes and arrays
// that it holds as latin-1 text. The text is made while it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "checkpoint/io/byte_chunks.h"
#include "checkpoint/pickle/value.h"

namespace sda {

using TakePiece = std::function<void(std::string_view)>;

// Calls a function that reads a little memory at an address, where and when it may be read, or
// throws. Null: memory may always be read.
using Access = std::function<void(const void*, const std::function<void()>&)>;

// The size of the UTF-8 text whose characters U+0000…U+00FF are the bytes of `raw`.
std::uint64_t latin1_text_size(std::string_view raw, const Access& access = nullptr);

struct PickleContent {
  ByteChunks bytes;
  std::vector<const Storage*> storages;  // in the order of their keys "0", "1", …; not owned

  // Appends `raw` as latin-1 text of `text_size` bytes. `raw` must outlive this content. With
  // `columns`, `raw` is the row-major data of that array and is written column by column.
  void append_text(std::string_view raw, std::uint64_t text_size, const NdArray* columns = nullptr);

  std::uint64_t size() const noexcept { return bytes.size() + text_size_; }

  // Calls `take` with each piece in order. Throws kArgument when bytes have changed since they were
  // appended.
  void for_each(const TakePiece& take, const Access& access = nullptr) const;

 private:
  struct Text {
    std::uint64_t before;  // how many of `bytes` precede the text
    std::string_view raw;
    std::uint64_t size;
    const NdArray* columns;
  };
  static void write(const Text& text, const TakePiece& take, const Access& access);

  std::vector<Text> texts_;
  std::uint64_t text_size_ = 0;
};

}  // namespace sda
