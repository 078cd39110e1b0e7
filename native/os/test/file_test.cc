// The promises of the headers, on the system of the test.
#include "os/file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>

#include "os/durable.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/shared_library.h"

namespace sda::os {
namespace {

// A folder with a name beyond ASCII; the destructor removes it.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("sda-os-" + process_tag()) / u8"Ton-ä-音";
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path.parent_path()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string at(const std::string& name) const {
    const std::u8string text = (path / name).u8string();
    return {text.begin(), text.end()};
  }
};

// Creates a file and leaves it open.
Handle made(const std::string& path, const std::string& content) {
  const Handle file = create_new(path);
  REQUIRE(file != Handle::kNone);
  REQUIRE(append(file, content.data(), content.size()) ==
          static_cast<std::ptrdiff_t>(content.size()));
  return file;
}

void put(const std::string& path, const std::string& content) { close(made(path, content)); }

std::string text(Handle file) {
  char bytes[16];
  const std::ptrdiff_t size = read_at(file, bytes, sizeof bytes, 0);
  return size < 0 ? "?" : std::string(bytes, static_cast<std::size_t>(size));
}

std::string text(const std::string& path) {
  const Handle file = open_to_read(path);
  if (file == Handle::kNone) return "";
  const std::string found = text(file);
  close(file);
  return found;
}

TEST_CASE("a file is written at its end and read at any place") {
  const Folder folder;
  const Handle file = made(folder.at("a"), "0123");
  char bytes[4];
  CHECK(read_at(file, bytes, 4, 2) == 2);
  CHECK(append(file, "45", 2) == 2);
  CHECK(text(file) == "012345");
  CHECK(read_at(file, bytes, 4, 6) == 0);
  CHECK(sync(file));
  CHECK(sync_folder(folder.at("")));
  CHECK(close(file));
  CHECK(create_new(folder.at("a")) == Handle::kNone);
  CHECK(errno == EEXIST);
  CHECK(open_to_read(folder.at("b")) == Handle::kNone);
  CHECK(errno == ENOENT);
}

TEST_CASE("what a path names") {
  const Folder folder;
  put(folder.at("a"), "0123");
  const auto info = info_at(folder.at("a"));
  REQUIRE(info);
  CHECK(info->type == FileType::kRegular);
  CHECK(info->size == 4);
  CHECK(info->links == 1);
  CHECK(info->modified > 0);
  CHECK(info_at(folder.at(""))->type == FileType::kFolder);
  CHECK(!info_of_name(folder.at("b")));
  CHECK(real_path(folder.at(".") + "/a") == real_path(folder.at("a")));
  const auto names = names_in(folder.at(""));
  REQUIRE(names);
  CHECK(std::count(names->begin(), names->end(), "a") == 1);
  CHECK(!names_in(folder.at("b")));
}

TEST_CASE("a lock excludes other handles until its handle is closed") {
  const Folder folder;
  const Handle first = open_to_lock(folder.at("lock")), second = open_to_lock(folder.at("lock"));
  CHECK(try_lock(first));
  CHECK(!try_lock(second));
  CHECK(errno == EWOULDBLOCK);
  close(first);
  CHECK(try_lock(second));
  close(second);
  CHECK(can_lock_in(folder.at("")));
}

TEST_CASE("an open file can be replaced, and its handle keeps the old content") {
  const Folder folder;
  put(folder.at("old"), "old");
  const Handle open = open_to_read(folder.at("old"));
  const Handle file = made(folder.at("new"), "new");
  CHECK(rename_over(folder.at("new"), folder.at("old")));
  CHECK(text(folder.at("old")) == "new");
  CHECK(text(open) == "old");
  CHECK(info_of(file)->links == 1);
  close(file);
  close(open);
}

TEST_CASE("a name that is taken is never replaced") {
  const Folder folder;
  put(folder.at("a"), "a");
  put(folder.at("b"), "b");
  CHECK(!take_free_name(folder.at("a"), folder.at("b")));
  CHECK(errno == EEXIST);
  CHECK(text(folder.at("b")) == "b");
  CHECK(take_free_name(folder.at("a"), folder.at("c")));
  CHECK(text(folder.at("c")) == "a");
  CHECK(text(folder.at("a")) == "");
}

TEST_CASE("an open file can be removed, and its name is free at once") {
  const Folder folder;
  put(folder.at("a"), "a");
  const Handle file = open_to_remove(folder.at("a"));
  CHECK(remove_file(folder.at("a")));
  CHECK(info_of(file)->links == 0);
  close(file);
  put(folder.at("a"), "again");
}

TEST_CASE("paths of more than 260 characters") {
  const Folder folder;
  const std::string part(100, 'x');
  const std::string deep = folder.at(part + "/" + part + "/" + part);
  std::filesystem::create_directories(std::u8string(deep.begin(), deep.end()));
  put(deep + "/a", "a");
  CHECK(text(deep + "/a") == "a");
}

TEST_CASE("a mapping is a private copy") {
  const Folder folder;
  put(folder.at("a"), "0123");
  const Handle file = open_to_read(folder.at("a"));
  auto* const bytes = static_cast<char*>(map_file(file, 4));
  close(file);
  REQUIRE(bytes != nullptr);
  bytes[0] = 'x';
  CHECK(std::string(bytes, 4) == "x123");
  CHECK(text(folder.at("a")) == "0123");
  CHECK(find_bytes(bytes, 4, "23", 2) == bytes + 2);
  CHECK(find_bytes(bytes, 4, "34", 2) == nullptr);
  unmap_file(bytes, 4);
}

TEST_CASE("a library that cannot be opened gives the problem") {
  CHECK(!open_library("no such library").empty());
  keep_this_library();
}

}  // namespace
}  // namespace sda::os
