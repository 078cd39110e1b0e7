#include "checkpoint/container/tar.h"

#include <cstdint>
#include <optional>

namespace sda {
namespace {

constexpr std::size_t kChecksumAt = 148, kChecksumSize = 8;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 28 && c <= 31); }

std::string_view stripped(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// A number field as Python's tarfile understands it: binary after 0x80 or 0xff, else the text that
// int(text, 8) accepts.
std::optional<std::int64_t> number(std::string_view field) {
  if (field[0] == '\x80' || field[0] == '\xff') {
    // Two's complement in all bytes but the first. Larger numbers than 63 bits are no sizes.
    constexpr std::size_t kWidest = 8;
    const bool negative = field[0] == '\xff';
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    std::string_view bytes = field.substr(1);
    while (bytes.size() > kWidest) {
      if (bytes[0] != (negative ? '\xff' : '\0')) return std::nullopt;
      bytes.remove_prefix(1);
    }
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
  std::string_view text = stripped(field.substr(0, field.find('\0')));
  if (text.empty()) return 0;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  if (text.starts_with("0o") || text.starts_with("0O")) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  }
  std::int64_t value = 0;
  bool after_digit = false;
  for (const char c : text) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');
    after_digit = true;
  }
  if (!after_digit) return std::nullopt;
  return negative ? -value : value;
}

}  // namespace

bool is_tar(std::string_view head) noexcept {
  if (head.size() < kTarBlock) return false;
  const auto checksum = number(head.substr(kChecksumAt, kChecksumSize));
  if (!checksum) return false;
  // The checksum's own field counts as spaces. Old programs summed up signed bytes.
  std::int64_t bytes = ' ' * kChecksumSize, characters = bytes;
  for (std::size_t i = 0; i < kTarBlock; ++i) {
    if (i >= kChecksumAt && i < kChecksumAt + kChecksumSize) continue;
    bytes += static_cast<unsigned char>(head[i]);
    characters += static_cast<signed char>(head[i]);
  }
  return *checksum == bytes || *checksum == characters;
}

std::optional<std::uint64_t> tar_member_size(std::string_view header) noexcept {
  constexpr std::size_t kSizeAt = 124, kSizeSize = 12;
  const auto size = number(header.substr(kSizeAt, kSizeSize));
  if (!size || *size < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*size);
}

}  // namespace sda
