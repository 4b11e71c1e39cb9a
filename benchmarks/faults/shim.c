/* Counts the calls that change files below a folder, and ends the process or fails the call at the Nth.
   Loaded with LD_PRELOAD; does nothing until it is armed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static long count = 0, at = 0;
static int armed = 0, mode = 0; /* errno of the failure; 0 kills */

void fault_arm(const char *folder, long nth, int error) {
    snprintf(root, sizeof root, "%s", folder);
    at = nth; mode = error; count = 0; armed = 1;
}
long fault_count(void) { return count; }

/* Whether this call fails; a full disk stays full for everything that needs room. */
static int fails(int needs_room) {
    long n = __sync_add_and_fetch(&count, 1);
    if (at <= 0 || n < at) return 0;
    if (n == at) {
        if (mode == 0) kill(getpid(), SIGKILL);
        errno = mode;
        return 1;
    }
    if (mode == ENOSPC && needs_room) { errno = mode; return 1; }
    return 0;
}

static int below(const char *path) { return armed && strncmp(path, root, strlen(root)) == 0; }

static int of_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int of_name(int dir, const char *name) {
    char path[PATH_MAX], link[64], folder[PATH_MAX];
    if (!armed) return 0;
    if (name[0] == '/') return below(name);
    if (dir == AT_FDCWD) { if (!getcwd(folder, sizeof folder)) return 0; }
    else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t n = readlink(link, folder, sizeof folder - 1);
        if (n <= 0) return 0;
        folder[n] = 0;
    }
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return 0;
    return below(path);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__) = NULL; \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);

ssize_t write(int fd, const void *b, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t)
    return of_fd(fd) && fails(1) ? -1 : real(fd, b, n);
}
ssize_t writev(int fd, const struct iovec *v, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int)
    return of_fd(fd) && fails(1) ? -1 : real(fd, v, n);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)
    return of_fd(fd) && fails(1) ? -1 : real(fd, b, n, o);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off_t o) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)
    return of_fd(fd) && fails(1) ? -1 : real(fd, b, n, o);
}
int fsync(int fd) {
    REAL(int, "fsync", int)
    return of_fd(fd) && fails(0) ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int)
    return of_fd(fd) && fails(0) ? -1 : real(fd);
}
int rename(const char *a, const char *b) {
    REAL(int, "rename", const char *, const char *)
    return of_name(AT_FDCWD, b) && fails(1) ? -1 : real(a, b);
}
int renameat(int c, const char *a, int d, const char *b) {
    REAL(int, "renameat", int, const char *, int, const char *)
    return of_name(d, b) && fails(1) ? -1 : real(c, a, d, b);
}
int link(const char *a, const char *b) {
    REAL(int, "link", const char *, const char *)
    return of_name(AT_FDCWD, b) && fails(1) ? -1 : real(a, b);
}
int linkat(int c, const char *a, int d, const char *b, int f) {
    REAL(int, "linkat", int, const char *, int, const char *, int)
    return of_name(d, b) && fails(1) ? -1 : real(c, a, d, b, f);
}
int unlink(const char *a) {
    REAL(int, "unlink", const char *)
    return of_name(AT_FDCWD, a) && fails(0) ? -1 : real(a);
}
int unlinkat(int d, const char *a, int f) {
    REAL(int, "unlinkat", int, const char *, int)
    return of_name(d, a) && fails(0) ? -1 : real(d, a, f);
}
int mkdir(const char *a, mode_t m) {
    REAL(int, "mkdir", const char *, mode_t)
    return of_name(AT_FDCWD, a) && fails(1) ? -1 : real(a, m);
}
int ftruncate(int fd, off_t n) {
    REAL(int, "ftruncate", int, off_t)
    return of_fd(fd) && fails(1) ? -1 : real(fd, n);
}
int ftruncate64(int fd, off_t n) {
    REAL(int, "ftruncate64", int, off_t)
    return of_fd(fd) && fails(1) ? -1 : real(fd, n);
}
