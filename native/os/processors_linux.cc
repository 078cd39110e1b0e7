#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "os/processors.h"

// The files are described in proc_pid_mountinfo(5), cgroups(7) and the kernel's documents
// admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst.

namespace sda::os {
namespace {

constexpr std::size_t kMostProcessors = std::size_t{1} << 16;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool has(const std::string& list, const std::string& item) {
  const std::vector<std::string> parts = split(list, ',');
  return std::find(parts.begin(), parts.end(), item) != parts.end();
}

// mountinfo writes a space in a path as \040, and so on.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

// A mounted hierarchy of control groups, and this process's group in it.
struct Hierarchy {
  bool is_v2 = false;
  std::string mount;  // the folder of the group `top`
  std::string top;
  std::string group;
};

// The group of this process: in version 2, or of the controller "cpu" in version 1.
std::string group_of_process(const std::string& root, bool is_v2) {
  for (const std::string& line : lines_of(root + "/proc/self/cgroup")) {
    // hierarchy:controllers:group, where the group may hold colons
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (is_v2 ? line.starts_with("0::") : has(controllers, "cpu")) return line.substr(second + 1);
  }
  return {};
}

std::vector<Hierarchy> hierarchies(const std::string& root) {
  std::vector<Hierarchy> found;
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    // id parent device top mount options [field…] - type source super-options
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> before = split(line.substr(0, dash), ' ');
    const std::vector<std::string> after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const bool is_v2 = after[0] == "cgroup2";
    if (!is_v2 && !(after[0] == "cgroup" && has(after[2], "cpu"))) continue;
    const std::string group = group_of_process(root, is_v2);
    if (!group.empty()) found.push_back({is_v2, unescaped(before[4]), unescaped(before[3]), group});
  }
  return found;
}

// The quota in one group's folder; 0: none.
double quota_in(const std::string& folder, bool is_v2) {
  double quota = 0.0, period = 0.0;
  if (is_v2) {
    std::string limit;
    std::ifstream(folder + "/cpu.max") >> limit >> period;
    if (limit.empty() || limit == "max") return 0.0;
    std::stringstream(limit) >> quota;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

// The smallest quota of a group and of those that it is in.
double smallest_quota(const std::string& root, const Hierarchy& hierarchy) {
  // Without a namespace of its own, a container's mount shows its group, and not the whole tree.
  const std::string& top = hierarchy.top == "/" ? "" : hierarchy.top;
  std::string below = hierarchy.group.starts_with(top) ? hierarchy.group.substr(top.size()) : "";
  double smallest = 0.0;
  for (;;) {
    while (below.ends_with('/')) below.pop_back();
    const double quota = quota_in(root + hierarchy.mount + below, hierarchy.is_v2);
    if (quota > 0.0 && (smallest == 0.0 || quota < smallest)) smallest = quota;
    if (below.empty()) return smallest;
    below.erase(below.find_last_of('/') == std::string::npos ? 0 : below.find_last_of('/'));
  }
}

// The number of processors in the affinity mask; 0: unknown.
unsigned affinity() {
  for (std::size_t count = CPU_SETSIZE; count <= kMostProcessors; count *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(count), [](cpu_set_t* owned) { CPU_FREE(owned); });
    const std::size_t size = CPU_ALLOC_SIZE(count);
    if (set && ::sched_getaffinity(0, size, set.get()) == 0)
      return static_cast<unsigned>(CPU_COUNT_S(size, set.get()));
  }
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<unsigned>(online) : 0;
}

}  // namespace

double cpu_quota(const std::string& root) {
  double smallest = 0.0;
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    const double quota = smallest_quota(root, hierarchy);
    if (quota > 0.0 && (smallest == 0.0 || quota < smallest)) smallest = quota;
  }
  return smallest;
}

unsigned available_processors() {
  const unsigned allowed = std::max(1U, affinity());
  const double quota = cpu_quota();
  if (quota == 0.0 || quota >= allowed) return allowed;
  return static_cast<unsigned>(std::ceil(quota));
}

// Linux sometimes queues a new thread behind its creator although another processor is idle; the
// new thread would then start after the work is done.
void keep_off_this_processor(std::thread& thread) {
  cpu_set_t allowed;
  const int here = ::sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE || ::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  CPU_CLR(static_cast<std::size_t>(here), &allowed);
  if (CPU_COUNT(&allowed) > 0)
    ::pthread_setaffinity_np(thread.native_handle(), sizeof allowed, &allowed);
}

}  // namespace sda::os
