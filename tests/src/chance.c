/* Random bytes that come again with the same seed: a library that the dynamic linker puts before the C library. Until a
   seed is given the system's own come. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <sys/types.h>

static uint64_t state;

void bgledger_test_chance(uint64_t seed) { state = seed * 0x9E3779B97F4A7C15u | 1; }

ssize_t getrandom(void *into, size_t length, unsigned int flags) {
    if (!state) {
        ssize_t (*real)(void *, size_t, unsigned int) = (ssize_t (*)(void *, size_t, unsigned int))dlsym(RTLD_NEXT, "getrandom");
        return real(into, length, flags);
    }
    for (size_t place = 0; place < length; place++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((unsigned char *)into)[place] = (unsigned char)(state >> 32);
    }
    return (ssize_t)length;
}
