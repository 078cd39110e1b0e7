// UTF-8 as Python writes it into pickles: strict, but lone surrogates may be encoded too
// ("surrogatepass").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sda {

bool is_python_utf8(std::string_view text) noexcept;

bool is_ascii(std::string_view text) noexcept;

// Whether a surrogate is encoded in it; such a text is not valid UTF-8 for others.
bool has_surrogates(std::string_view python_utf8) noexcept;

std::u16string to_utf16(std::string_view python_utf8);

// Decodes one character at `at` and moves past it; false if it is malformed.
bool next_code_point(std::string_view text, std::size_t& at, std::uint32_t& code_point) noexcept;

}  // namespace sda
