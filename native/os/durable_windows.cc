#include <cerrno>
#include <cstring>
#include <memory>

#include "os/durable.h"
#include "os/windows.h"

namespace sda::os {
namespace {

// The structure and the flags of FileRenameInfoEx (Windows 10), which older headers lack.
constexpr auto kRenameInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);
constexpr DWORD kReplace = 1, kPosix = 2;
struct RenameInfo {
  DWORD flags;
  HANDLE root;
  DWORD length;  // of the name, in bytes
  wchar_t name[1];
};

// Replaces `to` also while other programs have it open: they keep the old file.
bool rename_as_posix(const std::string& from, const std::wstring& to) {
  const Handle file = handle_of(
      open_shared(from, DELETE | SYNCHRONIZE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT));
  if (file == Handle::kNone) return false;
  const std::size_t length = to.size() * sizeof(wchar_t), size = sizeof(RenameInfo) + length;
  const std::unique_ptr<char[]> memory(new char[size]());
  auto* const info = reinterpret_cast<RenameInfo*>(memory.get());
  info->flags = kReplace | kPosix;
  info->length = static_cast<DWORD>(length);
  std::memcpy(info->name, to.data(), length);
  const bool done = ::SetFileInformationByHandle(native(file), kRenameInfoEx, info,
                                                 static_cast<DWORD>(size)) != 0 ||
                    failed();
  const int number = errno;
  close(file);
  errno = number;
  return done;
}

bool move_file(const std::string& from, const std::string& to, DWORD flags) {
  const std::wstring old_name = wide(from), new_name = wide(to);
  if (old_name.empty() || new_name.empty()) return false;
  return ::MoveFileExW(old_name.c_str(), new_name.c_str(), flags | MOVEFILE_WRITE_THROUGH) != 0 ||
         failed();
}

}  // namespace

bool sync(Handle file) {
  if (::FlushFileBuffers(native(file)) != 0) return true;
  failed();
  return errno == ENOSYS || errno == EINVAL;
}

// Windows writes the journal of NTFS with this, if it lets us open the folder. A rename is then
// whole after a power cut in any case, but it may be lost.
bool sync_folder(const std::string& path) {
  const Handle folder =
      handle_of(open_shared(path, GENERIC_WRITE, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS));
  if (folder == Handle::kNone) return true;
  const bool synced = sync(folder);
  const int number = errno;
  close(folder);
  errno = number;
  return synced || !(number == EIO || number == ENOSPC);
}

bool rename_over(const std::string& from, const std::string& to) {
  const std::wstring name = wide(to);
  if (name.empty()) return false;
  if (rename_as_posix(from, name)) return true;
  // Older systems and other file systems than NTFS.
  return move_file(from, to, MOVEFILE_REPLACE_EXISTING);
}

bool rename_if_free(const std::string& from, const std::string& to) {
  return move_file(from, to, 0);
}

bool take_free_name(const std::string& from, const std::string& to) {
  return rename_if_free(from, to);
}

bool exchange(const std::string&, const std::string&) {
  errno = ENOSYS;
  return false;
}

}  // namespace sda::os
