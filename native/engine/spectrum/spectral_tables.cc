#include "engine/spectrum/spectral_tables.h"

#include <algorithm>
#include <list>
#include <mutex>

namespace sda::engine {
namespace {

constexpr std::size_t kKept = 8;

struct Cache {
  std::mutex mutex;
  std::list<std::pair<SpectrogramConfig, std::shared_ptr<const SpectralTables>>> recent;

  // Call with the mutex held. Null if the configuration is not in the cache.
  std::shared_ptr<const SpectralTables> find(const SpectrogramConfig& config) {
    const auto found = std::find_if(recent.begin(), recent.end(),
                                    [&](const auto& entry) { return entry.first == config; });
    if (found == recent.end()) return nullptr;
    recent.splice(recent.begin(), recent, found);
    return found->second;
  }
};

Cache& cache() {
  static auto* const made = new Cache;  // never destroyed: threads may outlive static objects
  return *made;
}

}  // namespace

std::shared_ptr<const SpectralTables> SpectralTables::of(const SpectrogramConfig& config) {
  Cache& kept = cache();
  {
    const std::lock_guard lock(kept.mutex);
    if (auto tables = kept.find(config)) return tables;
  }
  // Made without the lock, since a large bank takes long. If two threads make the same tables, both
  // are valid.
  auto tables = std::make_shared<const SpectralTables>(config);
  const std::lock_guard lock(kept.mutex);
  kept.recent.emplace_front(config, tables);
  if (kept.recent.size() > kKept) kept.recent.pop_back();
  return tables;
}

bool SpectralTables::known(const SpectrogramConfig& config) {
  const std::lock_guard lock(cache().mutex);
  return cache().find(config) != nullptr;
}

}  // namespace sda::engine
