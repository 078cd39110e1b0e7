// Two kinds of rename that Node lacks: exchanging two names, and renaming without replacing. Both
// run on any thread.
#pragma once

#include <optional>
#include <string>

namespace sda::library {

enum class Renamed { kDone, kTaken, kMissing, kUnsupported };

// Swaps the names of two files in one step, so that each name exists at every moment. Afterwards
// `from` names the file that `to` named. With `expected`, swaps only if the file at `to` has that
// identity (see file_identity.h). Returns kTaken when it has another one; then nothing has changed.
// Returns kMissing when there is no file at `to`.
//
// Programs that take no lock may replace `to` at any moment, and no file system swaps on a
// condition. So this function checks the file that came out, and swaps back if it is not the
// expected one. It checks the file that comes out of each further swap as well, so that a file
// written in between never stays under the name `from`. All of this takes microseconds.
//
// `descriptor`: the file `from`, open for writing and open nowhere else. On Linux, a lease on it
// makes programs wait that open the file in those microseconds. If the swap is undone, they read
// the content of the file that was put back, so that their next write builds on it. The content of
// the file `from` changes in that case. The caller keeps the descriptor.
//
// Two gaps remain. If this process is killed, or power fails, between two swaps, another program's
// file stays under the name `from`. And without leases, a program that opens `to` between the swaps
// reads our file; its next write then lacks the changes in the file that was put back.
Renamed exchange_names(const std::string& from, const std::string& to,
                       const std::optional<std::string>& expected, int descriptor = -1);

// Renames `from` to `to`. Returns kTaken when `to` exists, and kMissing when `from` does not.
Renamed rename_without_replacing(const std::string& from, const std::string& to);

}  // namespace sda::library
