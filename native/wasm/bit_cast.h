// std::bit_cast, which the C++ library of emscripten 3.1.6 lacks. The WebAssembly build includes
// this header in front of every source (cmake/wasm.cmake).
#pragma once

#include <bit>

#if !defined(__cpp_lib_bit_cast)
namespace std {
template <typename To, typename From>
constexpr To bit_cast(const From& from) noexcept {
  return __builtin_bit_cast(To, from);
}
}  // namespace std
#endif
