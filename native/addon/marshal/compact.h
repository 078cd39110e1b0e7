// Passes read-only values to JavaScript in a few large pieces: a program, a text and a list of
// other values. lib/values/compact.ts builds the values from them. Only on the environment's
// thread.
#pragma once

#include <napi.h>

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkpoint/pickle/value.h"

namespace sda::addon {

// Writes the program. It holds dicts, lists, numbers, ASCII strings and small float arrays; all
// other values are converted one by one.
class CompactWriter {
 public:
  // Converts one value through Node-API.
  using Convert = std::function<napi_value(const Value&)>;

  explicit CompactWriter(Convert convert) : convert_(std::move(convert)) {}

  // Called once, with the outermost dict.
  void dict(std::span<const std::pair<Value, Value>> entries) {
    made_.emplace(nullptr, 0);
    dict(entries, 0);
  }

  // The arguments of readCompact(): a Float64Array, a string and an array.
  std::vector<napi_value> pieces(Napi::Env env) const;

 private:
  void dict(std::span<const std::pair<Value, Value>> entries, int depth);
  void value(const Value& value, int depth);
  void array(const NdArray& array);
  void text(std::string_view text);
  void other(const Value& value);
  template <typename... Numbers>
  void write(Numbers... numbers) {
    (program_.push_back(static_cast<double>(numbers)), ...);
  }

  Convert convert_;
  std::vector<double> program_;
  std::string text_;
  std::vector<double> arrays_;  // the arrays' bytes; each array begins at a multiple of eight
  std::vector<napi_value> values_;
  std::unordered_map<const Object*, std::size_t> made_;
};

}  // namespace sda::addon
