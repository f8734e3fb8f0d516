/*
 * forward LEDGER [OWNER]: bytes in, bytes out. Every line of stdin is a Request for bgl_call(), every line of stdout
 * its Response, with the clock of the tests and the defaults of the command line.
 */
#define _POSIX_C_SOURCE 200809L
#include <bgledger.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

int main(int argc, char **argv)
{
    bgl_open_options options = {
        .size = sizeof options,
        .owner = argc > 2 ? argv[2] : NULL,
        .runtime = "cli",
        .executor = "external",
        .test_clock = 1,
    };
    bgl_ledger *ledger;
    if (argc < 2 || bgl_open(argv[1], &options, &ledger) != BGL_OK) {
        fprintf(stderr, "%s\n", bgl_errmsg(NULL));
        return 2;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        char *response;
        size_t response_length;
        if (bgl_call(ledger, line, (size_t)length, &response, &response_length) != BGL_OK) {
            fprintf(stderr, "%s\n", bgl_errmsg(ledger));
            return 1;
        }
        fwrite(response, 1, response_length, stdout);
        putchar('\n');
        fflush(stdout);
        bgl_free(response);
    }
    free(line);
    return bgl_close(ledger) == BGL_OK ? 0 : 1;
}
