#include "library/index_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <utility>

#include "library/file_identity.h"

namespace sda::library {
namespace {

constexpr int kAttempts = 20;
constexpr auto kPause = std::chrono::milliseconds(10);
constexpr auto kShortPause = std::chrono::milliseconds(1);

std::string identity_of(const File& file) {
  const auto info = os::info_of(file.handle());
  if (!info)
    throw Error(ErrorCode::kIo, "cannot examine '" + file.path() + "'").with("path", file.path());
  return library::identity_of(*info);
}

// While another process exchanges the index under a lease (see rename.h), opening it without
// waiting fails with EWOULDBLOCK. This function then tries again for a short time.
std::unique_ptr<const File> open_index(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    try {
      return std::make_unique<const File>(path);
    } catch (const Error& error) {
      const std::pair<std::string, DetailValue> busy{"errno", std::int64_t{EWOULDBLOCK}};
      const auto& details = error.details();
      if (attempt == kAttempts || std::find(details.begin(), details.end(), busy) == details.end())
        throw;
    }
    std::this_thread::sleep_for(kShortPause);
  }
}

}  // namespace

IndexFile read_index(const std::string& path, const CancelToken& cancel) {
  for (int attempt = 1;; ++attempt) {
    const std::unique_ptr<const File> opened = open_index(path);
    const File& file = *opened;
    const std::string before = identity_of(file);
    if (file.size() > std::numeric_limits<std::uint32_t>::max())
      throw Error(ErrorCode::kLimit, "'" + path + "' is longer than 4 GiB").with("path", path);
    auto bytes = std::make_shared<PageBuffer>(static_cast<std::size_t>(file.size()));
    bool whole = true;
    try {
      file.read_at(0, bytes->data(), bytes->size());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorrupt) throw;
      whole = false;  // the file became shorter meanwhile
    }
    cancel.throw_if_cancelled();
    if (whole && (identity_of(file) == before || attempt == kAttempts)) {
      const auto* text = reinterpret_cast<const char*>(bytes->data());
      auto layout = scan_index({text, bytes->size()}, cancel);
      return {std::move(bytes), before, std::move(layout)};
    }
    if (attempt == kAttempts)
      throw Error(ErrorCode::kIo, "'" + path + "' keeps changing while it is read")
          .with("path", path);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace sda::library
