#include "checkpoint/io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <sys/uio.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif
#endif

#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "checkpoint/memory_size.h"

namespace sda {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Linux reads at most 2 GiB in one call; a smaller limit costs nothing.
constexpr std::size_t kReadAtMost = std::size_t{1} << 30;

[[noreturn]] void throw_errno(const std::string& path, const char* doing) {
  const int number = errno;
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(doing) + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

[[noreturn]] void throw_shorter(const std::string& path, std::uint64_t offset) {
  throw Error(ErrorCode::kCorrupt, "'" + path + "' became shorter while it was read")
      .with("path", path)
      .with("offset", static_cast<std::int64_t>(offset));
}

PageBuffer::Region map_region(std::size_t size) {
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
  return {address, size};
}

// Keeps one freed region for the next buffer. Loading a model after another was disposed of then
// takes no page faults.
class SpareRegion {
 public:
  PageBuffer::Region take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    // A region of more than twice the size would waste memory.
    if (kept_.size < size || kept_.size / 2 > size) return {};
    return std::exchange(kept_, {});
  }

  void give(PageBuffer::Region region) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (region.size <= kSpareAtMost && region.size > kept_.size) std::swap(region, kept_);
    }
    if (region.address != nullptr) ::munmap(region.address, region.size);
  }

 private:
  static constexpr std::size_t kSpareAtMost = std::size_t{32} << 20;
  std::mutex mutex_;
  PageBuffer::Region kept_;
};

SpareRegion& spare_region() {
  static auto* const spare = new SpareRegion;  // never destroyed, so that it outlives every buffer
  return *spare;
}

// O_NONBLOCK: opening a FIFO must not wait for its writer.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

// Opens a file whose path is in the kernel's caches (Linux 5.12). Throws WouldWait for everything
// else, missing files included: the caller's second, waiting attempt reports those errors.
int open_without_waiting([[maybe_unused]] const char* path) {
#if defined(SYS_openat2) && defined(RESOLVE_CACHED)
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_CACHED;
  const auto fd = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  if (fd >= 0) return fd;
#endif
  throw WouldWait();
}

ssize_t read_without_waiting([[maybe_unused]] int fd, [[maybe_unused]] void* to,
                             [[maybe_unused]] std::size_t size, [[maybe_unused]] off_t offset) {
#if defined(RWF_NOWAIT)
  const iovec piece{to, size};
  const ssize_t got = ::preadv2(fd, &piece, 1, offset, RWF_NOWAIT);
  if (got > 0) return got;
#endif
  throw WouldWait();
}

}  // namespace

File::File(std::string path, Waiting waiting) : path_(std::move(path)), waiting_(waiting) {
  if (path_.find('\0') != std::string::npos)
    throw Error(ErrorCode::kArgument, "a path cannot contain a NUL character");
  fd_ = waiting == Waiting::kNever ? open_without_waiting(path_.c_str())
                                   : ::open(path_.c_str(), kOpenFlags);
  if (fd_ < 0) throw_errno(path_, "cannot open");
  struct stat info;
  if (::fstat(fd_, &info) != 0) {
    const int number = errno;
    ::close(fd_);
    errno = number;
    throw_errno(path_, "cannot examine");
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd_);
    throw Error(ErrorCode::kFormat, S_ISDIR(info.st_mode) ? "'" + path_ + "' is a directory"
                                                          : "'" + path_ + "' is not a file")
        .with("path", path_);
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

File::File(std::string name, Bytes content)
    : path_(std::move(name)),
      waiting_(Waiting::kAllowed),
      size_(content.size()),
      memory_(content.data()) {}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

void File::read_at(std::uint64_t offset, void* to, std::size_t size) const {
  auto* out = static_cast<std::byte*>(to);
  if (memory_ != nullptr) {
    if (offset > size_ || size > size_ - offset) throw_shorter(path_, offset);
    std::memcpy(out, memory_ + offset, size);
    return;
  }
  while (size > 0) {
    const std::size_t wanted = std::min(size, kReadAtMost);
    const auto at = static_cast<off_t>(offset);
    const ssize_t got = waiting_ == Waiting::kNever ? read_without_waiting(fd_, out, wanted, at)
                                                    : ::pread(fd_, out, wanted, at);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_errno(path_, "cannot read");
    }
    if (got == 0) throw_shorter(path_, offset);
    out += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

PageBuffer::PageBuffer(std::size_t size) : size_(size) {
  const bool huge = size >= kHugePage;
  const std::size_t wanted =
      size + (huge ? kHugePage : 1);  // room for alignment; mmap() refuses an empty mapping
  region_ = spare_region().take(wanted);
  if (region_.address == nullptr) region_ = map_region(wanted);
  data_ = static_cast<std::byte*>(region_.address);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(region_.address);
    data_ += (kHugePage - address % kHugePage) % kHugePage;
#if defined(MADV_HUGEPAGE)
    // Only for whole huge pages: a tail of a few bytes would otherwise take 2 MiB.
    ::madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  }
}

PageBuffer::~PageBuffer() { spare_region().give(region_); }

MappedFile::MappedFile(const File& file) : size_(memory_size(file.size())) {
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd_, 0);
  if (address == MAP_FAILED) throw_errno(file.path(), "cannot map");
  data_ = static_cast<std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace sda
