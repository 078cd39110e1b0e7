// Ambiguity is refusal.
//
// A verdict about a file holds only if PyTorch and CPython read the same content from it as this
// reader does. So a file is refused where they could read something else, or where their versions
// differ from each other, however harmless it looks to this reader. Every such place calls
// refuse_ambiguous(). It is not for damage, which nobody reads as content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "checkpoint/error.h"

namespace sda {

// The value of the error's detail `ambiguity`.
namespace ambiguity {
inline constexpr std::string_view kFrame = "pickle-frame";
inline constexpr std::string_view kRecordName = "record-name";
inline constexpr std::string_view kEndRecord = "end-record";
inline constexpr std::string_view kDirectoryAttribute = "directory-attribute";
inline constexpr std::string_view kTar = "tar";
}  // namespace ambiguity

[[noreturn]] inline void refuse_ambiguous(std::string_view kind, const std::string& what,
                                          std::uint64_t offset) {
  throw Error(ErrorCode::kUnsafe, what + "; other readers may find another content")
      .with("ambiguity", std::string(kind))
      .with("offset", static_cast<std::int64_t>(offset));
}

}  // namespace sda
