// What only Linux offers. Elsewhere each function says that it cannot, and its caller takes another
// way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "os/file.h"

namespace sda::os {

// Opens a file whose path is in the kernel's caches. Handle::kNone: opening would wait, or fails.
Handle open_cached(const std::string& path);
// Reads what is in the kernel's caches. 0 or less: reading would wait, or fails.
std::ptrdiff_t read_cached_at(Handle file, void* to, std::size_t size, std::uint64_t offset);

// Has the kernel copy to the end of `to`. Returns the number of bytes copied; 0: it cannot; -1: an
// error, in errno.
std::int64_t copy_range(Handle from, std::uint64_t offset, Handle to, std::size_t size);

// A lease on an open file. While it lives, other programs that open the file wait, or get
// EWOULDBLOCK if they must not wait.
class Lease {
 public:
  // `descriptor`: the file, open for writing and open nowhere else; -1: no lease.
  explicit Lease(int descriptor);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Copies the content of the file at `path` into the leased file, so that waiting programs read
  // it. Best effort.
  void answer_with(const std::string& path) const;

 private:
  [[maybe_unused]] int descriptor_ = -1;
};

}  // namespace sda::os
