#include "library/rename.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "checkpoint/error.h"
#include "library/file_identity.h"
#include "os/durable.h"
#include "os/extras.h"

namespace sda::library {
namespace {

enum class Mode { kExchange, kNoReplace };

Renamed checked(const std::string& from, const std::string& to, Mode mode) {
  if (mode == Mode::kExchange ? os::exchange(from, to) : os::rename_if_free(from, to))
    return Renamed::kDone;
  const int number = errno;
  switch (number) {
    case ENOSYS:
    case EINVAL:  // not supported by the file system
    case ENOTSUP:
      return Renamed::kUnsupported;
    case EEXIST:
      return Renamed::kTaken;
    case ENOENT:
      return Renamed::kMissing;
    default:
      throw Error(ErrorCode::kIo,
                  "cannot rename '" + from + "' to '" + to + "': " + std::strerror(number))
          .with("path", to)
          .with("errno", std::int64_t{number});
  }
}

// The identity of the file at `path`; empty if there is none.
std::string identity_at(const std::string& path) {
  if (const auto info = os::info_at(path)) return identity_of(*info);
  const int number = errno;
  if (number == ENOENT) return {};
  throw Error(ErrorCode::kIo, "cannot examine '" + path + "': " + std::strerror(number))
      .with("path", path)
      .with("errno", std::int64_t{number});
}

// Undoes an exchange that met another writer: `from` names that writer's file, and `to` names our
// file, whose identity is `ours`. Swaps the two names until the file that comes out of `to` is the
// one that the last swap put there, so that `to` keeps the newest file of the other writers.
void put_back(const std::string& from, const std::string& to, std::string ours) {
  for (std::string last = identity_at(from);;) {
    const Renamed outcome = checked(from, to, Mode::kExchange);
    if (outcome == Renamed::kMissing) {  // another program has removed `to`; nothing is lost
      checked(from, to, Mode::kNoReplace);
      return;
    }
    const std::string out = identity_at(from);
    if (out.empty() || same_content(out, ours)) return;
    // Another program has replaced the file at `to` in between. Its file, which came out, is newer
    // than the one just put back, so swap again.
    ours = std::exchange(last, out);
  }
}

}  // namespace

Renamed exchange_names(const std::string& from, const std::string& to,
                       const std::optional<std::string>& expected, int descriptor) {
  if (!expected) return checked(from, to, Mode::kExchange);
  const os::Lease lease(descriptor);
  const std::string ours = identity_at(from);
  const std::string found = identity_at(to);
  if (found != *expected) return found.empty() ? Renamed::kMissing : Renamed::kTaken;
  const Renamed outcome = checked(from, to, Mode::kExchange);
  if (outcome != Renamed::kDone) return outcome;
  const std::string out = identity_at(from);
  if (out.empty() || same_content(out, *expected)) return Renamed::kDone;
  put_back(from, to, ours);
  lease.answer_with(to);
  return Renamed::kTaken;
}

Renamed rename_without_replacing(const std::string& from, const std::string& to) {
  return checked(from, to, Mode::kNoReplace);
}

}  // namespace sda::library
