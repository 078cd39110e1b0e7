// A growing row of bytes in several chunks: growing never copies the bytes that are there already.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace sda {

class ByteChunks {
 public:
  void append(const void* data, std::size_t size) {
    const auto* from = static_cast<const char*>(data);
    while (size > 0) {
      if (used_ == capacity_) grow();
      const std::size_t part = std::min(size, capacity_ - used_);
      std::memcpy(chunks_.back().get() + used_, from, part);
      used_ += part;
      from += part;
      size -= part;
    }
  }
  void append(std::string_view text) { append(text.data(), text.size()); }
  void append(char byte) { append(&byte, 1); }

  std::uint64_t size() const noexcept { return full_ + used_; }

  // Calls f(std::string_view) for each piece in order.
  template <typename F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < chunks_.size(); ++i)
      f(std::string_view(chunks_[i].get(), i + 1 < chunks_.size() ? size_of(i) : used_));
  }

 private:
  static constexpr std::size_t kFirst = std::size_t{1} << 16;
  static constexpr std::size_t kOthers = std::size_t{1} << 20;
  static std::size_t size_of(std::size_t index) { return index == 0 ? kFirst : kOthers; }

  void grow() {
    full_ += used_;
    capacity_ = size_of(chunks_.size());
    chunks_.emplace_back(new char[capacity_]);
    used_ = 0;
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  std::uint64_t full_ = 0;  // bytes in all chunks but the last
  std::size_t used_ = 0, capacity_ = 0;
};

}  // namespace sda
