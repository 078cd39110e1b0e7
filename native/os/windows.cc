#include "os/windows.h"

#include <cerrno>
#include <string_view>

namespace sda::os {
namespace {

constexpr std::wstring_view kVerbatim = L"\\\\?\\", kDevice = L"\\\\.\\", kShare = L"\\\\",
                            kVerbatimShare = L"\\\\?\\UNC\\";

int errno_of(DWORD error) {
  switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_INVALID_DRIVE:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_DELETE_PENDING:
      return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
    case ERROR_BUSY:
      return EBUSY;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
      return EWOULDBLOCK;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    case ERROR_WRITE_PROTECT:
      return EROFS;
    case ERROR_NOT_SAME_DEVICE:
      return EXDEV;
    case ERROR_FILENAME_EXCED_RANGE:
      return ENAMETOOLONG;
    case ERROR_CANT_RESOLVE_FILENAME:
      return ELOOP;
    case ERROR_DIRECTORY:
      return ENOTDIR;
    case ERROR_TOO_MANY_OPEN_FILES:
      return EMFILE;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
      return ENOMEM;
    case ERROR_INVALID_HANDLE:
      return EBADF;
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return ENOSYS;
    case ERROR_INVALID_PARAMETER:
    case ERROR_NO_UNICODE_TRANSLATION:
      return EINVAL;
    default:
      return EIO;
  }
}

}  // namespace

bool failed() {
  errno = errno_of(::GetLastError());
  return false;
}

std::wstring wide(const std::string& path) {
  const auto size = static_cast<int>(path.size());
  std::wstring text(path.size(), L'\0');
  const int length =
      ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), size, text.data(), size);
  if (length == 0) {
    failed();
    if (path.empty()) errno = ENOENT;
    return {};
  }
  text.resize(static_cast<std::size_t>(length));
  if (text.starts_with(kVerbatim)) return text;
  std::wstring full(::GetFullPathNameW(text.c_str(), 0, nullptr, nullptr), L'\0');
  full.resize(
      ::GetFullPathNameW(text.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr));
  if (full.starts_with(kVerbatim) || full.starts_with(kDevice)) return full;
  if (full.starts_with(kShare)) return std::wstring(kVerbatimShare) + full.substr(2);
  return std::wstring(kVerbatim) + full;
}

std::wstring plain(std::wstring path) {
  if (path.starts_with(kVerbatimShare)) return path.replace(0, kVerbatimShare.size(), kShare);
  return path.starts_with(kVerbatim) ? path.substr(kVerbatim.size()) : path;
}

std::string narrow(std::wstring_view text) {
  const auto size = static_cast<int>(text.size());
  const auto convert = [&](char* to, int room) {
    return ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, to, room, nullptr, nullptr);
  };
  std::string result(static_cast<std::size_t>(convert(nullptr, 0)), '\0');
  convert(result.data(), static_cast<int>(result.size()));
  return result;
}

std::string error_text(DWORD error) {
  wchar_t text[512];
  DWORD size = ::FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
                                error, 0, text, sizeof text / sizeof *text, nullptr);
  while (size > 0 && (text[size - 1] == L'\n' || text[size - 1] == L'\r')) --size;
  return size > 0 ? narrow({text, size}) : "error " + std::to_string(error);
}

HANDLE open_shared(const std::string& path, DWORD access, DWORD how, DWORD flags) {
  const std::wstring name = wide(path);
  if (name.empty()) return INVALID_HANDLE_VALUE;
  const HANDLE file =
      ::CreateFileW(name.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    nullptr, how, FILE_ATTRIBUTE_NORMAL | flags, nullptr);
  if (file == INVALID_HANDLE_VALUE) failed();
  return file;
}

}  // namespace sda::os
