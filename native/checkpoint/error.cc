#include "checkpoint/error.h"

#include <algorithm>

namespace sda {

std::string_view code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "ERR_SDA_NOT_FOUND";
    case ErrorCode::kFormat:
      return "ERR_SDA_FORMAT";
    case ErrorCode::kCorrupt:
      return "ERR_SDA_CORRUPT";
    case ErrorCode::kUnsafe:
      return "ERR_SDA_UNSAFE";
    case ErrorCode::kVersion:
      return "ERR_SDA_VERSION";
    case ErrorCode::kSchema:
      return "ERR_SDA_SCHEMA";
    case ErrorCode::kLimit:
      return "ERR_SDA_LIMIT";
    case ErrorCode::kArgument:
      return "ERR_SDA_ARGUMENT";
    case ErrorCode::kDevice:
      return "ERR_SDA_DEVICE";
    case ErrorCode::kLibTorch:
      return "ERR_SDA_LIBTORCH";
    case ErrorCode::kNative:
      return "ERR_SDA_NATIVE";
    case ErrorCode::kDisposed:
      return "ERR_SDA_DISPOSED";
    case ErrorCode::kLocked:
      return "ERR_SDA_LOCKED";
    case ErrorCode::kIo:
      return "ERR_SDA_IO";
  }
  return "ERR_SDA_NATIVE";
}

Error& Error::with(std::string_view key, DetailValue value) & {
  const bool known = std::any_of(details_.begin(), details_.end(),
                                 [&](const auto& detail) { return detail.first == key; });
  if (!known) details_.emplace_back(key, std::move(value));
  return *this;
}

Error&& Error::with(std::string_view key, DetailValue value) && {
  return std::move(with(key, std::move(value)));
}

}  // namespace sda
