#include "checkpoint/pickle/text_opcodes.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "checkpoint/error.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

[[noreturn]] void corrupt(const std::string& what) { throw Error(ErrorCode::kCorrupt, what); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The value of `count` hexadecimal digits at `at`.
std::uint32_t hex_at(std::string_view line, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  const std::string_view digits = line.substr(std::min(at, line.size()), count);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != count || error != std::errc() || end != digits.data() + digits.size())
    corrupt("a damaged escape in a text of protocol 0");
  return value;
}

void append_utf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr std::uint32_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[more] | point >> 6 * more);
  for (int i = more; i-- > 0;) text += static_cast<char>(0x80 | (point >> 6 * i & 0x3F));
}

}  // namespace

double text_float(std::string_view line) {
  constexpr std::size_t kLongest = 64;
  const std::string text(line.substr(0, kLongest));
  std::string_view digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  // strtod also takes hexadecimal numbers, which Python does not write.
  const bool is_number =
      digits == "nan" || digits == "inf" ||
      (!digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) {
        return is_digit(c) || std::string_view(".eE+-").find(c) != std::string_view::npos;
      }));
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!is_number || line.size() > kLongest || end != text.c_str() + text.size())
    corrupt("a float that is no number");
  return value;
}

DecimalNumber text_integer(std::string_view line) {
  DecimalNumber number;
  number.negative = line.starts_with('-');
  if (number.negative) line.remove_prefix(1);
  if (line.empty() || !std::all_of(line.begin(), line.end(), is_digit))
    corrupt("an integer that is no number");
  // Each byte has 2.4 digits.
  if (line.size() > limits::kMaxIntegerBytes * 2)
    throw Error(ErrorCode::kLimit, "an integer of " + std::to_string(line.size()) + " digits");
  // Word by word, 18 digits at a time.
  constexpr std::size_t kDigits = 18;
  std::vector<std::uint64_t>& words = number.magnitude;
  while (!line.empty()) {
    const std::string_view part = line.substr(0, kDigits);
    line.remove_prefix(part.size());
    std::uint64_t factor = 1, carry = 0;
    for (std::size_t i = 0; i < part.size(); ++i) factor *= 10;
    std::from_chars(part.data(), part.data() + part.size(), carry);
    for (std::uint64_t& word : words) {
      const auto product = static_cast<unsigned __int128>(word) * factor + carry;
      word = static_cast<std::uint64_t>(product);
      carry = static_cast<std::uint64_t>(product >> 64);
    }
    if (carry != 0) words.push_back(carry);
  }
  return number;
}

std::uint64_t text_index(std::string_view line) {
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), index);
  if (error != std::errc() || end != line.data() + line.size())
    corrupt("a memo index that is no number");
  return index;
}

std::string text_string(std::string_view line) {
  if (line.size() < 2 || line.front() != line.back() || (line[0] != '\'' && line[0] != '"'))
    corrupt("a string of protocol 0 without quotes");
  line = line.substr(1, line.size() - 2);
  std::string bytes;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      bytes += line[i];
      continue;
    }
    if (++i == line.size()) corrupt("a string of protocol 0 that ends in an escape");
    constexpr std::string_view kNames = "abfnrtv\\'\"", kValues = "\a\b\f\n\r\t\v\\'\"";
    const std::size_t known = kNames.find(line[i]);
    if (known != std::string_view::npos) {
      bytes += kValues[known];
    } else if (line[i] == 'x') {
      bytes += static_cast<char>(hex_at(line, i + 1, 2));
      i += 2;
    } else if (line[i] >= '0' && line[i] <= '7') {
      unsigned value = 0;
      std::size_t digits = 0;
      for (; digits < 3 && i < line.size() && line[i] >= '0' && line[i] <= '7'; ++digits, ++i)
        value = value * 8 + static_cast<unsigned>(line[i] - '0');
      bytes += static_cast<char>(value);
      --i;
    } else {
      bytes += '\\';
      bytes += line[i];
    }
  }
  return bytes;
}

std::string text_unicode(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char kind = line[i] == '\\' && i + 1 < line.size() ? line[i + 1] : '\0';
    if (kind != 'u' && kind != 'U') {
      append_utf8(text, static_cast<unsigned char>(line[i]));
      continue;
    }
    const std::size_t digits = kind == 'u' ? 4 : 8;
    std::uint32_t point = hex_at(line, i + 2, digits);
    i += 1 + digits;
    // Python 2 wrote a character beyond U+FFFF as two surrogates.
    if (point >= 0xD800 && point < 0xDC00 && line.substr(i + 1, 2) == "\\u") {
      const std::uint32_t low = hex_at(line, i + 3, 4);
      if (low >= 0xDC00 && low < 0xE000) {
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        i += 6;
      }
    }
    if (point > 0x10FFFF) corrupt("a character beyond Unicode");
    append_utf8(text, point);
  }
  return text;
}

}  // namespace sda
