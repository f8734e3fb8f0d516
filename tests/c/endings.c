/*
 * endings FOLDER: a handle or a callback is ended while something is under way: who has to wait does, who has not
 * does not, and what waits is woken.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static void nap(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bgl_task *started(bgl_ledger *ledger, const char *run_id)
{
    bgl_task *task;
    bgl_create_options create = {.size = sizeof create, .label = "under way", .run_id = run_id, .start = 1};
    OK(bgl_create(ledger, &create, NULL, &task));
    return task;
}

/* ---- a callback that closes its own ledger ---- */

struct closing {
    bgl_ledger *ledger;
    atomic_int stage;
};

static void closes_its_ledger(void *user_data, const bgl_task *task)
{
    struct closing *closing = user_data;
    (void)task;
    OK(bgl_close(closing->ledger));
    atomic_store(&closing->stage, 1);
    nap(400);
    atomic_store(&closing->stage, 2);
}

static void freeing_waits_for_a_callback_that_closed_its_ledger(const char *path)
{
    struct closing *closing = calloc(1, sizeof *closing);
    bgl_subscription *subscription;
    OK(bgl_open(path, NULL, &closing->ledger));
    bgl_task *task = started(closing->ledger, NULL);
    OK(bgl_on_cancel(closing->ledger, bgl_task_id(task), closes_its_ledger, closing, &subscription));
    OK(bgl_request_cancel(closing->ledger, bgl_task_id(task), NULL, NULL, NULL));
    for (int i = 0; i < 1000 && atomic_load(&closing->stage) == 0; i++)
        nap(10);
    CHECK(atomic_load(&closing->stage) == 1); /* its ledger is closed, and it still runs */
    OK(bgl_subscription_free(subscription));
    CHECK(atomic_load(&closing->stage) == 2); /* and it is over now, so that its data may go */
    free(closing);
    OK(bgl_task_free(task));
}

/* ---- waits inside bgl_call ---- */

struct waiter {
    bgl_ledger *ledger;
    const char *request;
    atomic_int begun;
    int64_t ended_at;
};

static void *waits(void *given)
{
    struct waiter *waiter = given;
    char *response = NULL;
    atomic_store(&waiter->begun, 1);
    CODE(bgl_call(waiter->ledger, waiter->request, strlen(waiter->request), &response, NULL), BGL_MISUSE_BAD_HANDLE);
    CHECK(response == NULL);
    waiter->ended_at = now_ms();
    return NULL;
}

static void closing_ends_waits_inside_bgl_call(const char *path)
{
    bgl_ledger *ledger;
    OK(bgl_open(path, NULL, &ledger));
    bgl_task_free(started(ledger, "never ends"));
    struct waiter waiters[] = {
        {.ledger = ledger, .request = "{\"wait\":{\"lookups\":[\"run:never ends\"]}}"},
        {.ledger = ledger, .request = "{\"wait\":{\"lookups\":[\"run:never ends\"],\"timeout\":3600000}}"},
        {.ledger = ledger, .request = "{\"watch\":{\"timeout\":3600000}}"},
        {.ledger = ledger, .request = "{\"watch\":{\"lookup\":\"run:never ends\",\"timeout\":3600000}}"},
    };
    enum { WAITERS = sizeof waiters / sizeof *waiters };
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, waits, &waiters[i]) == 0);
    for (int i = 0; i < WAITERS; i++)
        while (!atomic_load(&waiters[i].begun))
            nap(1);
    nap(300); /* past their first slice */
    int64_t closed_at = now_ms();
    OK(bgl_close(ledger));
    for (int i = 0; i < WAITERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(waiters[i].ended_at - closed_at < 20000); /* soon, even under valgrind: not after an hour */
    }
}

/* Slices change nothing of what a wait answers. */
static void waits_inside_bgl_call_answer_as_before(const char *path)
{
    bgl_ledger *ledger;
    char *response;
    OK(bgl_open(path, NULL, &ledger));
    const char *wait = "{\"id\":5,\"wait\":{\"lookups\":[\"run:never ends\"],\"timeout\":500}}";
    OK(bgl_call(ledger, wait, strlen(wait), &response, NULL));
    CHECK(strstr(response, "{\"id\":5,\"error\":{\"code\":\"wait_timed_out\"") != NULL);
    const char *waited = strstr(response, "\"waited_ms\":");
    CHECK(waited != NULL && atoi(waited + strlen("\"waited_ms\":")) >= 500);
    bgl_free(response);
    const char *watch = "{\"watch\":{\"timeout\":500}}";
    OK(bgl_call(ledger, watch, strlen(watch), &response, NULL));
    CHECK(strncmp(response, "{\"ok\":{\"events\":[],\"next\":", 26) == 0);
    bgl_free(response);
    OK(bgl_close(ledger));
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    alarm(120); /* a wait that nothing ends must not keep the tests */
    freeing_waits_for_a_callback_that_closed_its_ledger(path);
    closing_ends_waits_inside_bgl_call(path);
    waits_inside_bgl_call_answer_as_before(path);
    nap(300); /* the thread of the ledger that closed itself ends before the leaks are counted */
    puts("done");
    return 0;
}
