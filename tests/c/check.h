/* What the C tests share: a check that says where it failed, and options with their size set. */
#ifndef CHECK_H
#define CHECK_H

#include <bgledger.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where the call did not answer what was expected. */
static inline void check_code(int code, int expected, const char *call, const char *file, int line)
{
    if (code != expected) {
        fprintf(stderr, "%s:%d: %s\n  answered %d (%s): %s\n", file, line, call, code, bgl_strerror(code),
                bgl_errmsg(NULL));
        exit(1);
    }
}

/* Ends the program where something is not as it should be. */
static inline void check(int truth, const char *what, const char *file, int line)
{
    if (!truth) {
        fprintf(stderr, "%s:%d: %s\n  last failure: %s\n", file, line, what, bgl_errmsg(NULL));
        exit(1);
    }
}

#define CHECK(truth) check((truth) ? 1 : 0, #truth, __FILE__, __LINE__)
#define CODE(call, expected) check_code((call), (int)(expected), #call, __FILE__, __LINE__)
#define OK(call) CODE(call, BGL_OK)
#define SAME(one, other) CHECK(strcmp((one), (other)) == 0)

#endif
