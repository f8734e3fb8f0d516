/* calls FOLDER: a task's life through the typed calls, and everything that can be read of it. */
#include "check.h"

static bgl_ledger *ledger;

static bgl_task *created(const char *label, int start)
{
    bgl_task *task = NULL;
    bgl_create_options create = {.size = sizeof create, .label = label, .start = start};
    OK(bgl_create(ledger, &create, NULL, &task));
    return task;
}

static void nothing_is_there_before_the_first_record(void)
{
    bgl_task *task = (bgl_task *)&task;
    bgl_task *before = task;
    CODE(bgl_get(ledger, "1", &task), BGL_ERROR_NO_LEDGER);
    CHECK(task == before); /* outputs are written on success alone */
    CHECK(strstr(bgl_errmsg(ledger), "there is no ledger") != NULL);
    CHECK(strstr(bgl_errjson(ledger), "\"code\":\"no_ledger\"") != NULL);
    SAME(bgl_strerror(BGL_ERROR_NO_LEDGER), "no_ledger");
    CHECK(bgl_error_class(BGL_ERROR_NO_LEDGER) == BGL_CLASS_NOT_FOUND);
}

static void a_life(void)
{
    bgl_create_options create = {
        .size = sizeof create,
        .label = "read the feeds",
        .task = "all of them \xe2\x80\x93 twice",
        .run_id = "feeds-17",
        .session = "s-1",
        .requester_session = "s-0",
        .agent = "reader",
        .metadata_json = "{\"feeds\": 9, \"quick\": true}",
        .notify = "state_changes",
        .timeout_ms = 3600000,
    };
    uint32_t flags = 0;
    bgl_task *task;
    OK(bgl_create(ledger, &create, &flags, &task));
    CHECK(flags == (BGL_FLAG_CREATED | BGL_FLAG_CHANGED));
    CHECK(bgl_task_number(task) == 1);
    CHECK(strlen(bgl_task_id(task)) == 36);
    CHECK(bgl_task_status(task) == BGL_STATUS_QUEUED && !bgl_task_has_ended(task));
    SAME(bgl_task_status_word(task), "queued");
    SAME(bgl_task_label(task), "read the feeds");
    SAME(bgl_task_text(task), "all of them \xe2\x80\x93 twice");
    SAME(bgl_task_runtime(task), "subagent");
    SAME(bgl_task_run_id(task), "feeds-17");
    SAME(bgl_task_owner(task), "local");
    SAME(bgl_task_session(task), "s-1");
    SAME(bgl_task_requester_session(task), "s-0");
    SAME(bgl_task_agent(task), "reader");
    CHECK(bgl_task_key(task) == NULL && bgl_task_kind(task) == NULL && bgl_task_source_id(task) == NULL);
    CHECK(bgl_task_parent(task) == NULL && bgl_task_retry_of(task) == NULL);
    CHECK(bgl_task_requester_agent(task) == NULL && bgl_task_summary(task) == NULL);
    CHECK(bgl_task_attempt(task) == 0 && bgl_task_revision(task) == 1);
    CHECK(bgl_task_created_at(task) > 1600000000000 && bgl_task_updated_at(task) == bgl_task_created_at(task));
    CHECK(bgl_task_started_at(task) == BGL_ABSENT && bgl_task_ended_at(task) == BGL_ABSENT);
    CHECK(bgl_task_exit_code(task) == BGL_ABSENT && bgl_task_signal(task) == BGL_ABSENT);
    CHECK(strstr(bgl_task_json(task), "\"metadata\":{\"feeds\":9,\"quick\":true}") != NULL);
    CHECK(bgl_task_label(task) == bgl_task_label(task)); /* the same text each time */
    bgl_task_free(task);

    OK(bgl_create(ledger, &create, &flags, NULL));
    CHECK(flags == 0); /* it was there */
    create.label = "read other feeds";
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_EXISTS_WITH_DIFFERENT);
    CHECK(strstr(bgl_errjson(ledger), "\"fields\":[\"label\"]") != NULL);

    bgl_start_options start = {
        .size = sizeof start, .lease_ms = 60000, .fill_json = "{\"kind\": \"feeds\"}"};
    OK(bgl_start(ledger, "feeds-17", &start, &flags, &task));
    CHECK(flags == BGL_FLAG_CHANGED);
    CHECK(bgl_task_status(task) == BGL_STATUS_RUNNING && bgl_task_attempt(task) == 1);
    SAME(bgl_task_liveness(task), "alive"); /* this process is its executor */
    SAME(bgl_task_kind(task), "feeds");
    CHECK(bgl_task_lease_expires_at(task) == bgl_task_started_at(task) + 60000);
    bgl_task_free(task);

    int64_t done = 0, total = 9;
    bgl_progress_options progress = {
        .size = sizeof progress,
        .attempt = 1,
        .text = "the first feed",
        .current = &done,
        .total = &total,
        .unit = "feeds",
        .waiting_on = "input",
        .usage_json = "{\"tokens_in\": 5, \"cost\": {\"USD\": 12}}",
        .artifacts_json = "{\"notes\": {\"uri\": \"file:///notes\"}}",
    };
    OK(bgl_progress(ledger, "#1", &progress, &flags, &task));
    CHECK(flags == BGL_FLAG_CHANGED);
    SAME(bgl_task_progress_text(task), "the first feed");
    SAME(bgl_task_progress_unit(task), "feeds");
    SAME(bgl_task_waiting_on(task), "input");
    CHECK(bgl_task_progress_current(task) == 0 && bgl_task_progress_total(task) == 9);
    CHECK(bgl_task_progress_at(task) == bgl_task_updated_at(task));
    bgl_task_free(task);
    bgl_progress_options goes_on = {.size = sizeof goes_on, .waiting_on = ""};
    OK(bgl_progress(ledger, "1", &goes_on, NULL, &task));
    CHECK(bgl_task_waiting_on(task) == NULL);
    bgl_task_free(task);

    OK(bgl_heartbeat(ledger, "1", NULL, &flags));
    CHECK(!(flags & BGL_FLAG_CANCEL_REQUESTED));
    bgl_heartbeat_options stranger = {.size = sizeof stranger, .attempt = 2};
    CODE(bgl_heartbeat(ledger, "1", &stranger, &flags), BGL_ERROR_FENCED);

    int64_t exit_code = -3;
    bgl_finish_options finish = {
        .size = sizeof finish,
        .status = BGL_STATUS_FAILED,
        .attempt = 1,
        .reason = "exit_code",
        .error_type = "IOError",
        .error_message = "no such feed",
        .error_detail = "line 1\nline 2",
        .summary = "8 of 9",
        .result_json = "{\"articles\":  31}",
        .exit_code = &exit_code,
        .output_json = "{\"tail\": \"bye\"}",
    };
    OK(bgl_finish(ledger, "1", &finish, &flags, &task));
    CHECK(flags == BGL_FLAG_CHANGED);
    CHECK(bgl_task_status(task) == BGL_STATUS_FAILED && bgl_task_has_ended(task));
    SAME(bgl_task_reason(task), "exit_code");
    SAME(bgl_task_error_type(task), "IOError");
    SAME(bgl_task_error_message(task), "no such feed");
    SAME(bgl_task_error_detail(task), "line 1\nline 2");
    SAME(bgl_task_summary(task), "8 of 9");
    SAME(bgl_task_result_json(task), "{\"articles\":  31}"); /* as it was given */
    CHECK(bgl_task_exit_code(task) == -3 && bgl_task_outcome(task) == NULL);
    CHECK(bgl_task_ended_at(task) >= bgl_task_started_at(task) && bgl_task_heartbeat_at(task) > 0);
    bgl_task_free(task);
    OK(bgl_finish(ledger, "1", &finish, &flags, NULL));
    CHECK(flags == 0); /* the same end again */
    finish.status = BGL_STATUS_SUCCEEDED;
    finish.reason = NULL;
    CODE(bgl_finish(ledger, "1", &finish, NULL, NULL), BGL_ERROR_ALREADY_ENDED);
    CHECK(bgl_error_class(BGL_ERROR_ALREADY_ENDED) == BGL_CLASS_REFUSED);
}

