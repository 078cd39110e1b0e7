#include "checkpoint/io/copy_range.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "checkpoint/io/crc32.h"

namespace sda {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;

[[noreturn]] void throw_errno(const std::string& path, const char* doing) {
  const int number = errno;
  throw Error(ErrorCode::kIo, std::string(doing) + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// Whether the error says that the kernel or the file system does not support the call. Copying
// through memory would meet any other error again.
bool is_unsupported(int number) {
  return number == ENOSYS || number == EXDEV || number == EINVAL || number == EOPNOTSUPP ||
         number == EPERM || number == EBADF;
}

// Lets the kernel copy to the end of `to`. Returns the bytes copied, 0 when it cannot copy.
std::uint64_t kernel_copy(const File& from, std::uint64_t offset, std::uint64_t size,
                          OutputFile& to) {
#if defined(__linux__)
  auto at = static_cast<off_t>(offset);
  ssize_t copied;
  do {
    copied = ::copy_file_range(from.descriptor(), &at, to.descriptor(), nullptr,
                               static_cast<std::size_t>(size), 0);
  } while (copied < 0 && errno == EINTR);
  if (copied >= 0) return static_cast<std::uint64_t>(copied);
  if (!is_unsupported(errno)) throw_errno(to.path(), "cannot copy to");
#else
  static_cast<void>(from), static_cast<void>(offset), static_cast<void>(size);
  static_cast<void>(to);
#endif
  return 0;
}

void read_back(const OutputFile& file, std::uint64_t offset, std::byte* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::pread(file.descriptor(), to, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
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
