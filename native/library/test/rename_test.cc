// Exchanging the index, alone and while a program without a lock replaces it.
#include "library/rename.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "library/file_identity.h"
#include "os/durable.h"
#include "os/process.h"

using namespace sda::library;

namespace {

// A folder for a test; the destructor removes it.
struct Folder {
  std::string path;
  Folder() {
    const std::string name = "sda-rename-" + sda::os::process_tag();
    const auto folder = std::filesystem::temp_directory_path() / name;
    std::filesystem::create_directory(folder);
    path = folder.string();
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string at(const std::string& name) const { return path + "/" + name; }
};

void put(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::trunc) << content;
}

std::string text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string identity(const std::string& path) {
  const auto info = sda::os::info_at(path);
  return info ? identity_of(*info) : "";
}

}  // namespace

TEST_CASE("exchange_names swaps only when the target is the expected file") {
  const Folder folder;
  const std::string index = folder.at("index"), ours = folder.at("ours");
  put(index, "old");
  put(ours, "new");
  const std::string old = identity(index);

  CHECK(exchange_names(ours, index, identity(ours)) == Renamed::kTaken);
  CHECK(text(index) == "old");
  CHECK(text(ours) == "new");

  const Renamed outcome = exchange_names(ours, index, old);
  if (outcome == Renamed::kUnsupported) {
    MESSAGE("this file system cannot exchange names");
    return;
  }
  CHECK(outcome == Renamed::kDone);
  CHECK(text(index) == "new");
  CHECK(text(ours) == "old");
  CHECK(same_content(identity(ours), old));

  CHECK(exchange_names(ours, index, std::nullopt) == Renamed::kDone);
  CHECK(text(index) == "old");

  sda::os::remove_file(index);
  CHECK(exchange_names(ours, index, old) == Renamed::kMissing);
  CHECK(text(ours) == "new");
}

TEST_CASE("an exchange that meets another writer never loses that writer's last file") {
  constexpr int kRounds = 100, kWrites = 12;
  const Folder folder;
  const std::string index = folder.at("index"), ours = folder.at("ours");
  int taken = 0;
  for (int round = 0; round < kRounds; ++round) {
    put(index, "0");
    put(ours, "ours");
    std::atomic<int> started = 0;
    std::thread writer([&] {
      for (int i = 1; i <= kWrites; ++i) {
        put(folder.at("theirs"), std::to_string(i));
        started = i;
        sda::os::rename_over(folder.at("theirs"), index);
      }
    });
    while (started < round % kWrites) std::this_thread::yield();
    const std::string expected = identity(index);
    const Renamed outcome = exchange_names(ours, index, expected);
    writer.join();
    if (outcome == Renamed::kUnsupported) {
      MESSAGE("this file system cannot exchange names");
      return;
    }
    CAPTURE(round);
    const std::string last = std::to_string(kWrites), found = text(index);
    // After kDone, the other writer's last file either replaced ours or was swapped out by it.
    const bool kept = found == last || (found == "ours" && text(ours) == last);
    if (outcome == Renamed::kDone) CHECK(kept);
    if (outcome == Renamed::kTaken) CHECK(found == last);
    taken += outcome == Renamed::kTaken ? 1 : 0;
  }
  MESSAGE(taken << " of " << kRounds << " exchanges met another writer");
}
