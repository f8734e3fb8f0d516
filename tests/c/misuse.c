/*
 * misuse FOLDER: what a calling program can do wrong is answered with a code. Every pointer is NULL once, every handle
 * is closed, garbage and of another type once; sizes, lengths and texts are wrong.
 */
#include "check.h"

static bgl_ledger *ledger;
static bgl_task *task;
static bgl_tasks *tasks;
static bgl_events *events;
static bgl_event *event;
static bgl_subscription *subscription;
static bgl_notices *notices;
static bgl_notice *notice;
static bgl_flow *flow;
static bgl_flows *flows;
static char *response;

static void never(void *user_data, const bgl_task *cancelled)
{
    (void)user_data;
    (void)cancelled;
    abort();
}

static const char *const names[1] = {"1"};
static const char *const null_names[2] = {"1", NULL};

/* Every call that takes a handle on a ledger answers `code` for this one. */
static void ledger_calls(bgl_ledger *handle, int code)
{
    bgl_create_options create = {.size = sizeof create, .label = "x"};
    bgl_progress_options progress = {.size = sizeof progress};
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_SUCCEEDED};
    bgl_settle_options settle = {.size = sizeof settle, .status = BGL_STATUS_LOST};
    bgl_flow_create_options create_flow = {.size = sizeof create_flow, .goal = "x", .controller = "x"};
    CODE(bgl_call(handle, "{}", 2, &response, NULL), code);
    CODE(bgl_create(handle, &create, NULL, NULL), code);
    CODE(bgl_start(handle, "1", NULL, NULL, NULL), code);
    CODE(bgl_progress(handle, "1", &progress, NULL, NULL), code);
    CODE(bgl_heartbeat(handle, "1", NULL, NULL), code);
    CODE(bgl_finish(handle, "1", &finish, NULL, NULL), code);
    CODE(bgl_settle(handle, "1", &settle, NULL, NULL), code);
    CODE(bgl_request_cancel(handle, "1", NULL, NULL, NULL), code);
    CODE(bgl_get(handle, "1", &task), code);
    CODE(bgl_list(handle, NULL, &tasks), code);
    CODE(bgl_wait(handle, names, 1, NULL, &tasks), code);
    CODE(bgl_watch(handle, NULL, &events), code);
    CODE(bgl_on_cancel(handle, "1", never, NULL, &subscription), code);
    CODE(bgl_notices_claim(handle, NULL, &notices), code);
    CODE(bgl_notices_ack(handle, "x", names, 1, NULL), code);
    CODE(bgl_notices_nack(handle, "x", names, 1, "why", NULL), code);
    CODE(bgl_task_read(handle, "1", "session:x", &task), code);
    CODE(bgl_flow_create(handle, &create_flow, NULL, &flow), code);
    CODE(bgl_flow_wait(handle, "F1", 1, NULL, NULL, &flow), code);
    CODE(bgl_flow_resume(handle, "F1", 1, NULL, NULL, &flow), code);
    CODE(bgl_flow_finish(handle, "F1", 1, NULL, NULL, &flow), code);
    CODE(bgl_flow_fail(handle, "F1", 1, NULL, NULL, &flow), code);
    CODE(bgl_flow_cancel(handle, "F1", NULL, NULL, &flow), code);
    CODE(bgl_flow_get(handle, "F1", &flow), code);
    CODE(bgl_flow_list(handle, NULL, &flows), code);
    CODE(bgl_close(handle), code);
    CHECK(bgl_errmsg(handle)[0] != '\0');
}

