// JSON text for native/wasm/face.ts. Numbers of memory are addresses, which JavaScript reads.
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "checkpoint/pickle/value.h"

namespace sda::wasm {

class Json {
 public:
  Json& raw(std::string_view json) {
    text_ += json;
    return *this;
  }
  // JSON has no infinity and no NaN. JSON.parse() reads 1e999 as infinity; NaN becomes a string.
  Json& number(double value);
  Json& integer(std::int64_t value);
  Json& string(std::string_view python_utf8);
  Json& integers(std::span<const std::int64_t> values);
  // A value of a file. A dict becomes {"map": [[key, value], …]}, an array or tensor {"dtype",
  // "shape", "at"}, a float {"float": number}, and what a model's description never holds {}.
  Json& value(const Value& value, int depth = 0);
  // A dict without the entries of these keys.
  Json& dict_without(const Dict& dict, std::span<const std::string_view> keys);

  std::string take() { return std::move(text_); }

 private:
  Json& memory(DType dtype, std::span<const std::int64_t> shape, const void* at);
  template <typename Items, typename Write>
  Json& list(const Items& items, Write&& write);

  std::string text_;
};

// {"error": {"code", "message", "details"}}
std::string error_json(const std::exception_ptr& failure);

}  // namespace sda::wasm
