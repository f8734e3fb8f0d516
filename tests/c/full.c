/*
 * full FOLDER: no more handles can be had, or no memory. Whatever is refused for that reason did nothing and lost
 * nothing. The library of a debug build runs full on order.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <time.h>

static bgl_ledger *ledger;

static void order(const char *request)
{
    char *response;
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
}

static void is_full(void) { order("{\"handles\":{\"room\":0}}"); }
static void has_room(void) { order("{\"handles\":{}}"); }

static int counted(const char *label)
{
    bgl_tasks *tasks;
    bgl_task *task;
    bgl_list_options list = {.size = sizeof list, .label = label};
    int found = 0;
    OK(bgl_list(ledger, &list, &tasks));
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task)), found++)
        OK(bgl_task_free(task));
    OK(bgl_tasks_free(tasks));
    return found;
}

static void nothing_is_recorded_that_is_not_told(bgl_task *task)
{
    bgl_create_options create = {.size = sizeof create, .label = "untold"};
    bgl_progress_options progress = {.size = sizeof progress, .text = "untold"};
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_SUCCEEDED};
    bgl_settle_options settle = {.size = sizeof settle, .status = BGL_STATUS_LOST};
    const char *id = bgl_task_id(task);
    bgl_task *after = task;
    is_full();
    CODE(bgl_create(ledger, &create, NULL, &after), BGL_ERROR_INTERNAL);
    CHECK(strstr(bgl_errmsg(ledger), "too many open handles") != NULL && after == task);
    CODE(bgl_start(ledger, id, NULL, NULL, &after), BGL_ERROR_INTERNAL);
    CODE(bgl_progress(ledger, id, &progress, NULL, &after), BGL_ERROR_INTERNAL);
    CODE(bgl_finish(ledger, id, &finish, NULL, &after), BGL_ERROR_INTERNAL);
    CODE(bgl_settle(ledger, id, &settle, NULL, &after), BGL_ERROR_INTERNAL);
    CODE(bgl_request_cancel(ledger, id, NULL, NULL, &after), BGL_ERROR_INTERNAL);
    bgl_flow_create_options create_flow = {.size = sizeof create_flow, .goal = "untold", .controller = "full"};
    bgl_flow *flow = NULL;
    CODE(bgl_flow_create(ledger, &create_flow, NULL, &flow), BGL_ERROR_INTERNAL);
    /* Who wants no handle needs none. */
    create.label = "without a handle";
    OK(bgl_create(ledger, &create, NULL, NULL));
    has_room();
    CHECK(counted("untold") == 0 && counted("without a handle") == 1 && flow == NULL);
    OK(bgl_flow_create(ledger, &create_flow, NULL, &flow));
    CHECK(bgl_flow_number(flow) == 1);
    bgl_flow *moved = flow;
    is_full();
    CODE(bgl_flow_wait(ledger, "F1", 1, NULL, NULL, &moved), BGL_ERROR_INTERNAL);
    CODE(bgl_flow_cancel(ledger, "F1", NULL, NULL, &moved), BGL_ERROR_INTERNAL);
    CODE(bgl_flow_get(ledger, "F1", &moved), BGL_ERROR_INTERNAL);
    OK(bgl_flow_resume(ledger, "F1", 1, NULL, NULL, NULL));
    has_room();
    CHECK(moved == flow);
    OK(bgl_flow_get(ledger, "F1", &moved));
    CHECK(bgl_flow_revision(moved) == 2 && !bgl_flow_cancel_requested(moved));
    OK(bgl_flow_free(moved));
    OK(bgl_flow_free(flow));
    OK(bgl_get(ledger, id, &after));
    CHECK(bgl_task_revision(after) == bgl_task_revision(task) && bgl_task_status(after) == BGL_STATUS_QUEUED);
    OK(bgl_task_free(after));
}

