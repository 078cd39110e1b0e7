// The arguments of protocol 0's opcodes, which are lines of text. All throw kCorrupt for a line
// that Python does not write, and kLimit for a number that is too long.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sda {

struct DecimalNumber {
  bool negative = false;
  std::vector<std::uint64_t> magnitude;  // least significant word first, no leading zero words
};

double text_float(std::string_view line);
DecimalNumber text_integer(std::string_view line);
std::uint64_t text_index(std::string_view line);
// A str of Python 2 as repr() writes it: the bytes.
std::string text_string(std::string_view line);
// "raw-unicode-escape": UTF-8.
std::string text_unicode(std::string_view line);

}  // namespace sda
