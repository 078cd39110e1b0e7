#include "library/index_file.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>

namespace sda::library {
namespace {

constexpr int kAttempts = 20;
constexpr auto kPause = std::chrono::milliseconds(10);

std::string nanoseconds(const timespec& time) {
  return std::to_string(std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
}

// lib/library/file-identity.ts writes the same.
std::string identity_of(const File& file) {
  struct stat info;
  if (::fstat(file.descriptor(), &info) != 0)
    throw Error(ErrorCode::kIo, "cannot examine '" + file.path() + "'").with("path", file.path());
#if defined(__APPLE__)
  const auto& [modified, changed] = std::pair(info.st_mtimespec, info.st_ctimespec);
#else
  const auto& [modified, changed] = std::pair(info.st_mtim, info.st_ctim);
#endif
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" +
         std::to_string(info.st_size) + ":" + nanoseconds(modified) + ":" + nanoseconds(changed);
}

}  // namespace

IndexFile read_index(const std::string& path, const CancelToken& cancel) {
  for (int attempt = 1;; ++attempt) {
    const File file(path);
    const std::string before = identity_of(file);
    if (file.size() > std::numeric_limits<std::uint32_t>::max())
      throw Error(ErrorCode::kLimit, "'" + path + "' is longer than 4 GiB").with("path", path);
    auto bytes = std::make_shared<PageBuffer>(static_cast<std::size_t>(file.size()));
    bool whole = true;
    try {
      file.read_at(0, bytes->data(), bytes->size());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorrupt) throw;
      whole = false;  // it became shorter
    }
    cancel.throw_if_cancelled();
    if (whole && (identity_of(file) == before || attempt == kAttempts)) {
      const auto* text = reinterpret_cast<const char*>(bytes->data());
      auto layout = scan_index({text, bytes->size()}, cancel);
      return {std::move(bytes), before, std::move(layout)};
    }
    if (attempt == kAttempts)
      throw Error(ErrorCode::kIo, "'" + path + "' changes while it is read").with("path", path);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace sda::library
