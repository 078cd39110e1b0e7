#include "wrapped_pickle.h"

#include <cstdint>
#include <vector>

#include "checkpoint/container/zip_format.h"

namespace sda::fuzz {
namespace {

void append(std::string& to, std::uint64_t value, int bytes) {
  for (; bytes > 0; --bytes, value >>= 8) to += static_cast<char>(value & 0xFF);
}

class Archive {
 public:
  void add(std::string_view name, std::string_view content) {
    const std::string path = "a/" + std::string(name);
    const std::size_t offset = bytes_.size();
    append(bytes_, zip_format::kLocalSignature, 4);
    const std::string shared = fields(path.size(), content.size());
    bytes_ += shared + path;
    bytes_ += content;
    append(directory_, zip_format::kCentralSignature, 4);
    append(directory_, 0, 2);
    directory_ += shared;
    append(directory_, 0, 10);  // comment, disk, attributes
    append(directory_, offset, 4);
    directory_ += path;
    ++count_;
  }

  std::string finish() && {
    const std::size_t start = bytes_.size();
    bytes_ += directory_;
    append(bytes_, zip_format::kEndSignature, 4);
    append(bytes_, 0, 4);
    append(bytes_, count_, 2);
    append(bytes_, count_, 2);
    append(bytes_, directory_.size(), 4);
    append(bytes_, start, 4);
    append(bytes_, 0, 2);
    return std::move(bytes_);
  }

 private:
  // The fields of both headers: version, flags, method, time, CRC, sizes and the length of the
  // name.
  static std::string fields(std::size_t name_size, std::size_t size) {
    std::string out;
    append(out, 0, 14);
    append(out, size, 4);
    append(out, size, 4);
    append(out, name_size, 2);
    append(out, 0, 2);
    return out;
  }

  std::string bytes_, directory_;
  std::uint64_t count_ = 0;
};

}  // namespace

std::string wrapped_pickle(std::string_view pickle, bool big_endian) {
  Archive archive;
  archive.add("data.pkl", pickle);
  archive.add("byteorder", big_endian ? "big" : "little");
  archive.add("version", "3\n");
  const std::vector<std::size_t> sizes = {0, 4, 12, 64};
  for (std::size_t i = 0; i < sizes.size(); ++i)
    archive.add("data/" + std::to_string(i), std::string(sizes[i], static_cast<char>('A' + i)));
  return std::move(archive).finish();
}

}  // namespace sda::fuzz
