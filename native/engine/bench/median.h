// The timers of the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace sda::engine {

inline double time_ms(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The median of `runs` calls, at least one. A few calls before them are not counted.
inline double median_ms(int runs, const std::function<void()>& work) {
  constexpr int kWarmUps = 5;
  std::vector<double> times;
  for (int i = 0; i < kWarmUps; ++i) work();
  for (int i = 0; i < runs; ++i) times.push_back(time_ms(work));
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

}  // namespace sda::engine