static void nothing_is_skipped(bgl_task *task)
{
    bgl_tasks *tasks;
    bgl_flows *flows;
    bgl_events *events;
    bgl_notices *notices;
    bgl_flow *flow = NULL;
    bgl_task *listed = NULL;
    bgl_event *event = NULL;
    bgl_notice *notice = NULL;
    int64_t beginning = 0;
    const char *id[] = {bgl_task_id(task)};
    bgl_watch_options all = {.size = sizeof all, .after = &beginning};
    bgl_finish_options end = {.size = sizeof end, .status = BGL_STATUS_SUCCEEDED};
    bgl_create_options over = {.size = sizeof over, .label = "owes a notice", .run_id = "owes", .finish = &end};
    OK(bgl_create(ledger, &over, NULL, NULL));
    is_full();
    CODE(bgl_list(ledger, NULL, &tasks), BGL_ERROR_INTERNAL);
    CODE(bgl_flow_list(ledger, NULL, &flows), BGL_ERROR_INTERNAL);
    CODE(bgl_task_read(ledger, "owes", "owner:local", &listed), BGL_ERROR_INTERNAL); /* it is owed its notice still */
    CODE(bgl_wait(ledger, id, 1, NULL, &tasks), BGL_ERROR_INTERNAL); /* at once, not after the wait */
    CODE(bgl_watch(ledger, &all, &events), BGL_ERROR_INTERNAL);
    CODE(bgl_notices_claim(ledger, NULL, &notices), BGL_ERROR_INTERNAL);
    CODE(bgl_get(ledger, id[0], &listed), BGL_ERROR_INTERNAL);
    has_room();
    OK(bgl_list(ledger, NULL, &tasks));
    OK(bgl_flow_list(ledger, NULL, &flows));
    OK(bgl_watch(ledger, &all, &events));
    OK(bgl_notices_claim(ledger, NULL, &notices)); /* it was not claimed before */
    is_full();
    for (int i = 0; i < 3; i++) {
        CODE(bgl_tasks_next(tasks, &listed), BGL_ERROR_INTERNAL);
        CODE(bgl_flows_next(flows, &flow), BGL_ERROR_INTERNAL);
        CODE(bgl_events_next(events, 1000, &event), BGL_ERROR_INTERNAL);
        CODE(bgl_notices_next(notices, &notice), BGL_ERROR_INTERNAL);
    }
    CHECK(listed == NULL && flow == NULL && event == NULL && notice == NULL && bgl_events_cursor(events) == 0);
    has_room();
    OK(bgl_tasks_next(tasks, &listed));
    SAME(bgl_task_label(listed), "owes a notice");
    OK(bgl_flows_next(flows, &flow));
    CHECK(bgl_flow_number(flow) == 1);
    OK(bgl_events_next(events, 0, &event));
    CHECK(bgl_event_seq(event) == 1);
    OK(bgl_notices_next(notices, &notice));
    CHECK(notice != NULL);
    is_full();
    bgl_task *of_notice = NULL;
    CODE(bgl_notice_task(notice, &of_notice), BGL_ERROR_INTERNAL);
    has_room();
    OK(bgl_notice_free(notice));
    OK(bgl_event_free(event));
    OK(bgl_task_free(listed));
    OK(bgl_notices_free(notices));
    OK(bgl_events_free(events));
    OK(bgl_tasks_free(tasks));
    OK(bgl_flow_free(flow));
    OK(bgl_flows_free(flows));
}

static void gone(void *user_data, const bgl_task *task)
{
    (void)task;
    *(int *)user_data = 1; /* freed memory, if the callback had been left behind */
}

static void no_callback_is_left_behind(void)
{
    bgl_task *task;
    bgl_subscription *subscription;
    bgl_create_options create = {.size = sizeof create, .label = "not listened to", .start = 1};
    OK(bgl_create(ledger, &create, NULL, &task));
    int *data = malloc(sizeof *data);
    is_full();
    CODE(bgl_on_cancel(ledger, bgl_task_id(task), gone, data, &subscription), BGL_ERROR_INTERNAL);
    has_room();
    free(data);
    OK(bgl_request_cancel(ledger, bgl_task_id(task), NULL, NULL, NULL));
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    bgl_task *after;
    OK(bgl_get(ledger, bgl_task_id(task), &after));
    CHECK(bgl_task_cancel_told_at(after) == BGL_ABSENT); /* nobody was told */
    OK(bgl_task_free(after));
    OK(bgl_task_free(task));
}

static void a_response_without_memory_is_unknown(void)
{
    const char *request = "{\"create\":{\"label\":\"answered to nobody\"}}";
    char *response = NULL;
    size_t length = 7;
    order("{\"memory\":{\"room\":0}}");
    CODE(bgl_call(ledger, request, strlen(request), &response, &length), BGL_ERROR_UNKNOWN);
    CHECK(response == NULL && length == 7 && strstr(bgl_errmsg(ledger), "no memory") != NULL);
    CHECK(bgl_error_class(BGL_ERROR_UNKNOWN) == BGL_CLASS_UNKNOWN);
    CHECK(counted("answered to nobody") == 1); /* it had taken effect, and the code does not deny it */
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    bgl_task *task;
    bgl_create_options create = {.size = sizeof create, .label = "the first"};
    OK(bgl_create(ledger, &create, NULL, &task));
    nothing_is_recorded_that_is_not_told(task);
    nothing_is_skipped(task);
    no_callback_is_left_behind();
    a_response_without_memory_is_unknown();
    OK(bgl_task_free(task));
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
