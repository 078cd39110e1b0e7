// A layer between a process and its file system, for tests. It counts the calls that concern one
// folder, and makes a chosen call fail or end the process. Loaded by LD_PRELOAD (Linux, glibc).
//
//   SDA_FAULT_FOLDER  absolute path; counts calls with a path, or a descriptor of a file, in it
//   SDA_FAULT_KINDS   the kinds to count: o(pen), r(ead), c(hange of names or sizes), w(rite),
//                     s(ync), l(ock), x (close); all by default
//   SDA_FAULT_AT      number of the call with the fault, from 1
//   SDA_FAULT         the fault: "kill" before the call, "tear" (write half, then kill), or an errno
//                     that the call fails with; with a "+" behind it, all later calls fail too
//   SDA_FAULT_LOG     a file; each counted call adds a line with its kind and name, and the last
//                     name of the path if the call changes names
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kMaxFiles = 4096 };

static char folder[PATH_MAX];
static size_t folder_length;
static char kinds[16];
static long fault_at;
static int fault_errno;  // 0: kill
static bool tears, goes_on;
static int log_file = -1;
static atomic_long counted;
static _Thread_local const char* subject;  // path of the call at hand
static atomic_bool is_inside[kMaxFiles];  // by descriptor

__attribute__((constructor)) static void start(void) {
  const char* name = getenv("SDA_FAULT_FOLDER");
  if (name == NULL) return;
  folder_length = strlen(name);
  memcpy(folder, name, folder_length + 1);
  const char* of = getenv("SDA_FAULT_KINDS");
  strncpy(kinds, of != NULL ? of : "orcwslx", sizeof kinds - 1);
  const char* at = getenv("SDA_FAULT_AT");
  fault_at = at != NULL ? atol(at) : 0;
  const char* fault = getenv("SDA_FAULT");
  tears = fault != NULL && strcmp(fault, "tear") == 0;
  fault_errno = fault != NULL ? atoi(fault) : 0;
  goes_on = fault != NULL && strchr(fault, '+') != NULL;
  const char* log = getenv("SDA_FAULT_LOG");
  if (log != NULL)
    log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static bool in_folder(const char* path) {
  return folder_length > 0 && path != NULL && strncmp(path, folder, folder_length) == 0 &&
         (path[folder_length] == '/' || path[folder_length] == '\0');
}

static bool of_folder(int fd) { return fd >= 0 && fd < kMaxFiles && atomic_load(&is_inside[fd]); }

// Counts a call and returns whether it fails, with errno set. `size` is the number of bytes that it
// writes: for "tear", *size is halved, and the caller ends the process after its call.
static bool fails(char kind, const char* name, size_t* size) {
  if (strchr(kinds, kind) == NULL) return false;
  const long number = atomic_fetch_add(&counted, 1) + 1;
  if (log_file >= 0) {
    char line[512];
    const char* last = subject != NULL ? strrchr(subject, '/') : NULL;
    const int length =
        snprintf(line, sizeof line, "%c %s %.400s", kind, name, last != NULL ? last + 1 : "");
    line[last != NULL ? length : length - 1] = '\n';
    (void)!syscall(SYS_write, log_file, line, (size_t)(last != NULL ? length + 1 : length));
  }
  if (fault_at == 0 || number < fault_at || (number > fault_at && !goes_on)) return false;
  if (fault_errno != 0) {
    errno = fault_errno;
    return true;
  }
  if (tears && size != NULL && *size > 1) {
    *size /= 2;
    return false;
  }
  kill(getpid(), SIGKILL);
  return true;
}

static bool path_fails(char kind, const char* name, const char* path) {
  subject = path;
  const bool result = fails(kind, name, NULL);
  subject = NULL;
  return result;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int fd, const char* path) {
  if (fd >= 0 && fd < kMaxFiles) atomic_store(&is_inside[fd], in_folder(path));
  return fd;
}

static char kind_of_open(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0 ? 'c' : 'o'; }

static mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                        \
  int name(const char* path, int flags, ...) {                                            \
    va_list arguments;                                                                    \
    va_start(arguments, flags);                                                           \
    const mode_t mode = mode_of(flags, arguments);                                        \
    va_end(arguments);                                                                    \
    if (in_folder(path) && path_fails(kind_of_open(flags), #name, path)) return -1;       \
    return opened(NEXT(name)(path, flags, mode), path);                                   \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                      \
  int name(int at, const char* path, int flags, ...) {                                    \
    va_list arguments;                                                                    \
    va_start(arguments, flags);                                                           \
    const mode_t mode = mode_of(flags, arguments);                                        \
    va_end(arguments);                                                                    \
    if (in_folder(path) && path_fails(kind_of_open(flags), #name, path)) return -1;       \
    return opened(NEXT(name)(at, path, flags, mode), path);                               \
  }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
  if (of_folder(fd)) {
    if (fails('x', "close", NULL)) return -1;
    atomic_store(&is_inside[fd], false);
  }
  return NEXT(close)(fd);
}

#define READ(type, name, parameters, values)                     \
  type name parameters {                                         \
    if (of_folder(fd) && fails('r', #name, NULL)) return -1;     \
    return NEXT(name) values;                                    \
  }
READ(ssize_t, read, (int fd, void* to, size_t size), (fd, to, size))
READ(ssize_t, pread, (int fd, void* to, size_t size, off_t at), (fd, to, size, at))
READ(ssize_t, pread64, (int fd, void* to, size_t size, off64_t at), (fd, to, size, at))
READ(ssize_t, preadv2, (int fd, const struct iovec* to, int n, off_t at, int flags),
     (fd, to, n, at, flags))
READ(ssize_t, preadv64v2, (int fd, const struct iovec* to, int n, off64_t at, int flags),
     (fd, to, n, at, flags))

// Makes the last call of a process that ends with "tear".
static ssize_t written(ssize_t result, size_t asked, size_t size) {
  if (size != asked) kill(getpid(), SIGKILL);
  return result;
}

#define WRITE(name, fd, parameters, values)                                   \
  ssize_t name parameters {                                                   \
    const size_t asked = size;                                                \
    if (of_folder(fd) && fails('w', #name, &size)) return -1;                 \
    return written(NEXT(name) values, asked, size);                           \
  }
WRITE(write, fd, (int fd, const void* from, size_t size), (fd, from, size))
WRITE(pwrite, fd, (int fd, const void* from, size_t size, off_t at), (fd, from, size, at))
WRITE(pwrite64, fd, (int fd, const void* from, size_t size, off64_t at), (fd, from, size, at))
WRITE(copy_file_range, to,
      (int from, off64_t* from_at, int to, off64_t* to_at, size_t size, unsigned flags),
      (from, from_at, to, to_at, size, flags))
WRITE(sendfile, to, (int to, int from, off_t* at, size_t size), (to, from, at, size))
WRITE(sendfile64, to, (int to, int from, off64_t* at, size_t size), (to, from, at, size))

// Several buffers at once: "tear" writes only the first.
#define WRITEV(name, parameters, values)                                      \
  ssize_t name parameters {                                                   \
    size_t size = 2;                                                          \
    if (of_folder(fd) && fails('w', #name, &size)) return -1;                 \
    if (size == 1) count = 1;                                                 \
    return written(NEXT(name) values, 2, size);                               \
  }
WRITEV(writev, (int fd, const struct iovec* from, int count), (fd, from, count))
WRITEV(pwritev, (int fd, const struct iovec* from, int count, off_t at), (fd, from, count, at))
WRITEV(pwritev64, (int fd, const struct iovec* from, int count, off64_t at), (fd, from, count, at))

#define OF_DESCRIPTOR(kind, name, parameters, values)            \
  int name parameters {                                          \
    if (of_folder(fd) && fails(kind, #name, NULL)) return -1;    \
    return NEXT(name) values;                                    \
  }
OF_DESCRIPTOR('s', fsync, (int fd), (fd))
OF_DESCRIPTOR('s', fdatasync, (int fd), (fd))
OF_DESCRIPTOR('c', ftruncate, (int fd, off_t size), (fd, size))
OF_DESCRIPTOR('c', ftruncate64, (int fd, off64_t size), (fd, size))
OF_DESCRIPTOR('c', fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
OF_DESCRIPTOR('c', fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))
OF_DESCRIPTOR('c', fchmod, (int fd, mode_t mode), (fd, mode))
OF_DESCRIPTOR('l', flock, (int fd, int operation), (fd, operation))

#define OF_PATH(name, parameters, values)                        \
  int name parameters {                                          \
    if (in_folder(path) && path_fails('c', #name, path)) return -1; \
    return NEXT(name) values;                                    \
  }
OF_PATH(rename, (const char* from, const char* path), (from, path))
OF_PATH(renameat, (int from_at, const char* from, int at, const char* path),
        (from_at, from, at, path))
OF_PATH(renameat2, (int from_at, const char* from, int at, const char* path, unsigned flags),
        (from_at, from, at, path, flags))
OF_PATH(link, (const char* from, const char* path), (from, path))
OF_PATH(linkat, (int from_at, const char* from, int at, const char* path, int flags),
        (from_at, from, at, path, flags))
OF_PATH(unlink, (const char* path), (path))
OF_PATH(unlinkat, (int at, const char* path, int flags), (at, path, flags))
OF_PATH(mkdir, (const char* path, mode_t mode), (path, mode))
OF_PATH(mkdirat, (int at, const char* path, mode_t mode), (at, path, mode))
OF_PATH(rmdir, (const char* path), (path))
OF_PATH(chmod, (const char* path, mode_t mode), (path, mode))

// Calls that some versions of glibc have no function for.
long syscall(long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(arguments, long);
  va_end(arguments);
  long (*const next)(long, ...) = NEXT(syscall);
  size_t size = 0, asked = 0;
  if (number == SYS_renameat2 && in_folder((const char*)a[3])) {
    if (path_fails('c', "renameat2", (const char*)a[3])) return -1;
  } else if (number == SYS_openat2 && in_folder((const char*)a[1])) {
    if (fails('o', "openat2", NULL)) return -1;
    return opened((int)next(number, a[0], a[1], a[2], a[3]), (const char*)a[1]);
  } else if (number == SYS_copy_file_range && of_folder((int)a[2])) {
    asked = size = (size_t)a[4];
    if (fails('w', "copy_file_range", &size)) return -1;
    a[4] = (long)size;
  }
  return written(next(number, a[0], a[1], a[2], a[3], a[4], a[5]), asked, size);
}
