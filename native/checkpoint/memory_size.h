// Sizes from files, which have 64 bits, as sizes in memory, which have 32 on some platforms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace sda {

// The same size or count, which must not be negative. Throws std::bad_alloc where no allocation of
// this process can be so large; a plain cast would allocate too little.
template <typename Integer>
std::size_t memory_size(Integer size) {
  if (static_cast<std::uint64_t>(size) > PTRDIFF_MAX) throw std::bad_alloc();
  return static_cast<std::size_t>(size);
}

}  // namespace sda
