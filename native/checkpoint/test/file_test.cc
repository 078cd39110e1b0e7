#include "checkpoint/io/file.h"

#include <doctest/doctest.h>

#include "checkpoint/test/support.h"

using namespace sda;
using namespace sda::test;

TEST_CASE("a path that names no regular file is refused with its own code") {
  CHECK(code_of([] { File file("/no/such/file"); }) == "ERR_SDA_NOT_FOUND");
  CHECK(code_of([] { File file("/"); }) == "ERR_SDA_FORMAT");
  CHECK(code_of([] { File file("a\0b"s); }) == "ERR_SDA_ARGUMENT");
}

TEST_CASE("read_at reads exactly what was asked for, or throws") {
  const TemporaryFile written("0123456789");
  const File file(written.path());
  char bytes[4] = {};
  file.read_at(6, bytes, 4);
  CHECK(std::string(bytes, 4) == "6789");
  CHECK(code_of([&] { file.read_at(7, bytes, 4); }) == "ERR_SDA_CORRUPT");
}

TEST_CASE("a write to a mapping does not reach the file") {
  const TemporaryFile written("0123456789");
  const File file(written.path());
  MappedFile mapped(file);
  mapped.data()[0] = std::byte{'x'};
  char byte = 0;
  file.read_at(0, &byte, 1);
  CHECK(mapped.size() == 10);
  CHECK(byte == '0');
}

TEST_CASE("a page buffer of any size is aligned and writable") {
  for (const std::size_t size : {0, 1, 4096, 1 << 21, (5 << 20) + 3}) {
    CAPTURE(size);
    PageBuffer first(size);
    const PageBuffer second(size);
    CHECK(reinterpret_cast<std::uintptr_t>(first.data()) % 64 == 0);
    CHECK(first.size() == size);
    std::memset(first.data(), 1, size);
  }
}
