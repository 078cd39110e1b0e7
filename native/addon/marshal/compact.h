// Values for reading only, handed to JavaScript in a few pieces; see lib/values/compact.ts, which
// puts them together.
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

// Writes the program. Dicts, lists, numbers, ASCII strings and small arrays of floats go into it;
// anything else is converted one by one.
class CompactWriter {
 public:
  // Converts a value by calls to Node-API.
  using Convert = std::function<napi_value(const Value&)>;

  explicit CompactWriter(Convert convert) : convert_(std::move(convert)) {}

  // To be called once: everything is in this dict.
  void dict(std::span<const std::pair<Value, Value>> entries) {
    made_.emplace(nullptr, 0);
    dict(entries, 0);
  }

  // Float64Array, string, array: the arguments of readCompact.
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
  std::vector<double> arrays_;  // their bytes, each from a multiple of eight
  std::vector<napi_value> values_;
  std::unordered_map<const Object*, std::size_t> made_;
};

}  // namespace sda::addon
