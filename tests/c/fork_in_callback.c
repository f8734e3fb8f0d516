/*
 * fork_in_callback FOLDER: a callback forks, and its child returns from it instead of calling exec or _exit. The child
 * ends there; it does not go on to call the callbacks of the parent.
 */
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Seen by both processes. */
struct seen {
    atomic_int child, calls_of_parent, calls_of_others;
    pid_t parent;
};

static void forks(void *user_data, const bgl_task *task)
{
    struct seen *seen = user_data;
    (void)task;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        atomic_store(&seen->child, pid);
}

static void counts(void *user_data, const bgl_task *task)
{
    struct seen *seen = user_data;
    (void)task;
    atomic_fetch_add(getpid() == seen->parent ? &seen->calls_of_parent : &seen->calls_of_others, 1);
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); }

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    struct seen *seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seen != MAP_FAILED);
    seen->parent = getpid();
    bgl_ledger *ledger;
    bgl_task *tasks[3];
    bgl_subscription *subscriptions[3];
    OK(bgl_open(path, NULL, &ledger));
    for (int i = 0; i < 3; i++) {
        bgl_create_options create = {.size = sizeof create, .label = "listens", .start = 1};
        OK(bgl_create(ledger, &create, NULL, &tasks[i]));
    }
    /* Two are due in one pass of the thread, the third is cancelled later. */
    OK(bgl_request_cancel(ledger, bgl_task_id(tasks[0]), NULL, NULL, NULL));
    OK(bgl_request_cancel(ledger, bgl_task_id(tasks[1]), NULL, NULL, NULL));
    OK(bgl_on_cancel(ledger, bgl_task_id(tasks[2]), counts, seen, &subscriptions[2]));
    OK(bgl_on_cancel(ledger, bgl_task_id(tasks[0]), forks, seen, &subscriptions[0]));
    OK(bgl_on_cancel(ledger, bgl_task_id(tasks[1]), counts, seen, &subscriptions[1]));
    for (int i = 0; i < 2000 && atomic_load(&seen->child) == 0; i++)
        nap();
    pid_t child = atomic_load(&seen->child);
    CHECK(child > 0);
    OK(bgl_request_cancel(ledger, bgl_task_id(tasks[2]), NULL, NULL, NULL));
    for (int i = 0; i < 2000 && atomic_load(&seen->calls_of_parent) < 2; i++)
        nap();
    CHECK(atomic_load(&seen->calls_of_parent) == 2);
    /* The child has ended by itself. */
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 1000 && ended == 0; i++) {
        nap();
        ended = waitpid(child, &status, WNOHANG);
    }
    if (ended == 0)
        kill(child, SIGKILL);
    CHECK(ended == child);
    CHECK(atomic_load(&seen->calls_of_others) == 0);
    for (int i = 0; i < 3; i++) {
        OK(bgl_subscription_free(subscriptions[i]));
        OK(bgl_task_free(tasks[i]));
    }
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
