// The two renames that Node has no name for.
#pragma once

#include <string>

namespace sda::library {

enum class Renamed { kDone, kTaken, kMissing, kUnsupported };

// Swaps two names in one step: at no moment is either of them absent. kMissing: `to` isn't there.
Renamed exchange_names(const std::string& from, const std::string& to);

// Renames, unless `to` is there already (kTaken). kMissing: `from` isn't there.
Renamed rename_without_replacing(const std::string& from, const std::string& to);

}  // namespace sda::library
