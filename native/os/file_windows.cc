#include <cerrno>
#include <memory>

#include "os/file.h"
#include "os/windows.h"

namespace sda::os {
namespace {

// With this flag, CreateFileW opens folders as well.
constexpr DWORD kFolders = FILE_FLAG_BACKUP_SEMANTICS;
constexpr unsigned kForAll = 0777;
// Locks exclude other handles from the bytes that they concern, so the byte is one that no file
// has.
constexpr DWORD kLockedByte = 0x7fffffff;

OVERLAPPED at_offset(std::uint64_t offset) {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return at;
}

// As Node computes the times of a file.
std::int64_t nanoseconds(const LARGE_INTEGER& ticks) {
  constexpr std::int64_t kTicksTo1970 = 116'444'736'000'000'000;
  return (ticks.QuadPart - kTicksTo1970) * 100;
}

// Not every reparse point is a link: files of cloud folders are others.
bool is_link(Handle file) {
  FILE_ATTRIBUTE_TAG_INFO info;
  return ::GetFileInformationByHandleEx(native(file), FileAttributeTagInfo, &info, sizeof info) !=
             0 &&
         (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
         (info.ReparseTag == IO_REPARSE_TAG_SYMLINK ||
          info.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
}

std::optional<FileInfo> info_by(const std::string& path, DWORD flags) {
  const Handle file =
      handle_of(open_shared(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, kFolders | flags));
  if (file == Handle::kNone) return std::nullopt;
  const auto info = info_of(file);
  const int number = errno;
  close(file);
  errno = number;
  return info;
}

}  // namespace

Handle open_to_read(const std::string& path) {
  return handle_of(open_shared(path, GENERIC_READ, OPEN_EXISTING, kFolders));
}

Handle open_to_remove(const std::string& path) {
  return handle_of(open_shared(path, GENERIC_READ | DELETE, OPEN_EXISTING,
                               kFolders | FILE_FLAG_OPEN_REPARSE_POINT));
}

Handle create_new(const std::string& path) {
  return handle_of(open_shared(path, GENERIC_READ | GENERIC_WRITE, CREATE_NEW, 0));
}

Handle open_to_lock(const std::string& path) {
  const auto open = [&](DWORD access) {
    return handle_of(open_shared(path, access, OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT));
  };
  Handle file = open(GENERIC_READ | GENERIC_WRITE);
  if (file == Handle::kNone && errno == EACCES) file = open(GENERIC_READ);
  if (file == Handle::kNone) return file;
  const auto info = info_of(file);
  if (info && info->type != FileType::kLink) return file;
  close(file);
  if (info) errno = ELOOP;
  return Handle::kNone;
}

bool close(Handle file) { return ::CloseHandle(native(file)) != 0 || failed(); }

std::optional<FileInfo> info_of(Handle file) {
  FileInfo result;
  result.mode = kForAll;
  if (::GetFileType(native(file)) != FILE_TYPE_DISK) return result;
  BY_HANDLE_FILE_INFORMATION info;
  FILE_BASIC_INFO basic;
  FILE_STANDARD_INFO standard;
  const auto read = [&](FILE_INFO_BY_HANDLE_CLASS what, auto& to) {
    return ::GetFileInformationByHandleEx(native(file), what, &to, sizeof to) != 0;
  };
  if (::GetFileInformationByHandle(native(file), &info) == 0 || !read(FileBasicInfo, basic) ||
      !read(FileStandardInfo, standard)) {
    failed();
    return std::nullopt;
  }
  const auto wide_number = [](DWORD high, DWORD low) { return std::uint64_t{high} << 32 | low; };
  result.type = is_link(file)             ? FileType::kLink
                : standard.Directory != 0 ? FileType::kFolder
                                          : FileType::kRegular;
  result.links = standard.DeletePending != 0 ? 0 : standard.NumberOfLinks;
  result.device = info.dwVolumeSerialNumber;
  result.inode = wide_number(info.nFileIndexHigh, info.nFileIndexLow);
  result.size = static_cast<std::uint64_t>(standard.EndOfFile.QuadPart);
  result.modified = nanoseconds(basic.LastWriteTime);
  result.changed = nanoseconds(basic.ChangeTime);
  return result;
}

std::optional<FileInfo> info_at(const std::string& path) { return info_by(path, 0); }

std::optional<FileInfo> info_of_name(const std::string& path) {
  return info_by(path, FILE_FLAG_OPEN_REPARSE_POINT);
}

std::ptrdiff_t read_at(Handle file, void* to, std::size_t size, std::uint64_t offset) {
  OVERLAPPED at = at_offset(offset);
  DWORD got = 0;
  if (::ReadFile(native(file), to, static_cast<DWORD>(size), &got, &at) != 0) return got;
  if (::GetLastError() == ERROR_HANDLE_EOF) return 0;
  failed();
  return -1;
}

std::ptrdiff_t append(Handle file, const void* from, std::size_t size) {
  OVERLAPPED at = at_offset(~std::uint64_t{0});  // the end of the file
  DWORD written = 0;
  if (::WriteFile(native(file), from, static_cast<DWORD>(size), &written, &at) != 0) return written;
  failed();
  return -1;
}

// A file inherits its permissions from its folder.
bool set_mode(Handle, unsigned) { return true; }

bool try_lock(Handle file) {
  OVERLAPPED at = at_offset(std::uint64_t{kLockedByte} << 32);
  return ::LockFileEx(native(file), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
                      &at) != 0 ||
         failed();
}

bool is_lock_unsupported(int number) { return number == ENOSYS || number == EINVAL; }

bool can_lock_in(const std::string&) { return true; }

bool remove_file(const std::string& path) {
  const std::wstring name = wide(path);
  return !name.empty() && (::DeleteFileW(name.c_str()) != 0 || failed());
}

std::optional<std::vector<std::string>> names_in(const std::string& folder) {
  const std::wstring pattern = wide(folder + "\\*");
  WIN32_FIND_DATAW found;
  const HANDLE search =
      pattern.empty() ? INVALID_HANDLE_VALUE : ::FindFirstFileW(pattern.c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) {
    if (!pattern.empty()) failed();
    return std::nullopt;
  }
  std::vector<std::string> names;
  do {
    names.push_back(narrow(found.cFileName));
  } while (::FindNextFileW(search, &found) != 0);
  ::FindClose(search);
  return names;
}

std::optional<std::string> real_path(const std::string& path) {
  const Handle file = handle_of(open_shared(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, kFolders));
  if (file == Handle::kNone) return std::nullopt;
  std::wstring name(::GetFinalPathNameByHandleW(native(file), nullptr, 0, 0), L'\0');
  name.resize(
      ::GetFinalPathNameByHandleW(native(file), name.data(), static_cast<DWORD>(name.size()), 0));
  close(file);
  return narrow(plain(name));
}

}  // namespace sda::os
