// Open files and folders. Paths are UTF-8. A function that fails returns false, -1, nullopt or
// Handle::kNone and sets errno, on Windows to the errno that fits the system's error best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sda::os {

// A descriptor; on Windows a HANDLE.
enum class Handle : std::intptr_t { kNone = -1 };

enum class FileType { kRegular, kFolder, kLink, kOther };

struct FileInfo {
  FileType type = FileType::kOther;
  unsigned mode = 0;        // permissions as chmod() has them; on Windows those of everybody
  std::uint64_t links = 0;  // 0: the file was removed while it was open
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;  // nanoseconds since 1970
};

// Opens a file or a folder. Never waits for the writer of a FIFO.
Handle open_to_read(const std::string& path);
// The same, so that remove_file() works while it is open. Does not follow a symbolic link.
Handle open_to_remove(const std::string& path);
// Creates a file and opens it to read and append. Fails with EEXIST.
Handle create_new(const std::string& path);
// Opens a file for try_lock(), and creates it if it is missing. Fails with ELOOP for a symbolic
// link.
Handle open_to_lock(const std::string& path);
bool close(Handle file);

std::optional<FileInfo> info_of(Handle file);
std::optional<FileInfo> info_at(const std::string& path);
// The same, for the link itself if the path names one.
std::optional<FileInfo> info_of_name(const std::string& path);

// Returns the number of bytes read; 0 at the end of the file.
std::ptrdiff_t read_at(Handle file, void* to, std::size_t size, std::uint64_t offset);
// Writes at the end of a file of create_new(). Returns the number of bytes written.
std::ptrdiff_t append(Handle file, const void* from, std::size_t size);
bool set_mode(Handle file, unsigned mode);

// Locks the file without waiting; fails with EWOULDBLOCK if another handle has the lock. The lock
// belongs to the handle: it ends when the handle is closed or the process ends in any way.
bool try_lock(Handle file);
// Whether the last error says that the file system has no locks.
bool is_lock_unsupported(int number);
// False if files in this folder cannot be locked; true if they can or if nobody can tell.
bool can_lock_in(const std::string& folder);

bool remove_file(const std::string& path);
std::optional<std::vector<std::string>> names_in(const std::string& folder);
// The absolute path with all symbolic links resolved.
std::optional<std::string> real_path(const std::string& path);

}  // namespace sda::os
