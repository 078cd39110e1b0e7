// What the files for Linux, macOS and WebAssembly share.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "os/file.h"

namespace sda::os {

inline Handle handle_of(int descriptor) { return static_cast<Handle>(descriptor); }
inline int descriptor_of(Handle file) { return static_cast<int>(file); }

// Repeats a system call that a signal interrupted.
template <typename F>
auto retried(F&& call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

inline std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Each system's own: macOS names these members and its fsync() otherwise.
int sync_descriptor(int descriptor);
std::int64_t modified_ns(const struct stat& info);
std::int64_t changed_ns(const struct stat& info);

}  // namespace sda::os
