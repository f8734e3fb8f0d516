/*
 * pruned FOLDER: what is told of tasks that are gone: a code of its own, notices that outlive their tasks, and a watch
 * that says what it could not tell.
 */
#include "check.h"

static bgl_ledger *ledger;

static void called(const char *request, const char *part)
{
    char *response;
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
    if (strstr(response, part) == NULL) {
        fprintf(stderr, "%s\n  answered %s\n  without %s\n", request, response, part);
        exit(1);
    }
    bgl_free(response);
}

static void never(void *user_data, const bgl_task *task)
{
    (void)user_data;
    (void)task;
    abort();
}

int main(int argc, char **argv)
{
    char path[4096], id[40];
    int64_t beginning = 0;
    bgl_task *task, *untouched = NULL;
    bgl_tasks *tasks = NULL;
    bgl_events *early, *late, *live, *one;
    bgl_event *event;
    bgl_subscription *subscription;
    bgl_notices *notices;
    bgl_notice *notice;
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    bgl_create_options create = {.size = sizeof create, .label = "goes", .session = "chat", .start = 1};
    OK(bgl_create(ledger, &create, NULL, &task));
    snprintf(id, sizeof id, "%s", bgl_task_id(task));
    OK(bgl_task_free(task));
    OK(bgl_on_cancel(ledger, id, never, NULL, &subscription));
    bgl_watch_options all = {.size = sizeof all, .after = &beginning};
    bgl_watch_options its = {.size = sizeof its, .after = &beginning, .lookup = id};
    OK(bgl_watch(ledger, &all, &early));
    OK(bgl_watch(ledger, &all, &late));
    OK(bgl_watch(ledger, &its, &one));
    OK(bgl_events_next(early, 0, &event));
    CHECK(bgl_event_seq(event) == 1 && !bgl_events_truncated(early));
    OK(bgl_event_free(event));
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_FAILED};
    OK(bgl_finish(ledger, id, &finish, NULL, NULL));
    create.label = "stays";
    OK(bgl_create(ledger, &create, NULL, NULL));
    OK(bgl_watch(ledger, NULL, &live));
    called("{\"prune\":{\"older_than\":\"0s\"}}", "\"tasks\":1,");

    /* Pruned is not the same as never there. */
    const char *lookups[] = {id};
    bgl_progress_options progress = {.size = sizeof progress};
    bgl_settle_options settle = {.size = sizeof settle, .status = BGL_STATUS_LOST};
    CODE(bgl_get(ledger, id, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_get(ledger, "1", &untouched), BGL_ERROR_PRUNED);
    CHECK(bgl_error_class(BGL_ERROR_PRUNED) == BGL_CLASS_NOT_FOUND);
    CHECK(strstr(bgl_errjson(ledger), "\"recorded_status\":\"failed\"") != NULL);
    CODE(bgl_task_read(ledger, id, "session:chat", &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_start(ledger, id, NULL, NULL, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_progress(ledger, id, &progress, NULL, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_heartbeat(ledger, id, NULL, NULL), BGL_ERROR_PRUNED);
    CODE(bgl_finish(ledger, id, &finish, NULL, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_settle(ledger, id, &settle, NULL, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_request_cancel(ledger, id, NULL, NULL, &untouched), BGL_ERROR_PRUNED);
    CODE(bgl_wait(ledger, lookups, 1, NULL, &tasks), BGL_ERROR_PRUNED);
    CHECK(untouched == NULL && tasks == NULL);
    OK(bgl_subscription_free(subscription));
    CODE(bgl_on_cancel(ledger, id, never, NULL, &subscription), BGL_ERROR_PRUNED);

    /* A watch that comes too late says so. This one had fetched two of the three events, and the other one none. */
    OK(bgl_events_next(early, 0, &event));
    SAME(bgl_event_type(event), "started");
    CHECK(!bgl_events_truncated(early) && bgl_event_number(event) == 1);
    OK(bgl_event_free(event));
    OK(bgl_events_next(early, 0, &event));
    CHECK(bgl_events_truncated(early) && bgl_event_number(event) == 2);
    OK(bgl_event_free(event));
    CHECK(!bgl_events_truncated(late)); /* it has not looked */
    OK(bgl_events_next(late, 0, &event));
    CHECK(bgl_events_truncated(late) && bgl_event_number(event) == 2);
    OK(bgl_event_free(event));
    OK(bgl_events_next(live, 0, &event));
    CHECK(event == NULL && !bgl_events_truncated(live));
    event = NULL;
    CODE(bgl_events_next(one, 0, &event), BGL_ERROR_PRUNED);
    CHECK(event == NULL);
    OK(bgl_events_free(early));
    OK(bgl_events_free(late));
    OK(bgl_events_free(live));
    OK(bgl_events_free(one));

    /* What nobody claimed is a dead letter, and tells of a task that is no longer there. */
    called("{\"notices\":{\"state\":[\"dead\"]}}", "\"task\":null");
    called("{\"notices_retry\":{\"notices\":[3]}}", "\"changed\":1");
    const char *recipient = "session:chat";
    bgl_notices_claim_options claim = {.size = sizeof claim, .recipients = &recipient, .recipient_count = 1};
    OK(bgl_notices_claim(ledger, &claim, &notices));
    OK(bgl_notices_next(notices, &notice));
    CHECK(bgl_notice_number(notice) == 1 && strstr(bgl_notice_message(notice), "goes") != NULL);
    untouched = (bgl_task *)&task;
    CODE(bgl_notice_task(notice, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_notice_task(notice, &untouched));
    CHECK(untouched == NULL);
    CHECK(bgl_task_label(untouched) == NULL && bgl_task_status(untouched) == 0); /* whom NULL may be handed to */
    const char *ids[] = {bgl_notice_id(notice)};
    OK(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, 1, NULL));
    OK(bgl_notice_free(notice));
    OK(bgl_notices_free(notices));
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
