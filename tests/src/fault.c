/* Stands before the C library's writes and syncs of one process, and makes one fail when it is told to.
   The orders are in a file that the test maps as well: see fault.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, STATFS = 3 };

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

/* Whether this call fails. Descriptors 0 to 2 are the test's own pipes. */
static int strikes(int file, enum kind kind) {
    if (!orders || file <= 2 || atomic_load(&orders->kind) != kind) return 0;
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

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
    return strikes(file, WRITE) ? -1 : REAL(pwrite)(file, data, length, at);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
    return strikes(file, WRITE) ? -1 : REAL(pwrite64)(file, data, length, at);
}

int fsync(int file) {
    return strikes(file, SYNC) ? -1 : REAL(fsync)(file);
}

int fdatasync(int file) {
    return strikes(file, SYNC) ? -1 : REAL(fdatasync)(file);
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
