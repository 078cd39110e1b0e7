// What a pickle consists of, before it is written: its own bytes, and the program's bytes and
// arrays that stand in it as text, which is made only as it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "checkpoint/io/byte_chunks.h"
#include "checkpoint/pickle/value.h"

namespace sda {

using TakePiece = std::function<void(std::string_view)>;

// How long bytes are as UTF-8 when each of them is a character.
std::uint64_t latin1_text_size(std::string_view raw) noexcept;

struct PickleContent {
  ByteChunks bytes;
  std::vector<const Storage*> storages;  // in the order of their keys "0", "1", …

  // The bytes that `raw` are as text follow. `raw` must live as long as this content, and with
  // `columns` it is the row-major data of that array, which is written column by column.
  void append_text(std::string_view raw, std::uint64_t text_size, const NdArray* columns = nullptr);

  std::uint64_t size() const noexcept { return bytes.size() + text_size_; }

  // Throws kArgument when bytes were changed after they had been appended.
  void for_each(const TakePiece& take) const;

 private:
  struct Text {
    std::uint64_t before;  // how many of `bytes` come before it
    std::string_view raw;
    std::uint64_t size;
    const NdArray* columns;
  };
  static void write(const Text& text, const TakePiece& take);

  std::vector<Text> texts_;
  std::uint64_t text_size_ = 0;
};

}  // namespace sda
