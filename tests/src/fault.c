/* Stands before the C library's calls on files of one process, and makes one fail when it is told to, or writes down
   what was called. The orders are in a file that the test maps as well: see fault.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, STATFS = 3, ANY = 4, OTHER = 5 };

struct orders {
    _Atomic uint32_t kind;      /* which calls are counted; 0: none */
    _Atomic uint32_t after;     /* how many of them still pass */
    _Atomic uint32_t error;     /* the errno of those that come then; 0: the process is killed instead */
    _Atomic uint32_t struck;    /* how many were made to fail */
};

static struct orders *orders;

__attribute__((constructor)) static void take_orders(void) {
    const char *path = getenv("BGLEDGER_TEST_FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) orders = mapped;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Writes down a call on a file: its name, and the file's, if somebody wants to know. */
static void note(const char *call, int file, const char *path) {
    static const char *notes;
    if (!notes && !(notes = getenv("BGLEDGER_TEST_CALLS"))) return;
    char link[64], target[512] = "";
    if (!path) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) target[length] = 0;
        path = target;
    }
    char line[640];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    int out = REAL(open)(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (out >= 0 && length > 0 && write(out, line, (size_t)length) < 0) abort();
    if (out >= 0) close(out);
}

/* Whether this call fails. Descriptors 0 to 2 are the test's own pipes. */
static int strikes(int file, enum kind kind) {
    if (!orders || file <= 2) return 0;
    uint32_t ordered = atomic_load(&orders->kind);
    if (ordered != kind && (ordered != ANY || kind == STATFS)) return 0;
    uint32_t left = atomic_load(&orders->after);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&orders->after, &left, left - 1)) return 0;
    }
    atomic_fetch_add(&orders->struck, 1);
    uint32_t error = atomic_load(&orders->error);
    if (error == 0) kill(getpid(), SIGKILL);
    errno = (int)error;
    return 1;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
    note("write", file, NULL);
    return strikes(file, WRITE) ? -1 : REAL(pwrite)(file, data, length, at);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
    note("write", file, NULL);
    return strikes(file, WRITE) ? -1 : REAL(pwrite64)(file, data, length, at);
}

int fsync(int file) {
    note("sync", file, NULL);
    return strikes(file, SYNC) ? -1 : REAL(fsync)(file);
}

int fdatasync(int file) {
    note("sync", file, NULL);
    return strikes(file, SYNC) ? -1 : REAL(fdatasync)(file);
}

/* ---- what only ANY strikes: the rest of what changes files or what others see of them ------------------------- */

/* A descriptor of no file in particular. */
#define SOME 3

int ftruncate(int file, off_t length) {
    note("truncate", file, NULL);
    return strikes(file, OTHER) ? -1 : REAL(ftruncate)(file, length);
}

int ftruncate64(int file, off64_t length) {
    note("truncate", file, NULL);
    return strikes(file, OTHER) ? -1 : REAL(ftruncate64)(file, length);
}

int unlink(const char *path) {
    note("unlink", 0, path);
    return strikes(SOME, OTHER) ? -1 : REAL(unlink)(path);
}

int rename(const char *from, const char *to) {
    note("rename", 0, to);
    return strikes(SOME, OTHER) ? -1 : REAL(rename)(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    note("rename", 0, to);
    return strikes(SOME, OTHER) ? -1 : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    note("mkdir", 0, path);
    return strikes(SOME, OTHER) ? -1 : REAL(mkdir)(path, mode);
}

int chmod(const char *path, mode_t mode) {
    return strikes(SOME, OTHER) ? -1 : REAL(chmod)(path, mode);
}

int fchmod(int file, mode_t mode) {
    return strikes(file, OTHER) ? -1 : REAL(fchmod)(file, mode);
}

int flock(int file, int operation) {
    return strikes(file, OTHER) ? -1 : REAL(flock)(file, operation);
}

int posix_fallocate(int file, off_t at, off_t length) {
    return strikes(file, OTHER) ? errno : REAL(posix_fallocate)(file, at, length);
}

void *mmap(void *where, size_t length, int access, int flags, int file, off_t at) {
    return strikes(file, OTHER) ? MAP_FAILED : REAL(mmap)(where, length, access, flags, file, at);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        mode_t mode = mode_of(flags, rest);                               \
        va_end(rest);                                                     \
        int changes = (flags & O_ACCMODE) != O_RDONLY;                    \
        if (changes && strikes(SOME, OTHER)) return -1;                   \
        return REAL(name)(path, flags, mode);                             \
    }

OPEN(open)
OPEN(open64)

/* SQLite locks with it, by three arguments of one register each. */
int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int locks = command == F_SETLK || command == F_OFD_SETLK;
    return locks && strikes(file, OTHER) ? -1 : REAL(fcntl)(file, command, argument);
}

/* A file system that lies nowhere near: every place is on NFS while the orders say so. */
static void move_to_nfs(long *type) {
    if (orders && atomic_load(&orders->kind) == STATFS) {
        atomic_fetch_add(&orders->struck, 1);
        *type = 0x6969;
    }
}

int statfs(const char *path, struct statfs *found) {
    int failed = REAL(statfs)(path, found);
    if (!failed) move_to_nfs((long *)&found->f_type);
    return failed;
}

int statfs64(const char *path, struct statfs64 *found) {
    int failed = REAL(statfs64)(path, found);
    if (!failed) move_to_nfs((long *)&found->f_type);
    return failed;
}