static void cancel_tells_the_truth(void)
{
    bgl_task *task = created("to be cancelled", 1);
    bgl_cancel_options why = {.size = sizeof why, .by = "me", .why = "no longer needed"};
    int32_t answer = 0;
    uint32_t flags = 0;
    bgl_task *asked;
    OK(bgl_request_cancel(ledger, bgl_task_id(task), &why, &answer, &asked));
    CHECK(answer == BGL_CANCEL_ANSWER_REQUESTED);
    CHECK(bgl_task_cancel_requested(asked) && !bgl_task_cancel_requested(task)); /* a snapshot */
    OK(bgl_heartbeat(ledger, bgl_task_id(task), NULL, &flags));
    CHECK(flags & BGL_FLAG_CANCEL_REQUESTED);
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_CANCELLED};
    OK(bgl_finish(ledger, bgl_task_id(task), &finish, NULL, NULL));
    OK(bgl_request_cancel(ledger, bgl_task_id(task), NULL, &answer, NULL));
    CHECK(answer == BGL_CANCEL_ANSWER_ALREADY);
    bgl_task_free(task);
    bgl_task_free(asked);

    task = created("never started", 0);
    OK(bgl_request_cancel(ledger, bgl_task_id(task), NULL, &answer, NULL));
    CHECK(answer == BGL_CANCEL_ANSWER_CANCELLED);
    bgl_task_free(task);
}

