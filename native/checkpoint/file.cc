#include "checkpoint/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace sda {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Linux reads at most this much in one call anyway.
constexpr std::size_t kReadAtMost = std::size_t{1} << 30;

[[noreturn]] void throw_errno(const std::string& path, const char* doing) {
  const int number = errno;
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(doing) + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

PageBuffer::Region map_region(std::size_t size) {
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
  return {address, size};
}

// The one region that waits for its next user. Loading a model after another was disposed of then
// takes no page fault at all.
class SpareRegion {
 public:
  PageBuffer::Region take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    // Twice the size would be hoarding.
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
  static auto* const spare = new SpareRegion;  // outlives every buffer, whenever it goes
  return *spare;
}

}  // namespace

File::File(std::string path) : path_(std::move(path)) {
  if (path_.find('\0') != std::string::npos)
    throw Error(ErrorCode::kArgument, "a path cannot contain a NUL character");
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

File::~File() { ::close(fd_); }

void File::read_at(std::uint64_t offset, void* to, std::size_t size) const {
  auto* out = static_cast<std::byte*>(to);
  while (size > 0) {
    const ssize_t got = ::pread(fd_, out, std::min(size, kReadAtMost), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_errno(path_, "cannot read");
    }
    if (got == 0)
      throw Error(ErrorCode::kCorrupt, "'" + path_ + "' became shorter while it was read")
          .with("path", path_)
          .with("offset", static_cast<std::int64_t>(offset));
    out += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

PageBuffer::PageBuffer(std::size_t size) : size_(size) {
  const bool huge = size >= kHugePage;
  const std::size_t wanted =
      size + (huge ? kHugePage : 1);  // room to align; never an empty mapping
  region_ = spare_region().take(wanted);
  if (region_.address == nullptr) region_ = map_region(wanted);
  data_ = static_cast<std::byte*>(region_.address);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(region_.address);
    data_ += (kHugePage - address % kHugePage) % kHugePage;
#if defined(MADV_HUGEPAGE)
    // Whole huge pages only: the tail would otherwise take 2 MiB for a few bytes.
    ::madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  }
}

PageBuffer::~PageBuffer() { spare_region().give(region_); }

MappedFile::MappedFile(const File& file) : size_(static_cast<std::size_t>(file.size())) {
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd_, 0);
  if (address == MAP_FAILED) throw_errno(file.path(), "cannot map");
  data_ = static_cast<std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace sda
