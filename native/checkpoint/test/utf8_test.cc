#include "checkpoint/pickle/utf8.h"

#include <doctest/doctest.h>

#include "checkpoint/test/support.h"

using namespace sda;
using namespace sda::test;

TEST_CASE("is_python_utf8 takes well-formed text and lone surrogates") {
  for (const auto valid :
       {""sv, "plain"sv, "\0"sv, "\xc2\x80\xdf\xbf"sv, "\xe0\xa0\x80\xef\xbf\xbf"sv,
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"sv, "\xed\xa0\xbd"sv}) {
    CAPTURE(std::string(valid));
    CHECK(is_python_utf8(valid));
  }
}

TEST_CASE("is_python_utf8 refuses malformed, overlong and out-of-range sequences") {
  for (const auto invalid :
       {"\x80"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x41"sv, "\xe0\x9f\xbf"sv,
        "\xe2\x82"sv, "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv,
        "ok\xf0\x9f\xa5"sv}) {
    CAPTURE(std::string(invalid));
    CHECK_FALSE(is_python_utf8(invalid));
  }
}

TEST_CASE("a text cut at any byte is judged without a read beyond its end") {
  const std::string_view mixed = "a\xc3\xa9\xe9\x9b\xa8\xf0\x9f\xa5\x81\xed\xa0\xbd";
  for (std::size_t size = 0; size <= mixed.size(); ++size) {
    CAPTURE(size);
    const ExactCopy prefix(mixed.substr(0, size));
    const bool whole = size == 0 || size == 1 || size == 3 || size == 6 || size == 10 || size == 13;
    CHECK(is_python_utf8(prefix.view()) == whole);
    CHECK(has_surrogates(prefix.view()) == (size >= 12));
    CHECK(to_utf16(prefix.view()).size() <= size);
  }
}

TEST_CASE("to_utf16 makes surrogate pairs and keeps lone surrogates") {
  const bool same = to_utf16("a\xc3\xa9\xe9\x9b\xa8\xf0\x9f\xa5\x81\xed\xa0\xbd") ==
                    std::u16string({u'a', 0xe9, 0x96e8, 0xd83e, 0xdd41, 0xd83d});
  CHECK(same);
}

TEST_CASE("has_surrogates ignores the characters next to the surrogates") {
  CHECK_FALSE(has_surrogates("\xed\x9f\xbf\xee\x80\x80"));
}

TEST_CASE("is_ascii looks at every byte") {
  CHECK(is_ascii("sixteen letters!and one"));
  CHECK_FALSE(is_ascii("sixteen letters!\x80"));
  CHECK(is_ascii(""));
}