/* What a flow's handle is asked is not answered for what is none. */
static void flow_calls(void *handle, int code)
{
    bgl_flow *f = handle;
    CODE(bgl_flow_free(f), code);
    CODE(bgl_flows_next(handle, &flow), code);
    CODE(bgl_flows_free(handle), code);
    CHECK(bgl_flow_number(f) == 0 && bgl_flow_status(f) == 0);
    CHECK(!bgl_flow_cancel_requested(f) && !bgl_flow_has_ended(f));
    CHECK(!bgl_flow_id(f) && !bgl_flow_status_word(f) && !bgl_flow_owner(f) && !bgl_flow_key(f));
    CHECK(!bgl_flow_mirrors(f) && !bgl_flow_controller(f) && !bgl_flow_goal(f) && !bgl_flow_step(f));
    CHECK(!bgl_flow_state_json(f) && !bgl_flow_wait_json(f) && !bgl_flow_blocked_task(f));
    CHECK(!bgl_flow_blocked_summary(f) && !bgl_flow_cancel_by(f) && !bgl_flow_cancel_why(f));
    CHECK(!bgl_flow_tasks_progress_json(f) && !bgl_flow_tasks_usage_json(f) && !bgl_flow_json(f));
    CHECK(bgl_flow_revision(f) == BGL_ABSENT && bgl_flow_created_at(f) == BGL_ABSENT);
    CHECK(bgl_flow_updated_at(f) == BGL_ABSENT && bgl_flow_ended_at(f) == BGL_ABSENT);
    CHECK(bgl_flow_cancel_requested_at(f) == BGL_ABSENT && bgl_flow_tasks_total(f) == BGL_ABSENT);
    CHECK(bgl_flow_tasks_active(f) == BGL_ABSENT);
    CHECK(bgl_flow_tasks_with_status(f, BGL_STATUS_RUNNING) == BGL_ABSENT);
}

/* Every call that takes another handle answers `code` for this one, or nothing. */
static void other_calls(void *handle, int code)
{
    bgl_task *t = handle;
    bgl_event *e = handle;
    CODE(bgl_task_free(t), code);
    CODE(bgl_tasks_next(handle, &task), code);
    CODE(bgl_tasks_free(handle), code);
    CODE(bgl_events_next(handle, 0, &event), code);
    CODE(bgl_events_free(handle), code);
    CODE(bgl_event_free(e), code);
    CODE(bgl_subscription_free(handle), code);
    CODE(bgl_notices_next(handle, &notice), code);
    CODE(bgl_notices_free(handle), code);
    CODE(bgl_notice_task(handle, &task), code);
    CODE(bgl_notice_free(handle), code);
    bgl_notice *n = handle;
    CHECK(!bgl_notices_token(handle) && !bgl_notice_id(n) && !bgl_notice_key(n) && !bgl_notice_type(n));
    CHECK(!bgl_notice_recipient(n) && !bgl_notice_message(n) && !bgl_notice_state(n) && !bgl_notice_consumer(n));
    CHECK(!bgl_notice_reason(n) && !bgl_notice_json(n) && !bgl_notice_seq(n) && !bgl_notice_number(n));
    CHECK(bgl_notice_generation(n) == BGL_ABSENT && bgl_notice_attempts(n) == BGL_ABSENT);
    CHECK(bgl_notice_due_at(n) == BGL_ABSENT);
    flow_calls(handle, code);
    CHECK(bgl_events_cursor(handle) == 0 && bgl_events_truncated(handle) == 0);
    CHECK(bgl_event_seq(e) == 0 && bgl_event_at(e) == 0 && bgl_event_number(e) == 0);
    CHECK(!bgl_event_type(e) && !bgl_event_id(e) && !bgl_event_json(e));
    CHECK(bgl_task_number(t) == 0 && bgl_task_status(t) == 0);
    CHECK(!bgl_task_cancel_requested(t) && !bgl_task_has_ended(t));
    CHECK(!bgl_task_id(t) && !bgl_task_status_word(t) && !bgl_task_outcome(t) && !bgl_task_reason(t));
    CHECK(!bgl_task_label(t) && !bgl_task_text(t) && !bgl_task_key(t) && !bgl_task_runtime(t));
    CHECK(!bgl_task_kind(t) && !bgl_task_source_id(t) && !bgl_task_run_id(t) && !bgl_task_owner(t));
    CHECK(!bgl_task_requester_session(t) && !bgl_task_session(t) && !bgl_task_agent(t) && !bgl_task_flow(t));
    CHECK(!bgl_task_requester_agent(t) && !bgl_task_parent(t) && !bgl_task_retry_of(t));
    CHECK(!bgl_task_waiting_on(t) && !bgl_task_progress_text(t) && !bgl_task_progress_unit(t));
    CHECK(!bgl_task_error_type(t) && !bgl_task_error_message(t) && !bgl_task_error_detail(t));
    CHECK(!bgl_task_summary(t) && !bgl_task_result_json(t) && !bgl_task_liveness(t) && !bgl_task_json(t));
    CHECK(bgl_task_progress_current(t) == BGL_ABSENT && bgl_task_progress_total(t) == BGL_ABSENT);
    CHECK(bgl_task_exit_code(t) == BGL_ABSENT && bgl_task_signal(t) == BGL_ABSENT);
    CHECK(bgl_task_created_at(t) == BGL_ABSENT && bgl_task_started_at(t) == BGL_ABSENT);
    CHECK(bgl_task_ended_at(t) == BGL_ABSENT && bgl_task_updated_at(t) == BGL_ABSENT);
    CHECK(bgl_task_heartbeat_at(t) == BGL_ABSENT && bgl_task_progress_at(t) == BGL_ABSENT);
    CHECK(bgl_task_lease_expires_at(t) == BGL_ABSENT && bgl_task_timeout_ms(t) == BGL_ABSENT);
    CHECK(bgl_task_cancel_requested_at(t) == BGL_ABSENT && bgl_task_cancel_told_at(t) == BGL_ABSENT);
    CHECK(bgl_task_queue_timeout_ms(t) == BGL_ABSENT && !bgl_task_root(t) && !bgl_task_notify(t));
    CHECK(!bgl_task_delivery(t) && !bgl_task_cancel_by(t) && !bgl_task_cancel_why(t) && !bgl_task_usage_json(t));
    CHECK(!bgl_task_metadata_json(t) && !bgl_task_artifacts_json(t) && !bgl_task_output_tail(t));
    CHECK(bgl_task_attempt(t) == BGL_ABSENT && bgl_task_revision(t) == BGL_ABSENT);
}

