/* Writes down, in one order for several processes, what they do with the files of one folder and what they tell on their
   stdout: a library that the dynamic linker puts before the C library. See recorder.rs for the form. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FILES 1024

static const char *folder;
static int out = -1;
static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
/* Of each descriptor: 0 nothing of ours, 1 the folder, else the inode and 2. */
static ino_t known[FILES];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("BGLEDGER_TEST_RECORD");
    folder = getenv("BGLEDGER_TEST_FOLDER");
    if (path && folder) out = REAL(open)(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* What is between these is in the order in which it is written down. */
static void lock(void) {
    pthread_mutex_lock(&own);
    REAL(flock)(out, LOCK_EX);
}

static void unlock(void) {
    REAL(flock)(out, LOCK_UN);
    pthread_mutex_unlock(&own);
}

static void put(const void *bytes, size_t length) {
    if (REAL(write)(out, bytes, length) != (ssize_t)length) abort();
}

static void line(const char *form, ...) {
    char text[1024];
    va_list rest;
    va_start(rest, form);
    int length = vsnprintf(text, sizeof text, form, rest);
    va_end(rest);
    put(text, (size_t)length);
}

/* The name of a file in the folder, or NULL. */
static const char *name_of(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (out < 0 || strncmp(path, folder, length) != 0 || path[length] != '/') return NULL;
    return strchr(path + length + 1, '/') ? NULL : path + length + 1;
}

static ino_t of(int file) {
    return out >= 0 && file > 2 && file < FILES ? known[file] : 0;
}

#define OPEN(name)                                                                    \
    int name(const char *path, int flags, ...) {                                      \
        va_list rest;                                                                 \
        va_start(rest, flags);                                                        \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;       \
        va_end(rest);                                                                 \
        const char *of_ours = name_of(path);                                          \
        int is_folder = out >= 0 && strcmp(path, folder) == 0;                \
        if (!of_ours && !is_folder) return REAL(name)(path, flags, mode);             \
        lock();                                                                       \
        int made = of_ours && access(path, F_OK) != 0;                                \
        int file = REAL(name)(path, flags, mode);                                     \
        struct stat found;                                                            \
        if (file > 2 && file < FILES && fstat(file, &found) == 0) {                   \
            known[file] = is_folder ? 1 : found.st_ino + 2;                           \
            if (of_ours) line("O %lu %d %s\n", (unsigned long)found.st_ino, made, of_ours); \
        }                                                                             \
        unlock();                                                                     \
        return file;                                                                  \
    }

OPEN(open)
OPEN(open64)

int close(int file) {
    if (file > 2 && file < FILES) known[file] = 0;
    return REAL(close)(file);
}

static ssize_t write_at(int file, const void *data, size_t length, off_t at) {
    lock();
    ssize_t done = REAL(pwrite64)(file, data, length, at);
    if (done > 0) {
        line("W %lu %ld %zd\n", (unsigned long)known[file] - 2, (long)at, done);
        put(data, (size_t)done);
    }
    unlock();
    return done;
}

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
    return of(file) > 1 ? write_at(file, data, length, at) : REAL(pwrite)(file, data, length, at);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
    return of(file) > 1 ? write_at(file, data, length, at) : REAL(pwrite64)(file, data, length, at);
}

ssize_t write(int file, const void *data, size_t length) {
    if (file == 1 && out >= 0) {
        /* Before anybody can have read it. */
        lock();
        line("A %zu\n", length);
        put(data, length);
        unlock();
    }
    if (of(file) <= 1) return REAL(write)(file, data, length);
    off_t at = lseek(file, 0, SEEK_CUR);
    ssize_t done = write_at(file, data, length, at);
    if (done > 0) lseek(file, at + done, SEEK_SET);
    return done;
}

static int cut(int file, off_t length) {
    lock();
    int failed = REAL(ftruncate64)(file, length);
    if (!failed) line("T %lu %ld\n", (unsigned long)known[file] - 2, (long)length);
    unlock();
    return failed;
}

int ftruncate(int file, off_t length) { return of(file) > 1 ? cut(file, length) : REAL(ftruncate)(file, length); }
int ftruncate64(int file, off64_t length) { return of(file) > 1 ? cut(file, length) : REAL(ftruncate64)(file, length); }

static void synced(int file) {
    lock();
    if (known[file] == 1) line("N\n");
    else line("S %lu\n", (unsigned long)known[file] - 2);
    unlock();
}

/* What others write while it is under way may be on the disk or not: what it vouches for was written before. It takes
   its time, as a disk does, so that others commit, wait and look meanwhile. */
#define SYNC(name)                            \
    int name(int file) {                      \
        if (of(file)) {                       \
            synced(file);                     \
            usleep(1000);                     \
        }                                     \
        return REAL(name)(file);              \
    }

SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    const char *name = name_of(path);
    if (!name) return REAL(unlink)(path);
    lock();
    int failed = REAL(unlink)(path);
    if (!failed) line("D %s\n", name);
    unlock();
    return failed;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    const char *was = name_of(from), *is = name_of(to);
    if (!was || !is) return REAL(renameat2)(from_folder, from, to_folder, to, flags);
    lock();
    int failed = REAL(renameat2)(from_folder, from, to_folder, to, flags);
    if (!failed) line("R %s %s\n", was, is);
    unlock();
    return failed;
}
