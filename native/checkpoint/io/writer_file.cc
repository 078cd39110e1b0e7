#include "checkpoint/io/writer_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "checkpoint/error.h"
#include "os/durable.h"
#include "os/process.h"

namespace sda {
namespace {

constexpr std::size_t kGather = std::size_t{64} << 10;
// A limit on one write() call: larger calls are not faster.
constexpr std::size_t kWriteAtMost = std::size_t{1} << 20;
constexpr std::string_view kTempPrefix = ".sda-";
constexpr std::string_view kTempSuffix = ".tmp";
constexpr int kNameAttempts = 100;

[[noreturn]] void throw_errno(int number, const std::string& path, const std::string& doing) {
  const bool missing = number == ENOENT || number == ENOTDIR;
  throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
              doing + " '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

[[noreturn]] void throw_errno(const std::string& path, const std::string& doing) {
  throw_errno(errno, path, doing);
}

std::string join(const std::string& folder, std::string_view name) {
  constexpr char kSeparator = static_cast<char>(std::filesystem::path::preferred_separator);
  const bool ends = folder.empty() || folder.back() == '/' || folder.back() == kSeparator;
  return (ends ? folder : folder + kSeparator) + std::string(name);
}

// "name", "name_1", "name_2", …
std::string numbered(std::string_view stem, std::uint64_t suffix) {
  std::string name(stem);
  if (suffix > 0) name.append("_").append(std::to_string(suffix));
  return name;
}

std::string temp_name() {
  static const std::string process = std::string(kTempPrefix) + os::process_tag() + "-";
  std::random_device random;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%08x%08x", random(), random());
  return process + digits.data() + std::string(kTempSuffix);
}

bool is_temp_name(std::string_view name) {
  if (name.size() <= kTempPrefix.size() + kTempSuffix.size() ||
      name.substr(0, kTempPrefix.size()) != kTempPrefix ||
      name.substr(name.size() - kTempSuffix.size()) != kTempSuffix)
    return false;
  // TempFile's names have two dashes. Those of lib/base/temporary-files.ts have more: their files
  // are not locked.
  return std::count(name.begin() + static_cast<std::ptrdiff_t>(kTempPrefix.size()), name.end(),
                    '-') == 2;
}

// Gives `from` the name `to`; false if the name `to` is taken.
bool rename_without_replacing(const std::string& from, const std::string& to) {
  if (os::take_free_name(from, to)) return true;
  if (errno != EEXIST) throw_errno(to, "cannot create");
  return false;
}

}  // namespace

OutputFile::OutputFile(os::Handle handle, std::string path)
    : handle_(handle), path_(std::move(path)), buffer_(new char[kGather]) {}

void OutputFile::write(const void* data, std::size_t size) {
  position_ += size;
  const auto* from = static_cast<const char*>(data);
  if (size <= kGather - gathered_) {
    if (size > 0) std::memcpy(buffer_.get() + gathered_, from, size);
    gathered_ += size;
    return;
  }
  flush();
  if (size < kGather) {
    std::memcpy(buffer_.get(), from, size);
    gathered_ = size;
  } else {
    write_through(from, size);
  }
}

void OutputFile::flush() {
  write_through(buffer_.get(), gathered_);
  gathered_ = 0;
}

void OutputFile::write_through(const char* data, std::size_t size) {
  while (size > 0) {
    const std::ptrdiff_t written = os::append(handle_, data, std::min(size, kWriteAtMost));
    if (written < 0) throw_errno(path_, "cannot write");
    if (written == 0) throw_errno(EIO, path_, "cannot write");
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

TempFile::TempFile(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    path_ = join(folder_, temp_name());
    handle_ = os::create_new(path_);
    if (handle_ == os::Handle::kNone) {
      if (errno == EEXIST) continue;
      throw_errno(path_, "cannot create");
    }
    // Until the file is locked, another process may take it for a dead writer's file and remove it.
    // Then this loop makes another file.
    const bool locked = os::try_lock(handle_);
    if (!locked && errno != EWOULDBLOCK)
      return;  // a file system without locks: no process removes temporary files here
    if (locked) {
      const auto info = os::info_of(handle_);
      if (info && info->links > 0) return;
    }
    os::close(handle_);
    handle_ = os::Handle::kNone;
  }
  throw_errno(EEXIST, folder_, "cannot create a temporary file in");
}

TempFile::~TempFile() {
  if (handle_ == os::Handle::kNone) return;
  if (!path_.empty()) os::remove_file(path_);
  os::close(handle_);
}

void TempFile::sync() {
  if (!os::sync(handle_)) throw_errno(path_, "cannot sync");
}

void TempFile::published(const std::string& path) {
  path_.clear();
  // Network file systems report failed writes here.
  if (!os::close(std::exchange(handle_, os::Handle::kNone))) throw_errno(path, "cannot close");
  if (!os::sync_folder(folder_)) throw_errno(folder_, "cannot sync");
}

std::string free_stem(const std::string& folder, std::string_view stem,
                      std::string_view extension) {
  for (std::uint64_t suffix = 0;; ++suffix) {
    const std::string candidate = numbered(stem, suffix);
    if (!os::info_of_name(join(folder, candidate + std::string(extension)))) return candidate;
  }
}

std::string TempFile::publish_new(std::string_view stem, std::string_view extension) {
  sync();
  for (std::uint64_t suffix = 0;; ++suffix) {
    const std::string path = join(folder_, numbered(stem, suffix) + std::string(extension));
    if (!rename_without_replacing(path_, path)) continue;
    try {
      published(path);
    } catch (...) {
      os::remove_file(path);  // the name may not survive a power cut, so it is not left there
      throw;
    }
    return path;
  }
}

void TempFile::publish_over(const std::string& path) {
  if (const auto old = os::info_at(path)) {
    if (old->type != os::FileType::kRegular)
      throw Error(ErrorCode::kArgument, "'" + path + "' is not a regular file").with("path", path);
    // Best effort: some file systems have no permissions.
    static_cast<void>(os::set_mode(handle_, old->mode));
  }
  sync();
  if (!os::rename_over(path_, path)) throw_errno(path, "cannot replace");
  published(path);
}

std::size_t remove_stale_temps(const std::string& folder) {
  const auto names = os::names_in(folder);
  if (!names) throw_errno(folder, "cannot list");
  std::size_t removed = 0;
  for (const std::string& name : *names) {
    if (!is_temp_name(name)) continue;
    const std::string path = join(folder, name);
    const os::Handle file = os::open_to_remove(path);
    if (file == os::Handle::kNone) continue;
    const auto info = os::info_of(file);
    if (info && info->type == os::FileType::kRegular && os::try_lock(file) && os::remove_file(path))
      ++removed;
    os::close(file);
  }
  return removed;
}

std::string follow_links(const std::string& path) {
  // Missing or unreachable: creating the file reports an error.
  return os::real_path(path).value_or(path);
}

}  // namespace sda
