// The CPU quota, in trees of files as the kernel shows them.
#include "os/processors.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace sda::os {
namespace {

#if defined(__linux__)  // other systems have no control groups
// The quota in a tree of these files, by path.
double quota(const std::map<std::string, std::string>& files) {
  std::string root = (std::filesystem::temp_directory_path() / "sda-os-XXXXXX").string();
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  for (const auto& [path, text] : files) {
    const std::filesystem::path file = root + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  const double found = cpu_quota(root);
  std::filesystem::remove_all(root);
  return found;
}

const std::string kV2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const std::string kV1 =
    "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

TEST_CASE("no control groups, no quota") {
  CHECK(quota({}) == 0.0);
  CHECK(quota({{"/proc/self/cgroup", "0::/\n"}}) == 0.0);
  CHECK(quota({{"/proc/self/cgroup", "nonsense\n0::\n"}, {"/proc/self/mountinfo", "a - b\n"}}) ==
        0.0);
}

TEST_CASE("version 2: the smallest quota of the group and those around it") {
  const std::map<std::string, std::string> base{{"/proc/self/mountinfo", kV2},
                                                {"/proc/self/cgroup", "0::/a.slice/b:c\n"}};
  const auto with = [&](std::map<std::string, std::string> files) {
    files.insert(base.begin(), base.end());
    return quota(files);
  };
  const std::string own = "/sys/fs/cgroup/a.slice/b:c/cpu.max",
                    around = "/sys/fs/cgroup/a.slice/cpu.max";
  CHECK(with({}) == 0.0);
  CHECK(with({{own, "max 100000\n"}}) == 0.0);
  CHECK(with({{own, "50000 100000\n"}}) == 0.5);
  CHECK(with({{own, "max 100000\n"}, {around, "250000 100000\n"}}) == 2.5);
  CHECK(with({{own, "400000 100000\n"}, {around, "150000 50000\n"}}) == 3.0);
  CHECK(with({{own, ""}, {around, "x y"}}) == 0.0);
}

TEST_CASE("version 1: of the controller cpu") {
  const std::map<std::string, std::string> base{
      {"/proc/self/mountinfo",
       "29 24 0:25 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" + kV1},
      {"/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/docker/f00\n0::/\n"}};
  const std::string folder = "/sys/fs/cgroup/cpu,cpuacct/docker/f00/";
  const auto with = [&](const std::string& limit) {
    std::map<std::string, std::string> files = base;
    files[folder + "cpu.cfs_quota_us"] = limit;
    files[folder + "cpu.cfs_period_us"] = "100000\n";
    return quota(files);
  };
  CHECK(with("-1\n") == 0.0);
  CHECK(with("120000\n") == 1.2);
}

TEST_CASE("a container that sees its own group only") {
  CHECK(quota({{"/proc/self/mountinfo",
                "31 24 0:27 /docker/f00 /sys/fs/cgroup/cpu\\040x ro - cgroup cgroup rw,cpu\n"},
               {"/proc/self/cgroup", "4:cpu:/docker/f00\n"},
               {"/sys/fs/cgroup/cpu x/cpu.cfs_quota_us", "200000\n"},
               {"/sys/fs/cgroup/cpu x/cpu.cfs_period_us", "100000\n"}}) == 2.0);
}
#endif

TEST_CASE("there is at least one processor") { CHECK(available_processors() >= 1); }

}  // namespace
}  // namespace sda::os
