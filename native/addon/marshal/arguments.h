// Arguments of native functions. TypeScript validates them and writes errors for users; these
// checks protect memory and state only the expected type.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>

#include "checkpoint/cancel.h"

namespace sda::addon {

std::string string_argument(const Napi::Value& value, const char* name);
double number_argument(const Napi::Value& value, const char* name);
// A whole number that a double holds exactly.
std::int64_t integer_argument(const Napi::Value& value, const char* name);
bool boolean_option(const Napi::Object& options, const char* name, bool otherwise);
Napi::Object object_argument(const Napi::Value& value, const char* name);

// The token behind a CancelToken object; null when the argument is undefined.
std::shared_ptr<CancelToken> cancel_argument(const Napi::Value& value);

// createCancelToken()
Napi::Value create_cancel_token(const Napi::CallbackInfo& info);

}  // namespace sda::addon
