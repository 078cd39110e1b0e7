#include "checkpoint/error.h"

#include <algorithm>

namespace sda {

std::string_view code_name(ErrorCode code) {
  switch (code) {
#define SDA_ERROR_CODE(name, text) \
  case ErrorCode::name:            \
    return text;
#include "checkpoint/error_codes.def"
#undef SDA_ERROR_CODE
  }
  return code_name(ErrorCode::kNative);
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
