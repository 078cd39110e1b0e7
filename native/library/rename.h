// The two renames that Node has no name for.
#pragma once

#include <optional>
#include <string>

namespace sda::library {

enum class Renamed { kDone, kTaken, kMissing, kUnsupported };

// Swaps two names in one step, at no moment is either of them absent, if the file `to` is the one
// that `expected` is the identity of; nullopt: whichever it is. Afterwards `from` is that file.
// kTaken: it is another one, and nothing has changed. kMissing: `to` isn't there.
//
// Programs that ask for no lock may replace `to` at any moment, and file systems can't swap on a
// condition. So what came out is looked at, and put back if it is not what was expected; what comes
// out then is looked at likewise, so that a file that somebody has written in between is never left
// under the name `from`. All of that is one call without a pause: microseconds.
//
// `descriptor`: the open file `from`, for writing, which nobody else has open. With it, programs
// that open the file in those microseconds wait (Linux; a lease), and when it has been taken back,
// they get the content of the file that was put back instead, so that what they write next is made
// from that. The file `from` is then no longer what it was.
//
// What remains: a process that ends (killed, power) between the two swaps leaves another's file as
// `from`; and where there are no leases, a program that opens `to` between them reads ours. If it
// had just written what is swapped back, its next file lacks that.
Renamed exchange_names(const std::string& from, const std::string& to,
                       const std::optional<std::string>& expected, int descriptor = -1);

// Renames, unless `to` is there already (kTaken). kMissing: `from` isn't there.
Renamed rename_without_replacing(const std::string& from, const std::string& to);

}  // namespace sda::library
