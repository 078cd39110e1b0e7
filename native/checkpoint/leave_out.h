// Leaves a part of a file out of its document, so that its storages are not read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/pickle/value.h"

namespace sda {

// An entry of a dict that the top-level dict holds.
struct EntryPath {
  std::string outer, inner;
};

// Whether the pickle might hold one of the entries: both keys occur in it.
bool may_hold(std::string_view pickle, const std::vector<EntryPath>& paths);

// Removes the entries from the root's dicts. Marks all storages and tensors that the root no longer
// reaches as not needed. Returns whether there are any.
bool leave_out(const Value& root, const std::vector<EntryPath>& paths, const Arena& arena);

}  // namespace sda
