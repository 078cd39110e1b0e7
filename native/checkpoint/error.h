// Errors of the native layers: a stable code, a message for people, and details (path, offset, …)
// that the failing layer adds. Callers use the code and the details; nothing parses the message.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sda {

enum class ErrorCode {
#define SDA_ERROR_CODE(name, text) name,
#include "checkpoint/error_codes.def"
#undef SDA_ERROR_CODE
};

// "ERR_SDA_NOT_FOUND" and so on: the name that JavaScript sees.
std::string_view code_name(ErrorCode code);

using DetailValue = std::variant<std::int64_t, double, std::string>;

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // Adds a detail, unless an inner layer has added one of that name already.
  Error& with(std::string_view key, DetailValue value) &;
  Error&& with(std::string_view key, DetailValue value) &&;

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::vector<std::pair<std::string, DetailValue>>& details() const noexcept {
    return details_;
  }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::pair<std::string, DetailValue>> details_;
};

// Thrown by work whose CancelToken has been cancelled.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace sda
