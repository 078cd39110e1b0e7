// Exchanging the index while a program that takes no lock replaces it as well.
#include "library/rename.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "library/file_identity.h"

namespace sda::library {
namespace {

int failed = 0;

void check(bool holds, const char* what, int line) {
  if (holds) return;
  ++failed;
  std::fprintf(stderr, "rename_test.cc:%d: %s\n", line, what);
}
#define EXPECT(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/sda-rename-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() {
    for (const char* name : {"index", "ours", "theirs"}) ::unlink(at(name).c_str());
    ::rmdir(path.c_str());
  }
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
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? identity_of(info) : "";
}

void conditions(const Folder& folder) {
  const std::string index = folder.at("index"), ours = folder.at("ours");
  put(index, "old");
  put(ours, "new");
  const std::string old = identity(index);
  EXPECT(exchange_names(ours, index, identity(ours)) == Renamed::kTaken);
  EXPECT(text(index) == "old" && text(ours) == "new");
  const Renamed outcome = exchange_names(ours, index, old);
  if (outcome == Renamed::kUnsupported) return;
  EXPECT(outcome == Renamed::kDone);
  EXPECT(text(index) == "new" && text(ours) == "old");
  EXPECT(same_content(identity(ours), old));
  EXPECT(exchange_names(ours, index, std::nullopt) == Renamed::kDone);
  EXPECT(text(index) == "old");
  ::unlink(index.c_str());
  EXPECT(exchange_names(ours, index, old) == Renamed::kMissing);
  EXPECT(text(ours) == "new");
}

// Whatever comes between, the last of what the other one wrote is there in the end, unless ours
// was made from it.
void race(const Folder& folder) {
  constexpr int kRounds = 100, kWrites = 12;
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
        ::rename(folder.at("theirs").c_str(), index.c_str());
      }
    });
    while (started < round % kWrites) std::this_thread::yield();
    const std::string expected = identity(index);
    const Renamed outcome = exchange_names(ours, index, expected);
    writer.join();
    if (outcome == Renamed::kUnsupported) return;
    const std::string last = std::to_string(kWrites), found = text(index);
    if (outcome == Renamed::kDone) EXPECT(found == last || (found == "ours" && text(ours) == last));
    if (outcome == Renamed::kTaken) EXPECT(found == last);
    taken += outcome == Renamed::kTaken ? 1 : 0;
  }
  std::printf("rename_test: %d of %d exchanges met another writer\n", taken, kRounds);
}

}  // namespace
}  // namespace sda::library

int main() {
  const sda::library::Folder folder;
  sda::library::conditions(folder);
  sda::library::race(folder);
  if (sda::library::failed > 0) return 1;
  std::puts("rename_test: passed");
}