static void an_operator_settles(void)
{
    bgl_task *task = created("nobody ends it", 1);
    bgl_settle_options settle = {
        .size = sizeof settle, .status = BGL_STATUS_LOST, .by = "operator", .why = "the machine is gone"};
    bgl_task *lost;
    OK(bgl_settle(ledger, bgl_task_id(task), &settle, NULL, &lost));
    CHECK(bgl_task_status(lost) == BGL_STATUS_LOST && bgl_task_has_ended(lost));
    SAME(bgl_task_reason(lost), "reported");
    bgl_task_free(task);
    bgl_task_free(lost);
}

static int count(const bgl_list_options *options)
{
    bgl_tasks *tasks;
    bgl_task *task;
    int found = 0;
    OK(bgl_list(ledger, options, &tasks));
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task))) {
        found++;
        OK(bgl_task_free(task));
    }
    OK(bgl_tasks_next(tasks, &task)); /* the end stays the end */
    CHECK(task == NULL);
    OK(bgl_tasks_free(tasks));
    return found;
}

static void lists_go_on_over_pages(void)
{
    int before = count(NULL);
    for (int i = 0; i < 600; i++) {
        bgl_create_options create = {.size = sizeof create, .label = "one of many", .runtime = "cron"};
        OK(bgl_create(ledger, &create, NULL, NULL));
    }
    CHECK(count(NULL) == before + 600);
    bgl_list_options many = {.size = sizeof many, .label = "one of many", .limit = 550};
    CHECK(count(&many) == 550);
    bgl_list_options cron = {.size = sizeof cron, .runtime = "cron", .statuses = 1 << BGL_STATUS_QUEUED};
    CHECK(count(&cron) == 600);
    cron.statuses = 1 << BGL_STATUS_FAILED | 1 << BGL_STATUS_LOST;
    CHECK(count(&cron) == 0);
    bgl_list_options failed = {.size = sizeof failed, .statuses = 1 << BGL_STATUS_FAILED, .session = "s-1"};
    CHECK(count(&failed) == 1);
    bgl_list_options by_metadata = {.size = sizeof by_metadata, .metadata_json = "{\"feeds\": 9}"};
    CHECK(count(&by_metadata) == 1);
    bgl_tasks *tasks;
    bgl_list_options wrong = {.size = sizeof wrong, .statuses = 1};
    CODE(bgl_list(ledger, &wrong, &tasks), BGL_ERROR_INVALID_VALUE);
}

static void waiting_ends_with_the_tasks(void)
{
    bgl_task *one = created("waited for", 1), *other = created("waited for, too", 1), *ended;
    const char *both[] = {bgl_task_id(one), bgl_task_id(other)};
    bgl_wait_options look = {.size = sizeof look, .no_wait = 1};
    bgl_wait_options moment = {.size = sizeof moment, .give_up_after_ms = 300};
    bgl_wait_options any = {.size = sizeof any, .any = 1};
    bgl_tasks *tasks;
    CODE(bgl_wait(ledger, both, 2, &look, &tasks), BGL_ERROR_WAIT_TIMED_OUT);
    CODE(bgl_wait(ledger, both, 2, &moment, &tasks), BGL_ERROR_WAIT_TIMED_OUT);
    CHECK(strstr(bgl_errjson(ledger), "\"awaited\":2") != NULL);
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_SUCCEEDED, .outcome = "no_result"};
    OK(bgl_finish(ledger, both[1], &finish, NULL, NULL));
    OK(bgl_wait(ledger, both, 2, &any, &tasks));
    OK(bgl_tasks_next(tasks, &ended));
    CHECK(bgl_task_status(ended) == BGL_STATUS_RUNNING);
    bgl_task_free(ended);
    OK(bgl_tasks_next(tasks, &ended));
    SAME(bgl_task_outcome(ended), "no_result");
    bgl_task_free(ended);
    bgl_tasks_free(tasks);
    CODE(bgl_wait(ledger, both, 0, NULL, &tasks), BGL_ERROR_INVALID_VALUE);
    OK(bgl_finish(ledger, both[0], &finish, NULL, NULL));
    OK(bgl_wait(ledger, both, 2, NULL, &tasks));
    bgl_tasks_free(tasks);
    bgl_task_free(one);
    bgl_task_free(other);
}

