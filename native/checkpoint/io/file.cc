#include "checkpoint/io/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "checkpoint/memory_size.h"
#include "os/extras.h"
#include "os/memory.h"

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
  void* address = os::map_memory(size);
  if (address == nullptr) throw std::bad_alloc();
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
    if (region.address != nullptr) os::unmap_memory(region.address, region.size);
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

// Throws WouldWait also for errors: the caller's second, waiting attempt reports them.
os::Handle open_without_waiting(const std::string& path) {
  const os::Handle file = os::open_cached(path);
  if (file == os::Handle::kNone) throw WouldWait();
  return file;
}

std::ptrdiff_t read_without_waiting(os::Handle file, void* to, std::size_t size,
                                    std::uint64_t offset) {
  const std::ptrdiff_t got = os::read_cached_at(file, to, size, offset);
  if (got <= 0) throw WouldWait();
  return got;
}

}  // namespace

File::File(std::string path, Waiting waiting) : path_(std::move(path)), waiting_(waiting) {
  if (path_.find('\0') != std::string::npos)
    throw Error(ErrorCode::kArgument, "a path cannot contain a NUL character");
  handle_ = waiting == Waiting::kNever ? open_without_waiting(path_) : os::open_to_read(path_);
  if (handle_ == os::Handle::kNone) throw_errno(path_, "cannot open");
  const auto info = os::info_of(handle_);
  if (!info) {
    const int number = errno;
    os::close(handle_);
    errno = number;
    throw_errno(path_, "cannot examine");
  }
  if (info->type != os::FileType::kRegular) {
    os::close(handle_);
    const bool is_folder = info->type == os::FileType::kFolder;
    Error error(ErrorCode::kFormat,
                "'" + path_ + (is_folder ? "' is a directory" : "' is not a file"));
    error.with("path", path_);
    if (is_folder) error.with("container", std::string("folder"));
    throw error;
  }
  size_ = info->size;
}

File::File(std::string name, Bytes content)
    : path_(std::move(name)),
      waiting_(Waiting::kAllowed),
      size_(content.size()),
      memory_(content.data()) {}

File::File(std::string name, std::uint64_t size, std::vector<FilePart> parts)
    : path_(std::move(name)),
      waiting_(Waiting::kAllowed),
      size_(size),
      parts_(std::move(parts)),
      has_parts_(true) {}

std::shared_ptr<PageBuffer> File::content() const {
  const bool whole =
      parts_.size() == 1 && parts_[0].offset == 0 && parts_[0].bytes->size() == size_;
  return whole ? parts_[0].bytes : nullptr;
}

void File::need_all() const {
  if (has_parts_ && content() == nullptr) throw PartMissing{0, size_};
}

File::~File() {
  if (handle_ != os::Handle::kNone) os::close(handle_);
}

void File::read_at(std::uint64_t offset, void* to, std::size_t size) const {
  auto* out = static_cast<std::byte*>(to);
  if (memory_ != nullptr) {
    if (offset > size_ || size > size_ - offset) throw_shorter(path_, offset);
    std::memcpy(out, memory_ + offset, size);
    return;
  }
  if (has_parts_) {
    if (offset > size_ || size > size_ - offset) throw_shorter(path_, offset);
    read_parts(offset, out, size);
    return;
  }
  while (size > 0) {
    const std::size_t wanted = std::min(size, kReadAtMost);
    const std::ptrdiff_t got = waiting_ == Waiting::kNever
                                   ? read_without_waiting(handle_, out, wanted, offset)
                                   : os::read_at(handle_, out, wanted, offset);
    if (got < 0) throw_errno(path_, "cannot read");
    if (got == 0) throw_shorter(path_, offset);
    out += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

void File::read_parts(std::uint64_t offset, std::byte* to, std::size_t size) const {
  auto part = std::upper_bound(
      parts_.begin(), parts_.end(), offset,
      [](std::uint64_t at, const FilePart& candidate) { return at < candidate.offset; });
  if (part != parts_.begin()) --part;
  while (size > 0) {
    const bool found = part != parts_.end() && part->offset <= offset &&
                       offset - part->offset < part->bytes->size();
    if (!found) throw PartMissing{offset, size};
    const auto from = static_cast<std::size_t>(offset - part->offset);
    const std::size_t count = std::min(size, part->bytes->size() - from);
    std::memcpy(to, part->bytes->data() + from, count);
    to += count;
    offset += count;
    size -= count;
    ++part;
  }
}

PageBuffer::PageBuffer(std::size_t size) : size_(size) {
  const bool huge = size >= kHugePage;
  const std::size_t wanted =
      size + (huge ? kHugePage : 1);  // room for alignment; the system refuses an empty region
  region_ = spare_region().take(wanted);
  if (region_.address == nullptr) region_ = map_region(wanted);
  data_ = static_cast<std::byte*>(region_.address);
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(region_.address);
    data_ += (kHugePage - address % kHugePage) % kHugePage;
    // Only for whole huge pages: a tail of a few bytes would otherwise take 2 MiB.
    os::prefer_huge_pages(data_, size / kHugePage * kHugePage);
  }
}

PageBuffer::~PageBuffer() { spare_region().give(region_); }

MappedFile::MappedFile(const File& file) : size_(memory_size(file.size())) {
  if (size_ == 0) return;
  data_ = static_cast<std::byte*>(os::map_file(file.handle(), size_));
  if (data_ == nullptr) throw_errno(file.path(), "cannot map");
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) os::unmap_file(data_, size_);
}

WholeFile::WholeFile(const File& file) {
  if (auto content = file.content()) {
    data = content->data();
    owner = std::move(content);
    return;
  }
  file.need_all();
  auto mapping = std::make_shared<MappedFile>(file);
  data = mapping->data();
  owner = std::move(mapping);
}

}  // namespace sda
