/*
 * Records one piece of work and reads it back.
 *
 *   cc -std=c11 record.c -o record $(pkg-config --cflags --libs bgledger)
 *   ./record [LEDGER]
 */
#include <bgledger.h>
#include <stdio.h>

static int failed(const char *what, bgl_ledger *ledger, int code)
{
    fprintf(stderr, "%s: %s (%s)\n", what, bgl_errmsg(ledger), bgl_strerror(code));
    return 1;
}

int main(int argc, char **argv)
{
    bgl_ledger *ledger;
    int code = bgl_open(argc > 1 ? argv[1] : NULL, NULL, &ledger);
    if (code != BGL_OK)
        return failed("open", NULL, code);

    /* Recorded and started in one call; this process is its executor. */
    bgl_task *task;
    bgl_create_options create = {.size = sizeof create, .label = "count to three", .start = 1};
    code = bgl_create(ledger, &create, NULL, &task);
    if (code != BGL_OK)
        return failed("create", ledger, code);
    printf("recorded as #%llu\n", (unsigned long long)bgl_task_number(task));

    uint32_t flags = 0;
    int64_t total = 3;
    for (int64_t done = 1; done <= total && !(flags & BGL_FLAG_CANCEL_REQUESTED); done++) {
        bgl_progress_options progress = {
            .size = sizeof progress,
            .attempt = bgl_task_attempt(task),
            .current = &done,
            .total = &total,
        };
        code = bgl_progress(ledger, bgl_task_id(task), &progress, &flags, NULL);
        if (code != BGL_OK)
            return failed("progress", ledger, code);
    }

    bgl_task *ended;
    bgl_finish_options finish = {
        .size = sizeof finish,
        .status = (flags & BGL_FLAG_CANCEL_REQUESTED) ? BGL_STATUS_CANCELLED : BGL_STATUS_SUCCEEDED,
        .attempt = bgl_task_attempt(task),
        .summary = "one, two, three",
    };
    code = bgl_finish(ledger, bgl_task_id(task), &finish, NULL, &ended);
    if (code != BGL_OK)
        return failed("finish", ledger, code);
    printf("%s: %s\n", bgl_task_status_word(ended), bgl_task_summary(ended));

    bgl_task_free(ended);
    bgl_task_free(task);
    return bgl_close(ledger) == BGL_OK ? 0 : 1;
}
