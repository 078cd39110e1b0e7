#include "checkpoint/pickle/pickle_content.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "checkpoint/error.h"

namespace sda {
namespace {

constexpr std::size_t kSlice = std::size_t{1} << 18;
// Texts up to this size are copied: a reference would take as much memory.
constexpr std::size_t kCopied = 256;

template <typename Take>
void write_latin1(std::string_view raw, Take&& take) {
  char buffer[4096];
  std::size_t used = 0;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      buffer[used++] = c;
    } else {
      buffer[used++] = static_cast<char>(0xC0 | (byte >> 6));
      buffer[used++] = static_cast<char>(0x80 | (byte & 0x3F));
    }
    if (used + 2 > sizeof buffer) {
      take(std::string_view(buffer, used));
      used = 0;
    }
  }
  take(std::string_view(buffer, used));
}

// Passes the array's bytes to `take` in slices, with the first axis varying fastest.
template <typename Take>
void for_each_column_slice(const NdArray& array, Take&& take) {
  const std::size_t item = item_size(array.dtype);
  const std::size_t dimensions = array.shape.size();
  std::vector<std::uint64_t> strides(dimensions);
  std::uint64_t stride = item;
  for (std::size_t d = dimensions; d-- > 0;) {
    strides[d] = stride;
    stride *= static_cast<std::uint64_t>(array.shape[d]);
  }
  std::vector<std::int64_t> index(dimensions);
  const std::unique_ptr<char[]> slice(new char[kSlice]);
  std::size_t used = 0;
  const std::byte* column = array.data.get();
  for (std::uint64_t left = array.byte_size / item; left > 0;) {
    const std::byte* from = column;
    for (std::int64_t i = 0; i < array.shape[0]; ++i, from += strides[0]) {
      if (used + item > kSlice) {
        take(std::string_view(slice.get(), used));
        used = 0;
      }
      std::memcpy(slice.get() + used, from, item);
      used += item;
    }
    left -= static_cast<std::uint64_t>(array.shape[0]);
    for (std::size_t d = 1; d < dimensions; ++d) {
      column += strides[d];
      if (++index[d] < array.shape[d]) break;
      column -= strides[d] * static_cast<std::uint64_t>(array.shape[d]);
      index[d] = 0;
    }
  }
  take(std::string_view(slice.get(), used));
}

}  // namespace

std::uint64_t latin1_text_size(std::string_view raw) noexcept {
  const auto high = std::count_if(
      raw.begin(), raw.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
  return raw.size() + static_cast<std::uint64_t>(high);
}

void PickleContent::append_text(std::string_view raw, std::uint64_t text_size,
                                const NdArray* columns) {
  if (raw.size() <= kCopied && columns == nullptr)
    return write_latin1(raw, [this](std::string_view piece) { bytes.append(piece); });
  texts_.push_back({bytes.size(), raw, text_size, columns});
  text_size_ += text_size;
}

void PickleContent::for_each(const TakePiece& take) const {
  auto next = texts_.begin();
  std::uint64_t at = 0;
  bytes.for_each([&](std::string_view piece) {
    // A pickle ends with an opcode, so no text follows the last piece.
    while (next != texts_.end() && next->before < at + piece.size()) {
      const auto part = static_cast<std::size_t>(next->before - at);
      take(piece.substr(0, part));
      piece.remove_prefix(part);
      at += part;
      write(*next++, take);
    }
    take(piece);
    at += piece.size();
  });
}

void PickleContent::write(const Text& text, const TakePiece& take) {
  std::uint64_t size = 0;
  const auto changed = [] {
    return Error(ErrorCode::kArgument, "bytes or a numpy array changed while they were saved");
  };
  const auto checked = [&](std::string_view piece) {
    size += piece.size();
    if (size > text.size) throw changed();
    take(piece);
  };
  if (text.columns == nullptr)
    write_latin1(text.raw, checked);
  else
    for_each_column_slice(*text.columns,
                          [&](std::string_view slice) { write_latin1(slice, checked); });
  if (size != text.size) throw changed();
}

}  // namespace sda
