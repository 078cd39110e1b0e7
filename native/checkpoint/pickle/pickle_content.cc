#include "checkpoint/pickle/pickle_content.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "checkpoint/error.h"
#include "checkpoint/pickle/utf8.h"

namespace sda {
namespace {

constexpr std::size_t kSlice = std::size_t{1} << 18;
// Texts up to this size are copied: a reference would take as much memory.
constexpr std::size_t kCopied = 256;

void with(const Access& access, const void* data, const std::function<void()>& f) {
  if (access)
    access(data, f);
  else
    f();
}

// The bytes of an array in slices, with the first axis varying fastest.
class ColumnSlices {
 public:
  explicit ColumnSlices(const NdArray& array)
      : array_(array),
        item_(item_size(array.dtype)),
        strides_(array.shape.size()),
        index_(array.shape.size()),
        column_(array.data.get()),
        left_(array.byte_size / item_) {
    std::uint64_t stride = item_;
    for (std::size_t d = strides_.size(); d-- > 0;) {
      strides_[d] = stride;
      stride *= static_cast<std::uint64_t>(array.shape[d]);
    }
  }

  bool is_at_end() const { return left_ == 0; }

  // Appends the text of the next slice.
  void append(std::string& text) {
    for (std::size_t used = 0; used + item_ <= kSlice && left_ > 0; used += item_, --left_) {
      const std::byte* from = column_ + static_cast<std::uint64_t>(row_) * strides_[0];
      append_latin1(text, {reinterpret_cast<const char*>(from), item_});
      if (++row_ == array_.shape[0]) next_column();
    }
  }

 private:
  void next_column() {
    row_ = 0;
    for (std::size_t d = 1; d < strides_.size(); ++d) {
      column_ += strides_[d];
      if (++index_[d] < array_.shape[d]) return;
      column_ -= strides_[d] * static_cast<std::uint64_t>(array_.shape[d]);
      index_[d] = 0;
    }
  }

  const NdArray& array_;
  const std::size_t item_;
  std::vector<std::uint64_t> strides_;
  std::vector<std::int64_t> index_;
  const std::byte* column_;
  std::int64_t row_ = 0;
  std::uint64_t left_;  // items
};

}  // namespace

std::uint64_t latin1_text_size(std::string_view raw, const Access& access) {
  std::uint64_t size = raw.size();
  for (; !raw.empty(); raw.remove_prefix(std::min(kSlice, raw.size()))) {
    with(access, raw.data(), [&] {
      const std::string_view slice = raw.substr(0, kSlice);
      size += static_cast<std::uint64_t>(std::count_if(slice.begin(), slice.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0x80) != 0;
      }));
    });
  }
  return size;
}

void PickleContent::append_text(std::string_view raw, std::uint64_t text_size,
                                const NdArray* columns) {
  if (raw.size() <= kCopied && columns == nullptr) {
    std::string text;
    append_latin1(text, raw);
    return bytes.append(text);
  }
  texts_.push_back({bytes.size(), raw, text_size, columns});
  text_size_ += text_size;
}

void PickleContent::for_each(const TakePiece& take, const Access& access) const {
  auto next = texts_.begin();
  std::uint64_t at = 0;
  bytes.for_each([&](std::string_view piece) {
    // A pickle ends with an opcode, so no text follows the last piece.
    while (next != texts_.end() && next->before < at + piece.size()) {
      const auto part = static_cast<std::size_t>(next->before - at);
      take(piece.substr(0, part));
      piece.remove_prefix(part);
      at += part;
      write(*next++, take, access);
    }
    take(piece);
    at += piece.size();
  });
}

void PickleContent::write(const Text& text, const TakePiece& take, const Access& access) {
  std::uint64_t size = 0;
  const auto changed = [] {
    return Error(ErrorCode::kArgument, "bytes or a numpy array changed while they were saved");
  };
  std::string slice;
  const auto take_slice = [&] {
    size += slice.size();
    if (size > text.size) throw changed();
    take(slice);
    slice.clear();
  };
  if (text.columns == nullptr) {
    for (std::string_view raw = text.raw; !raw.empty();
         raw.remove_prefix(std::min(kSlice, raw.size()))) {
      with(access, raw.data(), [&] { append_latin1(slice, raw.substr(0, kSlice)); });
      take_slice();
    }
  } else {
    for (ColumnSlices slices(*text.columns); !slices.is_at_end();) {
      with(access, text.columns->data.get(), [&] { slices.append(slice); });
      take_slice();
    }
  }
  if (size != text.size) throw changed();
}

}  // namespace sda