static void handles(const char *path)
{
    int on_stack = 0;
    ledger_calls(NULL, BGL_MISUSE_NULL_POINTER);
    other_calls(NULL, BGL_MISUSE_NULL_POINTER);
    void *garbage[] = {&on_stack, malloc(1), (void *)1, (void *)(uintptr_t)-1, (void *)0x1000001, (void *)0xffffff};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        ledger_calls(garbage[i], BGL_MISUSE_BAD_HANDLE);
        other_calls(garbage[i], BGL_MISUSE_BAD_HANDLE);
    }
    free(garbage[1]);

    bgl_ledger *closed;
    OK(bgl_open(path, NULL, &closed));
    bgl_task *found;
    OK(bgl_get(closed, "1", &found));
    ledger_calls((bgl_ledger *)found, BGL_MISUSE_BAD_HANDLE); /* of another type */
    other_calls(closed, BGL_MISUSE_BAD_HANDLE);
    OK(bgl_list(closed, NULL, &tasks));
    OK(bgl_watch(closed, NULL, &events));
    OK(bgl_on_cancel(closed, "1", never, NULL, &subscription));
    OK(bgl_close(closed));
    ledger_calls(closed, BGL_MISUSE_BAD_HANDLE);
    SAME(bgl_task_label(found), "the first"); /* a snapshot outlives its ledger */
    OK(bgl_task_free(found));
    other_calls(found, BGL_MISUSE_BAD_HANDLE);
    CODE(bgl_events_next(events, 1000, &event), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_events_free(events));
    OK(bgl_tasks_free(tasks));
    OK(bgl_subscription_free(subscription));

    /* A place that is used again is not the handle that it was. */
    bgl_ledger *next;
    OK(bgl_open(path, NULL, &next));
    CHECK(next != closed);
    CODE(bgl_close(closed), BGL_MISUSE_BAD_HANDLE);
    OK(bgl_close(next));
}

