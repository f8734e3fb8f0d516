/* threads FOLDER: sixteen threads on one handle, each with its own message, and a handle that is closed under them. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 16, LIVES = 25 };

static bgl_ledger *ledger;
static bgl_task *shared;
static atomic_int cancelled;
static atomic_int went_on;

static void on_cancel(void *user_data, const bgl_task *task)
{
    CHECK(user_data == &cancelled && bgl_task_cancel_requested(task));
    atomic_fetch_add(&cancelled, 1);
}

static void *lives(void *place)
{
    int64_t own = (int64_t)(intptr_t)place, total = LIVES;
    char missing[64];
    snprintf(missing, sizeof missing, "missing-%d", (int)own);
    for (int64_t i = 0; i < LIVES; i++) {
        bgl_task *task, *found;
        bgl_create_options create = {.size = sizeof create, .label = "a life", .start = 1};
        OK(bgl_create(ledger, &create, NULL, &task));
        const char *id = bgl_task_id(task);
        bgl_progress_options progress = {.size = sizeof progress, .attempt = 1, .current = &i, .total = &total};
        OK(bgl_progress(ledger, id, &progress, NULL, NULL));
        CODE(bgl_get(ledger, missing, &found), BGL_ERROR_NOT_FOUND);
        CHECK(strstr(bgl_errmsg(ledger), missing) != NULL); /* not another thread's */
        bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_SUCCEEDED, .attempt = 1};
        OK(bgl_finish(ledger, id, &finish, NULL, &found));
        SAME(bgl_task_id(found), id);
        SAME(bgl_task_label(shared), "read by all");
        CHECK(bgl_task_json(shared) == bgl_task_json(shared));
        OK(bgl_task_free(found));
        OK(bgl_task_free(task));
    }
    return NULL;
}

static void *reads_until_closed(void *handle)
{
    for (;;) {
        bgl_task *task;
        int code = bgl_get(handle, "1", &task);
        if (code == BGL_MISUSE_BAD_HANDLE)
            return NULL;
        OK(code);
        OK(bgl_task_free(task));
        atomic_fetch_add(&went_on, 1);
    }
}

static void *waits_until_closed(void *handle)
{
    const char *first[] = {"1"};
    bgl_tasks *tasks;
    CODE(bgl_wait(handle, first, 1, NULL, &tasks), BGL_MISUSE_BAD_HANDLE);
    return NULL;
}

static void *watches_until_freed(void *events)
{
    bgl_event *event;
    CODE(bgl_events_next(events, -1, &event), BGL_MISUSE_BAD_HANDLE);
    return NULL;
}

int main(int argc, char **argv)
{
    char path[4096];
    pthread_t threads[THREADS];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    bgl_open_options relaxed = {.size = sizeof relaxed, .durability = "relaxed"};
    OK(bgl_open(path, &relaxed, &ledger));
    bgl_create_options create = {.size = sizeof create, .label = "read by all", .start = 1};
    OK(bgl_create(ledger, &create, NULL, &shared));
    bgl_subscription *subscription;
    OK(bgl_on_cancel(ledger, "1", on_cancel, &cancelled, &subscription));

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, lives, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    bgl_tasks *tasks;
    bgl_task *task;
    int ended = 0;
    bgl_list_options list = {.size = sizeof list, .statuses = 1 << BGL_STATUS_SUCCEEDED};
    OK(bgl_list(ledger, &list, &tasks));
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task)), ended++)
        OK(bgl_task_free(task));
    CHECK(ended == THREADS * LIVES);
    OK(bgl_tasks_free(tasks));

    OK(bgl_request_cancel(ledger, "1", NULL, NULL, NULL));
    for (int i = 0; i < 1000 && atomic_load(&cancelled) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    OK(bgl_subscription_free(subscription));
    CHECK(atomic_load(&cancelled) == 1);

    /* A handle is closed while others use it, wait on it and watch it. */
    bgl_events *events;
    OK(bgl_watch(ledger, NULL, &events));
    for (int i = 0; i < THREADS; i++) {
        void *(*work)(void *) = i % 4 == 0 ? waits_until_closed : reads_until_closed;
        CHECK(pthread_create(&threads[i], NULL, work, ledger) == 0);
    }
    pthread_t watcher;
    CHECK(pthread_create(&watcher, NULL, watches_until_freed, events) == 0);
    while (atomic_load(&went_on) < 100)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    OK(bgl_events_free(events));
    CHECK(pthread_join(watcher, NULL) == 0);
    OK(bgl_close(ledger));
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CODE(bgl_close(ledger), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_task_free(shared));
    puts("done");
    return 0;
}
