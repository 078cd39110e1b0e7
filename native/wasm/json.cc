#include "wasm/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <variant>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/utf8.h"

namespace sda::wasm {
namespace {

// A list that a file names many times is written as often. Descriptions take a few kilobytes.
constexpr std::size_t kMaxText = std::size_t{64} << 20;

std::string error_of(std::string_view code, std::string_view message,
                     std::span<const std::pair<std::string, DetailValue>> details = {}) {
  Json json;
  json.raw(R"({"error":{"code":)").string(code).raw(R"(,"message":)").string(message);
  json.raw(R"(,"details":{)");
  for (std::size_t i = 0; i < details.size(); ++i) {
    const auto& [key, detail] = details[i];
    json.raw(i == 0 ? "" : ",").string(key).raw(":");
    if (const auto* text = std::get_if<std::string>(&detail))
      json.string(*text);
    else if (const auto* whole = std::get_if<std::int64_t>(&detail))
      json.integer(*whole);
    else
      json.number(std::get<double>(detail));
  }
  return json.raw("}}}").take();
}

}  // namespace

Json& Json::number(double value) {
  if (std::isnan(value)) return raw(R"("NaN")");
  if (std::isinf(value)) return raw(value > 0 ? "1e999" : "-1e999");
  std::array<char, 32> digits;
  std::snprintf(digits.data(), digits.size(), "%.17g", value);
  return raw(digits.data());
}

Json& Json::integer(std::int64_t value) { return raw(std::to_string(value)); }

Json& Json::string(std::string_view python_utf8) {
  text_ += '"';
  for (const char16_t unit : to_utf16(python_utf8)) {
    const bool plain = unit >= ' ' && unit < 0x7F && unit != '"' && unit != '\\';
    std::array<char, 8> escaped;
    if (!plain) std::snprintf(escaped.data(), escaped.size(), "\\u%04x", unsigned{unit});
    plain ? void(text_ += static_cast<char>(unit)) : void(text_ += escaped.data());
  }
  text_ += '"';
  return *this;
}

template <typename Items, typename Write>
Json& Json::list(const Items& items, Write&& write) {
  text_ += '[';
  for (const auto& item : items) {
    if (text_.size() > kMaxText)
      throw Error(ErrorCode::kLimit, "the file's description is too long");
    if (text_.back() != '[') text_ += ',';
    write(item);
  }
  return raw("]");
}

Json& Json::integers(std::span<const std::int64_t> values) {
  return list(values, [this](std::int64_t value) { integer(value); });
}

Json& Json::memory(DType dtype, std::span<const std::int64_t> shape, const void* at) {
  raw(R"({"dtype":)").string(dtype_name(dtype)).raw(R"(,"shape":)").integers(shape);
  return raw(R"(,"at":)").integer(reinterpret_cast<std::intptr_t>(at)).raw("}");
}

Json& Json::value(const Value& value, int depth) {
  if (depth > limits::kMaxDepth)
    throw Error(ErrorCode::kLimit,
                "containers nested deeper than " + std::to_string(limits::kMaxDepth));
  if (value.is_none()) return raw("null");
  if (value.kind == Kind::kBool) return raw(value.integer != 0 ? "true" : "false");
  if (value.kind == Kind::kInt) return integer(value.integer);
  if (value.kind == Kind::kFloat) return raw(R"({"float":)").number(value.real).raw("}");
  if (value.kind == Kind::kStr) return string(value.view());
  if (const auto* items = value.as<List>())
    return list(items->items, [&](const Value& item) { this->value(item, depth + 1); });
  if (const auto* dict = value.as<Dict>()) {
    raw(R"({"map":)");
    list(dict->entries, [&](const auto& entry) {
      list(std::array{entry.first, entry.second},
           [&](const Value& part) { this->value(part, depth + 1); });
    });
    return raw("}");
  }
  if (const auto* array = value.as<NdArray>();
      array != nullptr && array->built && !array->described)
    return memory(array->dtype, array->shape, array->data.get());
  if (const auto* tensor = value.as<Tensor>()) {
    const std::byte* const data =
        tensor->contiguous || tensor->storage->data == nullptr
            ? tensor->contiguous.get()
            : tensor->storage->data + tensor->offset * item_size(tensor->dtype);
    return memory(tensor->dtype, tensor->shape, data);
  }
  return raw("{}");
}

Json& Json::dict_without(const Dict& dict, std::span<const std::string_view> keys) {
  raw(R"({"map":[)");
  const char* separator = "";
  for (const auto& [key, item] : dict.entries) {
    const auto name = key.as_str();
    if (name && std::find(keys.begin(), keys.end(), *name) != keys.end()) continue;
    raw(std::exchange(separator, ",")).raw("[").value(key).raw(",").value(item).raw("]");
  }
  return raw("]}");
}

std::string error_json(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error_of(code_name(error.code()), error.message(), error.details());
  } catch (const Cancelled&) {
    return error_of("ERR_SDA_ABORTED", "the operation was aborted");
  } catch (const std::bad_alloc&) {
    return error_of(code_name(ErrorCode::kLimit), "not enough memory");
  } catch (const std::length_error&) {
    return error_of(code_name(ErrorCode::kLimit), "not enough memory");
  } catch (const std::exception& error) {
    return error_of(code_name(ErrorCode::kNative), error.what());
  }
}

}  // namespace sda::wasm
