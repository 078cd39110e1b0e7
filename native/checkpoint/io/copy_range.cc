#include "checkpoint/io/copy_range.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "checkpoint/io/crc32.h"
#include "os/extras.h"

namespace sda {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;

[[noreturn]] void throw_errno(const std::string& path, const char* doing) {
  const int number = errno;
  throw Error(ErrorCode::kIo, std::string(doing) + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// Lets the kernel copy to the end of `to`. Returns the bytes copied, 0 when it cannot copy.
std::uint64_t kernel_copy(const File& from, std::uint64_t offset, std::uint64_t size,
                          OutputFile& to) {
  const std::int64_t copied =
      os::copy_range(from.handle(), offset, to.handle(), static_cast<std::size_t>(size));
  if (copied < 0) throw_errno(to.path(), "cannot copy to");
  return static_cast<std::uint64_t>(copied);
}

void read_back(const OutputFile& file, std::uint64_t offset, std::byte* to, std::size_t size) {
  while (size > 0) {
    const std::ptrdiff_t got = os::read_at(file.handle(), to, size, offset);
    if (got == 0) errno = EIO;
    if (got <= 0) throw_errno(file.path(), "cannot read back");
    to += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace

std::uint32_t copy_range(const File& from, std::uint64_t offset, std::uint64_t size, OutputFile& to,
                         const CancelToken* cancel) {
  const std::unique_ptr<std::byte[]> buffer(new std::byte[std::min(size, kPiece)]);
  std::uint32_t crc = 0;
  bool by_kernel = true;
  to.flush();
  while (size > 0) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    std::uint64_t part = std::min(size, kPiece);
    if (by_kernel) {
      const std::uint64_t copied = kernel_copy(from, offset, part, to);
      by_kernel = copied > 0;
      if (by_kernel) {
        part = copied;
        read_back(to, to.position(), buffer.get(), static_cast<std::size_t>(part));
        to.advance(part);
      }
    }
    if (!by_kernel) {
      from.read_at(offset, buffer.get(), static_cast<std::size_t>(part));
      to.write(buffer.get(), static_cast<std::size_t>(part));
    }
    crc = crc32(crc, buffer.get(), static_cast<std::size_t>(part));
    offset += part;
    size -= part;
  }
  return crc;
}

}  // namespace sda
