/*
 * host LEDGER: a host in C whose work is cancelled from outside. It prints its task's id, works until its callback is
 * called, and ends the task as cancelled.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <stdatomic.h>
#include <time.h>

static void on_cancel(void *user_data, const bgl_task *task)
{
    (void)task;
    atomic_store((atomic_int *)user_data, 1);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    bgl_ledger *ledger;
    bgl_task *task, *ended;
    bgl_subscription *subscription;
    atomic_int stop = 0;
    OK(bgl_open(argv[1], NULL, &ledger));
    bgl_create_options create = {.size = sizeof create, .label = "the host's work", .start = 1, .run_id = "host-1"};
    OK(bgl_create(ledger, &create, NULL, &task));
    OK(bgl_on_cancel(ledger, bgl_task_id(task), on_cancel, &stop, &subscription));
    puts(bgl_task_id(task));
    fflush(stdout);
    for (int i = 0; i < 6000 && !atomic_load(&stop); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    CHECK(atomic_load(&stop));
    bgl_finish_options finish = {
        .size = sizeof finish, .status = BGL_STATUS_CANCELLED, .attempt = 1, .summary = "told by the callback"};
    OK(bgl_finish(ledger, bgl_task_id(task), &finish, NULL, &ended));
    OK(bgl_subscription_free(subscription));
    OK(bgl_task_free(task));
    OK(bgl_task_free(ended));
    OK(bgl_close(ledger));
    return 0;
}
