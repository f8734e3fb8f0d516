/* callback FOLDER: cancel callbacks, and everything that a callback may do to its own handles. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct seen {
    atomic_int calls;
    bgl_subscription *own;
    bgl_ledger *closes;
    char id[40];
    pthread_t thread;
    sigset_t blocked;
};

static void nap(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void called(void *user_data, const bgl_task *task)
{
    struct seen *seen = user_data;
    CHECK(bgl_task_cancel_requested(task) == 1);
    snprintf(seen->id, sizeof seen->id, "%s", bgl_task_id(task));
    seen->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    if (seen->own != NULL)
        OK(bgl_subscription_free(seen->own));
    if (seen->closes != NULL)
        OK(bgl_close(seen->closes));
    atomic_fetch_add(&seen->calls, 1);
}

static void slow(void *user_data, const bgl_task *task)
{
    struct seen *seen = user_data;
    (void)task;
    atomic_fetch_add(&seen->calls, 1);
    nap(300);
    atomic_fetch_add(&seen->calls, 1);
}

static int comes(struct seen *seen, int calls)
{
    for (int i = 0; i < 1000 && atomic_load(&seen->calls) < calls; i++)
        nap(10);
    return atomic_load(&seen->calls) == calls;
}

static bgl_task *started(bgl_ledger *ledger)
{
    bgl_task *task;
    bgl_create_options create = {.size = sizeof create, .label = "listens", .start = 1};
    OK(bgl_create(ledger, &create, NULL, &task));
    return task;
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    bgl_ledger *ledger, *other;
    OK(bgl_open(path, NULL, &ledger));
    OK(bgl_open(path, NULL, &other));

    /* The callback of the task that is cancelled is called, once, on a thread of the library; the other's is not. */
    static struct seen seen[6];
    bgl_task *one = started(ledger), *two = started(ledger), *after;
    bgl_subscription *first, *second, *late;
    OK(bgl_on_cancel(ledger, bgl_task_id(one), called, &seen[0], &first));
    OK(bgl_on_cancel(ledger, bgl_task_id(two), called, &seen[1], &second));
    OK(bgl_request_cancel(other, bgl_task_id(one), NULL, NULL, NULL));
    CHECK(comes(&seen[0], 1));
    SAME(seen[0].id, bgl_task_id(one));
    CHECK(!pthread_equal(seen[0].thread, pthread_self()));
    CHECK(sigismember(&seen[0].blocked, SIGTERM) == 1 && sigismember(&seen[0].blocked, SIGCHLD) == 1);
    CHECK(atomic_load(&seen[1].calls) == 0);
    /* The ledger knows that the executor was told. */
    OK(bgl_get(ledger, bgl_task_id(one), &after));
    CHECK(strstr(bgl_task_json(after), "\"told_at\":\"") != NULL);
    CHECK(bgl_task_status(after) == BGL_STATUS_RUNNING);
    bgl_task_free(after);

    /* Who asks after the fact is told, too. */
    OK(bgl_on_cancel(ledger, bgl_task_id(one), called, &seen[2], &late));
    CHECK(comes(&seen[2], 1));
    OK(bgl_subscription_free(late));
    CODE(bgl_subscription_free(late), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_subscription_free(first));

    /* Once freed it is not called. */
    OK(bgl_subscription_free(second));
    OK(bgl_request_cancel(other, bgl_task_id(two), NULL, NULL, NULL));
    nap(300);
    CHECK(atomic_load(&seen[1].calls) == 0);

    /* Freeing waits for a call that is under way. */
    bgl_task *three = started(ledger);
    OK(bgl_on_cancel(ledger, bgl_task_id(three), slow, &seen[3], &first));
    OK(bgl_request_cancel(other, bgl_task_id(three), NULL, NULL, NULL));
    for (int i = 0; i < 1000 && atomic_load(&seen[3].calls) < 1; i++)
        nap(10);
    OK(bgl_subscription_free(first));
    CHECK(atomic_load(&seen[3].calls) == 2);

    /* A callback may free itself, and close its ledger. */
    bgl_task *four = started(ledger);
    OK(bgl_on_cancel(ledger, bgl_task_id(four), called, &seen[4], &seen[4].own));
    OK(bgl_request_cancel(other, bgl_task_id(four), NULL, NULL, NULL));
    CHECK(comes(&seen[4], 1));
    bgl_ledger *third;
    OK(bgl_open(path, NULL, &third));
    bgl_task *five = started(third);
    seen[5].closes = third;
    OK(bgl_on_cancel(third, bgl_task_id(five), called, &seen[5], &first));
    OK(bgl_request_cancel(other, bgl_task_id(five), NULL, NULL, NULL));
    CHECK(comes(&seen[5], 1));
    CODE(bgl_close(third), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_subscription_free(first));

    CODE(bgl_on_cancel(ledger, "no such task", called, NULL, &first), BGL_ERROR_NOT_FOUND);
    CODE(bgl_on_cancel(ledger, "1", NULL, NULL, &first), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_on_cancel(ledger, "1", called, NULL, NULL), BGL_MISUSE_NULL_POINTER);

    bgl_task *all[] = {one, two, three, four, five};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        OK(bgl_task_free(all[i]));
    OK(bgl_close(ledger));
    OK(bgl_close(other));
    nap(200); /* the thread of the third ledger closed itself: let it end before the leaks are counted */
    puts("done");
    return 0;
}
