/*
 * idle FOLDER: two hundred callbacks that wait for a cancel cost nothing while nothing happens. Their thread is asleep:
 * it is not scheduled, but for a look every few seconds. And all of them are called once there is something to tell.
 */
#define _DEFAULT_SOURCE
#include "check.h"
#include <dirent.h>
#include <stdatomic.h>
#include <time.h>

enum { CALLBACKS = 200 };

static atomic_int calls;

static void called(void *user_data, const bgl_task *task)
{
    (void)user_data;
    CHECK(bgl_task_cancel_requested(task));
    atomic_fetch_add(&calls, 1);
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* One line of a file of a thread: NULL if there is none that begins so. */
static char *line_of(const char *thread, const char *file, const char *start, char *line, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "/proc/self/task/%s/%s", thread, file);
    FILE *opened = fopen(path, "r");
    char *found = NULL;
    while (opened != NULL && found == NULL && fgets(line, (int)size, opened) != NULL)
        found = strncmp(line, start, strlen(start)) == 0 ? line + strlen(start) : NULL;
    if (opened != NULL)
        fclose(opened);
    return found;
}

/* How often the threads of the library have gone to sleep so far. */
static long sleeps(int *threads)
{
    long sum = 0;
    char line[256];
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    *threads = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (line_of(entry->d_name, "comm", "bgledger\n", line, sizeof line) == NULL)
            continue;
        char *count = line_of(entry->d_name, "status", "voluntary_ctxt_switches:", line, sizeof line);
        CHECK(count != NULL);
        sum += atol(count);
        ++*threads;
    }
    closedir(folder);
    return sum;
}

static int64_t seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* The thread that sleeps is woken by who ends it and by who brings another callback: it does not come to it by itself
   when it next looks, which takes some five seconds each time. */
static void who_needs_the_thread_wakes_it(const char *path, const char *cancelled)
{
    enum { ROUNDS = 20 };
    int64_t began = seconds();
    for (int i = 0; i < ROUNDS; i++) {
        bgl_ledger *ledger;
        bgl_task *task;
        bgl_subscription *idle, *due;
        OK(bgl_open(path, NULL, &ledger));
        bgl_create_options create = {.size = sizeof create, .label = "idle", .start = 1};
        OK(bgl_create(ledger, &create, NULL, &task));
        OK(bgl_on_cancel(ledger, bgl_task_id(task), called, NULL, &idle));
        nap(20);
        int before = atomic_load(&calls);
        OK(bgl_on_cancel(ledger, cancelled, called, NULL, &due));
        for (int j = 0; j < 6000 && atomic_load(&calls) == before; j++)
            nap(1);
        CHECK(atomic_load(&calls) == before + 1);
        nap(20);
        OK(bgl_close(ledger));
        OK(bgl_subscription_free(idle));
        OK(bgl_subscription_free(due));
        OK(bgl_task_free(task));
    }
    CHECK(seconds() - began < ROUNDS * 5 / 2);
}

int main(int argc, char **argv)
{
    char path[4096], request[64], *response;
    bgl_ledger *ledger;
    bgl_flow *flow;
    bgl_task *task;
    static bgl_subscription *subscriptions[CALLBACKS];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    bgl_open_options relaxed = {.size = sizeof relaxed, .durability = "relaxed"};
    OK(bgl_open(path, &relaxed, &ledger));
    bgl_flow_create_options all = {.size = sizeof all, .goal = "all of them", .controller = "idle"};
    OK(bgl_flow_create(ledger, &all, NULL, &flow));
    for (int i = 0; i < CALLBACKS; i++) {
        bgl_create_options create = {
            .size = sizeof create, .label = "listens", .start = 1, .flow = bgl_flow_id(flow)};
        OK(bgl_create(ledger, &create, NULL, &task));
        OK(bgl_on_cancel(ledger, bgl_task_id(task), called, NULL, &subscriptions[i]));
        OK(bgl_task_free(task));
    }

    /* At rest: until it hardly stirred for two seconds. Ten looks a second would be twenty and more each time. */
    int threads = 0, rounds = 0;
    long before = sleeps(&threads), stirred;
    CHECK(threads == 1);
    do {
        nap(2000);
        long now = sleeps(&threads);
        stirred = now - before;
        before = now;
    } while (stirred > 5 && ++rounds < 20);
    if (stirred > 5) {
        fprintf(stderr, "the thread of the callbacks woke %ld times in two seconds\n", stirred);
        return 1;
    }

    /* One call to cancel reaches them all. */
    OK(bgl_flow_cancel(ledger, bgl_flow_id(flow), NULL, NULL, NULL));
    for (int i = 0; i < 6000 && atomic_load(&calls) < CALLBACKS; i++)
        nap(10);
    CHECK(atomic_load(&calls) == CALLBACKS);
    for (int i = 0; i < CALLBACKS; i++)
        OK(bgl_subscription_free(subscriptions[i]));
    snprintf(request, sizeof request, "{\"list\":{\"flow\":\"F1\",\"limit\":1}}");
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
    CHECK(strstr(response, "\"told_at\":\"") != NULL);
    bgl_free(response);
    OK(bgl_flow_free(flow));
    OK(bgl_close(ledger));
    who_needs_the_thread_wakes_it(path, "1");
    puts("done");
    return 0;
}