static void pointers(void)
{
    bgl_create_options create = {.size = sizeof create};
    CODE(bgl_open(NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_call(ledger, NULL, 0, &response, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_call(ledger, "{}", 2, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_create(ledger, NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CHECK(strstr(bgl_errmsg(ledger), "label") != NULL);
    CODE(bgl_start(ledger, NULL, NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_progress(ledger, "1", NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_heartbeat(ledger, NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_finish(ledger, "1", NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_settle(ledger, "1", NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_request_cancel(ledger, NULL, NULL, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_get(ledger, NULL, &task), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_get(ledger, "1", NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_task_read(ledger, "1", NULL, &task), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_task_read(ledger, NULL, "session:x", &task), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_task_read(ledger, "1", "session:x", NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_list(ledger, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_wait(ledger, NULL, 1, NULL, &tasks), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_wait(ledger, names, 1, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_wait(ledger, null_names, 2, NULL, &tasks), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_watch(ledger, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    bgl_notices_claim_options nobody = {.size = sizeof nobody, .recipient_count = 1};
    CODE(bgl_notices_claim(ledger, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_claim(ledger, &nobody, &notices), BGL_MISUSE_NULL_POINTER);
    nobody.recipients = &null_names[1];
    CODE(bgl_notices_claim(ledger, &nobody, &notices), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_ack(ledger, NULL, names, 1, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_ack(ledger, "x", NULL, 1, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_ack(ledger, "x", null_names, 2, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_nack(ledger, "x", names, 1, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_notices_claim(ledger, NULL, &notices));
    CODE(bgl_notices_next(notices, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_notices_free(notices));
    OK(bgl_list(ledger, NULL, &tasks));
    CODE(bgl_tasks_next(tasks, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_tasks_free(tasks));
    OK(bgl_watch(ledger, NULL, &events));
    CODE(bgl_events_next(events, 0, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_events_free(events));
    bgl_free(NULL);
}

static void sizes(const char *path)
{
    size_t wrong[] = {0, 1, 7, 9, 8192, (size_t)-1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bgl_open_options open = {.size = wrong[i]};
        bgl_create_options create = {.size = wrong[i], .label = "x"};
        bgl_list_options list = {.size = wrong[i]};
        bgl_start_options start = {.size = wrong[i]};
        bgl_progress_options progress = {.size = wrong[i]};
        bgl_heartbeat_options heartbeat = {.size = wrong[i]};
        bgl_finish_options finish = {.size = wrong[i]};
        bgl_settle_options settle = {.size = wrong[i]};
        bgl_cancel_options cancel = {.size = wrong[i]};
        bgl_wait_options wait = {.size = wrong[i]};
        bgl_watch_options watch = {.size = wrong[i]};
        bgl_notices_claim_options claim = {.size = wrong[i]};
        bgl_create_options over = {.size = sizeof over, .label = "x", .finish = &finish};
        bgl_flow_create_options create_flow = {.size = wrong[i]};
        bgl_flow_wait_options waits = {.size = wrong[i]};
        bgl_flow_resume_options goes_on = {.size = wrong[i]};
        bgl_flow_finish_options succeeds = {.size = wrong[i]};
        bgl_flow_fail_options fails = {.size = wrong[i]};
        bgl_flow_list_options list_flows = {.size = wrong[i]};
        bgl_ledger *opened;
        CODE(bgl_open(path, &open, &opened), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_create(ledger, &create, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_list(ledger, &list, &tasks), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_start(ledger, "1", &start, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_progress(ledger, "1", &progress, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_heartbeat(ledger, "1", &heartbeat, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_finish(ledger, "1", &finish, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_settle(ledger, "1", &settle, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_request_cancel(ledger, "1", &cancel, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_wait(ledger, names, 1, &wait, &tasks), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_watch(ledger, &watch, &events), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_notices_claim(ledger, &claim, &notices), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_create(ledger, &over, NULL, NULL), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_create(ledger, &create_flow, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_wait(ledger, "F1", 1, &waits, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_resume(ledger, "F1", 1, &goes_on, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_finish(ledger, "F1", 1, &succeeds, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_fail(ledger, "F1", 1, &fails, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_cancel(ledger, "F1", &cancel, NULL, &flow), BGL_MISUSE_BAD_SIZE);
        CODE(bgl_flow_list(ledger, &list_flows, &flows), BGL_MISUSE_BAD_SIZE);
    }
    /* A program of an older header: the members that it does not have are as if they were zero. */
    bgl_create_options older = {.size = offsetof(bgl_create_options, task), .label = "older", .task = "unseen"};
    OK(bgl_create(ledger, &older, NULL, &task));
    CHECK(bgl_task_text(task) == NULL);
    OK(bgl_task_free(task));
    /* One of a newer header: what this library does not know must not be asked for. */
    struct {
        bgl_create_options known;
        const char *unknown;
    } newer = {.known = {.size = sizeof newer, .label = "newer"}, .unknown = NULL};
    OK(bgl_create(ledger, &newer.known, NULL, NULL));
    newer.unknown = "please";
    CODE(bgl_create(ledger, &newer.known, NULL, NULL), BGL_MISUSE_BAD_SIZE);
}

static void lengths(void)
{
    CODE(bgl_call(ledger, "{}", (size_t)-1, &response, NULL), BGL_MISUSE_BAD_LENGTH);
    CODE(bgl_call(ledger, "{}", (size_t)1 << 63, &response, NULL), BGL_MISUSE_BAD_LENGTH);
    OK(bgl_call(ledger, "", 0, &response, NULL));
    CHECK(strstr(response, "invalid_request") != NULL);
    bgl_free(response);
    const char *few[] = {"1"};
    CODE(bgl_wait(ledger, few, (size_t)-1, NULL, &tasks), BGL_ERROR_TOO_LARGE);
    CODE(bgl_notices_ack(ledger, "x", few, (size_t)-1, NULL), BGL_ERROR_TOO_LARGE);
    CODE(bgl_notices_nack(ledger, "x", few, 1001, "why", NULL), BGL_ERROR_TOO_LARGE);
    bgl_notices_claim_options many = {.size = sizeof many, .recipients = few, .recipient_count = 1001};
    CODE(bgl_notices_claim(ledger, &many, &notices), BGL_ERROR_TOO_LARGE);
    many.recipient_count = -1;
    CODE(bgl_notices_claim(ledger, &many, &notices), BGL_ERROR_INVALID_VALUE);
    /* Exactly so many bytes are read: the sanitizer would see one more. */
    char *exact = malloc(12);
    memcpy(exact, "{\"stats\":{}}", 12);
    OK(bgl_call(ledger, exact, 12, &response, NULL));
    CHECK(strstr(response, "\"ok\"") != NULL);
    bgl_free(response);
    free(exact);
}

static void texts(const char *path)
{
    const char *bad = "caf\xe9";
    bgl_open_options open = {.size = sizeof open, .owner = bad};
    bgl_create_options create = {.size = sizeof create, .label = bad};
    bgl_progress_options progress = {.size = sizeof progress, .text = bad};
    bgl_ledger *opened;
    const char *lookups[] = {bad};
    CODE(bgl_open(path, &open, &opened), BGL_ERROR_INVALID_VALUE);
    CHECK(strstr(bgl_errmsg(NULL), "owner: not valid UTF-8 at byte 3") != NULL);
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_progress(ledger, "1", &progress, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_get(ledger, bad, &task), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_wait(ledger, lookups, 1, NULL, &tasks), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_call(ledger, "{\"\xff\":1}", 7, &response, NULL), BGL_ERROR_INVALID_REQUEST);
    create.label = "x";
    create.metadata_json = "{\"a\": [1]}";
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    CHECK(strstr(bgl_errmsg(ledger), "metadata_json") != NULL);
    open.owner = "";
    CODE(bgl_open(path, &open, &opened), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_open("", NULL, &opened), BGL_ERROR_BAD_PATH);
}

static void numbers(const char *path)
{
    int64_t minus = -1, large = INT64_MAX;
    bgl_open_options open = {.size = sizeof open, .readonly = 2};
    bgl_ledger *opened;
    CODE(bgl_open(path, &open, &opened), BGL_ERROR_INVALID_VALUE);
    bgl_create_options create = {.size = sizeof create, .label = "x", .start = 2};
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    create.start = 0;
    create.lease_ms = 1000; /* a lease without a start */
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    create.lease_ms = 0;
    create.timeout_ms = -5;
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    create.timeout_ms = 0;
    create.created_at = INT64_MAX;
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    bgl_progress_options progress = {.size = sizeof progress, .current = &minus};
    CODE(bgl_progress(ledger, "1", &progress, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    bgl_finish_options finish = {.size = sizeof finish, .status = 99};
    CODE(bgl_finish(ledger, "1", &finish, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    finish.status = BGL_STATUS_FAILED;
    finish.exit_code = &large;
    CODE(bgl_finish(ledger, "1", &finish, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    bgl_start_options start = {.size = sizeof start, .executor = "nobody"};
    CODE(bgl_start(ledger, "1", &start, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    bgl_heartbeat_options heartbeat = {.size = sizeof heartbeat, .attempt = -1};
    CODE(bgl_heartbeat(ledger, "1", &heartbeat, NULL), BGL_ERROR_INVALID_VALUE);
    /* Negative numbers mean nothing special in a struct, and one may not both wait and not wait. */
    bgl_wait_options wait = {.size = sizeof wait, .give_up_after_ms = -1};
    CODE(bgl_wait(ledger, names, 1, &wait, &tasks), BGL_ERROR_INVALID_VALUE);
    wait.give_up_after_ms = 1;
    wait.no_wait = 1;
    CODE(bgl_wait(ledger, names, 1, &wait, &tasks), BGL_ERROR_INVALID_VALUE);
    open.readonly = 0;
    open.busy_timeout_ms = -1;
    CODE(bgl_open(path, &open, &opened), BGL_ERROR_INVALID_VALUE);
    open.busy_timeout_ms = 1;
    open.no_wait = 1;
    CODE(bgl_open(path, &open, &opened), BGL_ERROR_INVALID_VALUE);
    open.busy_timeout_ms = 0;
    OK(bgl_open(path, &open, &opened));
    OK(bgl_close(opened));
    /* An end that is part of a creation is nobody's attempt. */
    bgl_finish_options end = {.size = sizeof end, .status = BGL_STATUS_FAILED, .attempt = 1};
    create.created_at = 0;
    create.finish = &end;
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    end.attempt = 0;
    end.nonce = "n";
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    end.nonce = NULL;
    end.status = BGL_STATUS_LOST;
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_INVALID_VALUE);
    bgl_notices_claim_options claim = {.size = sizeof claim, .limit = 1001};
    CODE(bgl_notices_claim(ledger, &claim, &notices), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_notices_ack(ledger, "x", (const char *[]){"not a notice"}, 1, NULL), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_notices_ack(ledger, "x", (const char *[]){"1/nobody"}, 1, NULL), BGL_ERROR_NO_NOTICE);
    bgl_watch_options watch = {.size = sizeof watch, .after = &minus};
    CODE(bgl_watch(ledger, &watch, &events), BGL_ERROR_INVALID_VALUE);
    CHECK(bgl_error_class(12345) == BGL_CLASS_NONE && bgl_error_class(-1) == BGL_CLASS_NONE);
    SAME(bgl_strerror(12345), "unknown_code");
}

/* What failed last is told for each handle, and cleaning up after it does not wipe it. */
static void messages(const char *path)
{
    bgl_ledger *other;
    OK(bgl_open(path, NULL, &other));
    SAME(bgl_errmsg(other), "");
    CODE(bgl_get(ledger, "gone-one", &task), BGL_ERROR_NOT_FOUND);
    CODE(bgl_get(other, "gone-two", &task), BGL_ERROR_NOT_FOUND);
    CODE(bgl_task_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_tasks_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_event_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_events_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notice_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flows_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_notices_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_subscription_free(NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_close(NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_get(ledger, "1", &task));
    OK(bgl_task_free(task));
    CHECK(strstr(bgl_errmsg(ledger), "gone-one") != NULL && strstr(bgl_errmsg(other), "gone-two") != NULL);
    CHECK(strstr(bgl_errjson(ledger), "gone-one") != NULL && strstr(bgl_errmsg(NULL), "gone-two") != NULL);
    for (uintptr_t i = 0; i < 8; i++)
        CODE(bgl_close((bgl_ledger *)(i + 1)), BGL_MISUSE_BAD_HANDLE);
    SAME(bgl_errmsg(ledger), ""); /* eight other handles are remembered */
    OK(bgl_close(other));
}

static void a_panic_stays_inside(void)
{
    const char *order = "{\"panic\":{}}";
    OK(bgl_call(ledger, "{\"stats\":{}}", 12, &response, NULL));
    bgl_free(response);
#ifdef FAULTS_ON_ORDER
    CODE(bgl_call(ledger, order, strlen(order), &response, NULL), BGL_ERROR_INTERNAL);
    CHECK(strstr(bgl_errmsg(ledger), "a panic: on order") != NULL);
#else
    OK(bgl_call(ledger, order, strlen(order), &response, NULL));
    CHECK(strstr(response, "\"code\":\"unknown_command\"") != NULL); /* what is installed knows no such order */
    bgl_free(response);
#endif
    CHECK(bgl_error_class(BGL_ERROR_INTERNAL) == BGL_CLASS_INTERNAL);
    OK(bgl_get(ledger, "1", &task)); /* and the ledger works on */
    OK(bgl_task_free(task));
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    SAME(bgl_errmsg(NULL), "");
    SAME(bgl_errjson(NULL), "");
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    bgl_create_options create = {.size = sizeof create, .label = "the first"};
    OK(bgl_create(ledger, &create, NULL, NULL));
    handles(path);
    pointers();
    sizes(path);
    lengths();
    texts(path);
    numbers(path);
    messages(path);
    a_panic_stays_inside();
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
