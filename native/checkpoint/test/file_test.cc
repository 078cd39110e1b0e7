#include "checkpoint/io/file.h"

#include <doctest/doctest.h>

#include <new>
#include <span>

#include "checkpoint/memory_size.h"
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

TEST_CASE("a file in memory is read as one on a disk, but not mapped") {
  const std::string_view content = "0123456789";
  const File file("the bytes", std::as_bytes(std::span(content)));
  char bytes[4] = {};
  file.read_at(6, bytes, 4);
  CHECK(file.path() == "the bytes");
  CHECK(file.size() == 10);
  CHECK(std::string(bytes, 4) == "6789");
  for (const std::uint64_t offset : {std::uint64_t{7}, ~std::uint64_t{0}})
    CHECK(code_of([&] { file.read_at(offset, bytes, 4); }) == "ERR_SDA_CORRUPT");
  CHECK(code_of([&] { MappedFile mapped(file); }) == "ERR_SDA_IO");
}

TEST_CASE("a size beyond the address space is refused") {
  CHECK(memory_size(std::int64_t{5}) == 5);
  CHECK(memory_size(static_cast<std::uint64_t>(PTRDIFF_MAX)) == PTRDIFF_MAX);
  CHECK_THROWS_AS(memory_size(static_cast<std::uint64_t>(PTRDIFF_MAX) + 1), std::bad_alloc);
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