static void watching_sees_what_comes(void)
{
    bgl_events *events, *again;
    bgl_event *event;
    OK(bgl_watch(ledger, NULL, &events));
    uint64_t from = bgl_events_cursor(events);
    OK(bgl_events_next(events, 0, &event));
    CHECK(event == NULL);
    OK(bgl_events_next(events, 30, &event));
    CHECK(event == NULL);
    bgl_task *task = created("watched", 1);
    OK(bgl_events_next(events, -1, &event));
    SAME(bgl_event_type(event), "created");
    CHECK(bgl_event_seq(event) == from + 1 && bgl_events_cursor(events) == from + 1);
    CHECK(bgl_event_number(event) == bgl_task_number(task));
    SAME(bgl_event_id(event), bgl_task_id(task));
    CHECK(bgl_event_at(event) == bgl_task_created_at(task));
    CHECK(strstr(bgl_event_json(event), "\"type\":\"created\"") != NULL);
    OK(bgl_event_free(event));
    OK(bgl_events_next(events, 1000, &event));
    SAME(bgl_event_type(event), "started");
    bgl_event_free(event);
    int64_t beginning = 0;
    bgl_watch_options only = {.size = sizeof only, .lookup = bgl_task_id(task), .after = &beginning};
    OK(bgl_watch(ledger, &only, &again));
    OK(bgl_events_next(again, 0, &event));
    SAME(bgl_event_type(event), "created");
    bgl_event_free(event);
    bgl_task_free(task);
    OK(bgl_events_free(again));
    OK(bgl_events_free(events));
}

static void any_request_goes_through_bgl_call(void)
{
    const char *request = "{\"id\": 7, \"stats\": {}} and more";
    char *response;
    size_t length;
    OK(bgl_call(ledger, request, strlen("{\"id\": 7, \"stats\": {}}"), &response, &length));
    CHECK(strncmp(response, "{\"id\":7,\"ok\":{\"total\":", 22) == 0 && strlen(response) == length);
    bgl_free(response);
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
    CHECK(strstr(response, "\"code\":\"invalid_request\"") != NULL);
    bgl_free(response);
    bgl_free(NULL);
}

static void an_owner_sees_its_own(const char *path)
{
    bgl_open_options options = {.size = sizeof options, .owner = "somebody"};
    bgl_ledger *theirs;
    bgl_task *task;
    OK(bgl_open(path, &options, &theirs));
    CODE(bgl_get(theirs, "1", &task), BGL_ERROR_NOT_FOUND);
    CHECK(strstr(bgl_errmsg(theirs), "no task") != NULL);
    CHECK(strstr(bgl_errmsg(ledger), "no task") == NULL); /* each handle has its own last failure */
    options.readonly = 1;
    bgl_ledger *reads;
    OK(bgl_open(path, &options, &reads));
    bgl_create_options create = {.size = sizeof create, .label = "no"};
    CODE(bgl_create(reads, &create, NULL, NULL), BGL_ERROR_READ_ONLY);
    OK(bgl_close(reads));
    OK(bgl_close(theirs));
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    SAME(bgl_version(), BGL_VERSION);
    CHECK(bgl_abi_version() == BGL_ABI_VERSION);
    OK(bgl_open(path, NULL, &ledger));
    nothing_is_there_before_the_first_record();
    a_life();
    cancel_tells_the_truth();
    an_operator_settles();
    lists_go_on_over_pages();
    waiting_ends_with_the_tasks();
    watching_sees_what_comes();
    any_request_goes_through_bgl_call();
    an_owner_sees_its_own(path);
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
