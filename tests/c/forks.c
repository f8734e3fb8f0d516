/*
 * forks FOLDER: both processes go on after a fork, while other threads of the parent are inside the library; what was
 * under way in the parent is refused in the child.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bgl_ledger *ledger;
static bgl_task *own;
static atomic_int stop;
static atomic_int called;

static void on_cancel(void *user_data, const bgl_task *task)
{
    (void)task;
    CHECK(*(pid_t *)user_data == getpid());
    atomic_fetch_add(&called, 1);
}

static void *works(void *nothing)
{
    while (!atomic_load(&stop)) {
        bgl_create_options create = {.size = sizeof create, .label = "of the parent"};
        bgl_task *task, *found;
        OK(bgl_create(ledger, &create, NULL, &task));
        OK(bgl_get(ledger, bgl_task_id(task), &found));
        OK(bgl_task_free(found));
        OK(bgl_task_free(task));
    }
    return nothing;
}

static int child(bgl_tasks *tasks, bgl_events *events, bgl_subscription *subscription)
{
    bgl_create_options create = {.size = sizeof create, .label = "of a child", .start = 1};
    bgl_task *task;
    bgl_event *event;
    OK(bgl_create(ledger, &create, NULL, &task));
    char pid[32];
    snprintf(pid, sizeof pid, "\"pid\":%d,", (int)getpid());
    CHECK(strstr(bgl_task_json(task), pid) != NULL); /* its executor is the child */
    SAME(bgl_task_label(own), "before the fork");
    bgl_task *unread;
    CODE(bgl_tasks_next(tasks, &unread), BGL_MISUSE_BAD_HANDLE);
    CODE(bgl_events_next(events, 0, &event), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_tasks_free(tasks));
    OK(bgl_events_free(events));
    OK(bgl_subscription_free(subscription));
    /* A callback of its own. */
    pid_t self = getpid();
    OK(bgl_on_cancel(ledger, bgl_task_id(task), on_cancel, &self, &subscription));
    OK(bgl_request_cancel(ledger, bgl_task_id(task), NULL, NULL, NULL));
    for (int i = 0; i < 1000 && atomic_load(&called) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    CHECK(atomic_load(&called) == 1);
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_CANCELLED};
    OK(bgl_finish(ledger, bgl_task_id(task), &finish, NULL, NULL));
    OK(bgl_subscription_free(subscription));
    OK(bgl_task_free(task));
    OK(bgl_task_free(own));
    OK(bgl_close(ledger));
    return 0;
}

int main(int argc, char **argv)
{
    char path[4096];
    enum { FORKS = 20, WORKERS = 4 };
    pthread_t workers[WORKERS];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    bgl_open_options relaxed = {.size = sizeof relaxed, .durability = "relaxed", .busy_timeout_ms = 60000};
    OK(bgl_open(path, &relaxed, &ledger));
    bgl_create_options create = {.size = sizeof create, .label = "before the fork", .start = 1};
    OK(bgl_create(ledger, &create, NULL, &own));
    bgl_tasks *tasks;
    bgl_events *events;
    bgl_subscription *subscription;
    pid_t self = getpid();
    OK(bgl_list(ledger, NULL, &tasks));
    OK(bgl_watch(ledger, NULL, &events));
    OK(bgl_on_cancel(ledger, "1", on_cancel, &self, &subscription));
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&workers[i], NULL, works, NULL) == 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(child(tasks, events, subscription));
        int status = -1;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(workers[i], NULL) == 0);
    /* The parent's own are as they were. */
    OK(bgl_request_cancel(ledger, "1", NULL, NULL, NULL));
    for (int i = 0; i < 1000 && atomic_load(&called) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    CHECK(atomic_load(&called) == 1);
    bgl_task *task;
    OK(bgl_tasks_next(tasks, &task));
    OK(bgl_task_free(task));
    bgl_list_options list = {.size = sizeof list, .label = "of a child"};
    OK(bgl_tasks_free(tasks));
    OK(bgl_list(ledger, &list, &tasks));
    int children = 0;
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task)), children++) {
        CHECK(bgl_task_status(task) == BGL_STATUS_CANCELLED);
        OK(bgl_task_free(task));
    }
    CHECK(children == FORKS);
    OK(bgl_subscription_free(subscription));
    OK(bgl_events_free(events));
    OK(bgl_tasks_free(tasks));
    OK(bgl_task_free(own));
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
