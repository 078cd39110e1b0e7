#include "checkpoint/pickle/utf8.h"

#include <cstring>

namespace sda {

bool next_code_point(std::string_view text, std::size_t& at, std::uint32_t& code_point) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at);
  if (lead < 0x80) {
    code_point = lead;
    ++at;
    return true;
  }
  std::size_t more;
  std::uint32_t least;
  if (lead >= 0xC2 && lead < 0xE0) {
    more = 1;
    least = 0x80;
    code_point = lead & 0x1F;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    more = 2;
    least = 0x800;
    code_point = lead & 0x0F;
  } else if (lead >= 0xF0 && lead < 0xF5) {
    more = 3;
    least = 0x10000;
    code_point = lead & 0x07;
  } else {
    return false;
  }
  if (text.size() - at <= more) return false;
  for (std::size_t i = 1; i <= more; ++i) {
    const std::uint8_t next = byte(at + i);
    if ((next & 0xC0) != 0x80) return false;
    code_point = (code_point << 6) | (next & 0x3F);
  }
  at += more + 1;
  return code_point >= least && code_point <= 0x10FFFF;
}

namespace {

// Whether the text is valid and has characters of one or two bytes only: a continuation byte
// follows each leading byte and no other. Written without branches, so that compilers vectorise it.
bool is_two_byte_utf8(std::string_view text) noexcept {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto continues = [](std::uint8_t byte) { return (byte & 0xC0) == 0x80; };
  const auto leads = [](std::uint8_t byte) { return byte >= 0xC2; };
  const auto is_foreign = [](std::uint8_t byte) {
    return (byte >= 0xE0) | (byte == 0xC0) | (byte == 0xC1);
  };
  if (text.empty()) return true;
  std::uint8_t wrong = is_foreign(bytes[0]) | continues(bytes[0]) | leads(bytes[text.size() - 1]);
  for (std::size_t i = 1; i < text.size(); ++i)
    wrong |= static_cast<std::uint8_t>(is_foreign(bytes[i]) |
                                       (continues(bytes[i]) != leads(bytes[i - 1])));
  return wrong == 0;
}

}  // namespace

bool is_python_utf8(std::string_view text) noexcept {
  // Fast for bytes that were pickled as latin-1 text, which has no longer characters.
  if (is_two_byte_utf8(text)) return true;
  std::uint32_t code_point;
  for (std::size_t at = 0; at < text.size();)
    if (!next_code_point(text, at, code_point)) return false;
  return true;
}

bool is_ascii(std::string_view text) noexcept {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::uint64_t seen = 0, word;
  std::size_t at = 0;
  for (; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    seen |= word;
  }
  for (; at < text.size(); ++at) seen |= static_cast<std::uint8_t>(text[at]);
  return (seen & kHighBits) == 0;
}

bool has_surrogates(std::string_view python_utf8) noexcept {
  // U+D800…U+DFFF are encoded as ED A0…BF xx. In all other characters, the byte after ED is below
  // A0.
  for (std::size_t at = python_utf8.find('\xED'); at != std::string_view::npos;
       at = python_utf8.find('\xED', at + 1))
    if (at + 1 < python_utf8.size() && static_cast<std::uint8_t>(python_utf8[at + 1]) >= 0xA0)
      return true;
  return false;
}

std::u16string to_utf16(std::string_view python_utf8) {
  std::u16string out;
  out.reserve(python_utf8.size());
  std::uint32_t code_point;
  for (std::size_t at = 0; at < python_utf8.size();) {
    if (!next_code_point(python_utf8, at, code_point)) break;
    if (code_point < 0x10000) {
      out.push_back(static_cast<char16_t>(code_point));
    } else {
      out.push_back(static_cast<char16_t>(0xD800 + ((code_point - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((code_point - 0x10000) & 0x3FF)));
    }
  }
  return out;
}

void append_latin1(std::string& text, std::string_view raw) {
  const std::size_t before = text.size();
  text.resize(before + 2 * raw.size());
  char* to = text.data() + before;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      *to++ = c;
    } else {
      *to++ = static_cast<char>(0xC0 | (byte >> 6));
      *to++ = static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  text.resize(static_cast<std::size_t>(to - text.data()));
}

}  // namespace sda
