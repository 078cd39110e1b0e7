// UTF-8 as Python writes it into pickles: strict, except that lone surrogates may be encoded
// ("surrogatepass").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sda {

bool is_python_utf8(std::string_view text) noexcept;

bool is_ascii(std::string_view text) noexcept;

// Whether the text encodes a surrogate. Such a text is not valid UTF-8.
bool has_surrogates(std::string_view python_utf8) noexcept;

std::u16string to_utf16(std::string_view python_utf8);

// Decodes the character at `at` and moves `at` past it. Returns false if it is malformed.
bool next_code_point(std::string_view text, std::size_t& at, std::uint32_t& code_point) noexcept;

// Appends the UTF-8 text whose characters are the bytes of `raw`.
void append_latin1(std::string& text, std::string_view raw);

}  // namespace sda
