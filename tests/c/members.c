/*
 * members FOLDER: every member of every option struct is set once, each to a value of its own, and read back by the
 * accessor that is made for it.
 */
#include "check.h"
#include <unistd.h>

static bgl_ledger *ledger;
static const int64_t yesterday = 1767225600000; /* in the past, whenever this runs */

static bgl_task *shown(const char *lookup)
{
    bgl_task *task;
    OK(bgl_get(ledger, lookup, &task));
    return task;
}

/* The same object, whatever the order of its members: each part stands in the text. */
static void has(const char *json, const char *part)
{
    if (json == NULL || strstr(json, part) == NULL) {
        fprintf(stderr, "%s is not in %s\n", part, json ? json : "NULL");
        exit(1);
    }
}

static void a_creation(void)
{
    bgl_create_options create = {.size = sizeof create, .label = "the parent", .run_id = "parent"};
    OK(bgl_create(ledger, &create, NULL, NULL));
    create.label = "the first try";
    create.run_id = "first try";
    OK(bgl_create(ledger, &create, NULL, NULL));
    bgl_task *parent = shown("parent"), *first_try = shown("first try"), *task;

    bgl_create_options full = {
        .size = sizeof full,
        .label = "v-label",
        .task = "v-task",
        .key = "v-key",
        .runtime = "v-runtime",
        .kind = "v-kind",
        .source_id = "v-source",
        .run_id = "v-run",
        .owner = "v-owner",
        .requester_session = "v-requester-session",
        .session = "v-session",
        .agent = "v-agent",
        .requester_agent = "v-requester-agent",
        .parent = "parent",
        .retry_of = bgl_task_id(first_try),
        .metadata_json = "{\"v\": \"metadata\"}",
        .notify = "state_changes",
        .queue_timeout_ms = 1001,
        .timeout_ms = 1002,
        .created_at = yesterday + 1,
        .start = 1,
        .pid = getpid(),
        .lease_ms = 1003,
        .started_at = yesterday + 2,
    };
    OK(bgl_create(ledger, &full, NULL, &task));
    SAME(bgl_task_label(task), "v-label");
    SAME(bgl_task_text(task), "v-task");
    SAME(bgl_task_key(task), "v-key");
    SAME(bgl_task_runtime(task), "v-runtime");
    SAME(bgl_task_kind(task), "v-kind");
    SAME(bgl_task_source_id(task), "v-source");
    SAME(bgl_task_run_id(task), "v-run");
    SAME(bgl_task_owner(task), "v-owner");
    SAME(bgl_task_requester_session(task), "v-requester-session");
    SAME(bgl_task_session(task), "v-session");
    SAME(bgl_task_agent(task), "v-agent");
    SAME(bgl_task_requester_agent(task), "v-requester-agent");
    SAME(bgl_task_parent(task), bgl_task_id(parent));
    SAME(bgl_task_root(task), bgl_task_id(parent));
    SAME(bgl_task_retry_of(task), bgl_task_id(first_try));
    SAME(bgl_task_metadata_json(task), "{\"v\":\"metadata\"}");
    SAME(bgl_task_notify(task), "state_changes");
    CHECK(bgl_task_queue_timeout_ms(task) == 1001 && bgl_task_timeout_ms(task) == 1002);
    CHECK(bgl_task_created_at(task) == yesterday + 1 && bgl_task_started_at(task) == yesterday + 2);
    CHECK(bgl_task_status(task) == BGL_STATUS_RUNNING && bgl_task_attempt(task) == 1);
    has(bgl_task_json(task), "\"lease\":1003,");
    CHECK(bgl_task_lease_expires_at(task) > yesterday);
    char pid[32];
    snprintf(pid, sizeof pid, "\"pid\":%d,", (int)getpid());
    has(bgl_task_json(task), pid);
    CHECK(bgl_task_root(parent) == NULL && bgl_task_usage_json(parent) == NULL);
    SAME(bgl_task_metadata_json(parent), "{}");
    SAME(bgl_task_artifacts_json(parent), "{}");
    SAME(bgl_task_notify(parent), "done_only");
    SAME(bgl_task_delivery(parent), "not_applicable");
    CHECK(bgl_task_timeout_ms(parent) == BGL_ABSENT && bgl_task_queue_timeout_ms(parent) == BGL_ABSENT);
    CHECK(bgl_task_cancel_by(parent) == NULL && bgl_task_cancel_requested_at(parent) == BGL_ABSENT);
    CHECK(bgl_task_output_tail(parent) == NULL);
    bgl_task_free(task);

    /* A process group of a process that is named. The group must exist: this program's own. */
    bgl_create_options grouped = {
        .size = sizeof grouped, .label = "grouped", .start = 1, .pid = getpid(), .group = getpgrp()};
    OK(bgl_create(ledger, &grouped, NULL, &task));
    snprintf(pid, sizeof pid, "\"group\":{\"id\":%d,", (int)getpgrp());
    has(bgl_task_json(task), pid);
    bgl_task_free(task);
    bgl_create_options external = {.size = sizeof external, .label = "external", .start = 1, .executor = "external"};
    OK(bgl_create(ledger, &external, NULL, &task));
    CHECK(strstr(bgl_task_json(task), "\"pid\":") == NULL || strstr(bgl_task_json(task), "\"pid\":null") != NULL);
    bgl_task_free(task);
    bgl_task_free(parent);
    bgl_task_free(first_try);
}

static bgl_finish_options an_end(const int64_t *exit_code, const int64_t *signal)
{
    return (bgl_finish_options){
        .size = sizeof(bgl_finish_options),
        .status = BGL_STATUS_FAILED,
        .reason = "v-reason",
        .error_type = "v-error-type",
        .error_message = "v-error-message",
        .error_detail = "v-error-detail",
        .summary = "v-summary",
        .result_json = "{\"v\":  \"result\"}",
        .exit_code = exit_code,
        .signal = signal,
        .output_json = "{\"tail\": \"v-tail\", \"bytes\": 2001, \"truncated\": true}",
        .artifacts_json = "{\"v-artifact\": {\"uri\": \"v:uri\"}}",
        .usage_json = "{\"tokens_in\": 2002}",
        .ended_at = yesterday + 5,
    };
}

static void ended(const bgl_task *task)
{
    CHECK(bgl_task_status(task) == BGL_STATUS_FAILED && bgl_task_has_ended(task));
    SAME(bgl_task_status_word(task), "failed");
    SAME(bgl_task_reason(task), "v-reason");
    SAME(bgl_task_error_type(task), "v-error-type");
    SAME(bgl_task_error_message(task), "v-error-message");
    SAME(bgl_task_error_detail(task), "v-error-detail");
    SAME(bgl_task_summary(task), "v-summary");
    SAME(bgl_task_result_json(task), "{\"v\":  \"result\"}");
    CHECK(bgl_task_exit_code(task) == 2003 && bgl_task_signal(task) == 15);
    SAME(bgl_task_output_tail(task), "v-tail");
    has(bgl_task_json(task), "\"bytes\":2001,\"truncated\":true");
    has(bgl_task_artifacts_json(task), "\"v-artifact\":{\"uri\":\"v:uri\"");
    has(bgl_task_usage_json(task), "\"tokens_in\":2002");
    CHECK(bgl_task_ended_at(task) == yesterday + 5);
    SAME(bgl_task_delivery(task), "pending");
}

static void an_attempt(void)
{
    bgl_create_options create = {.size = sizeof create, .label = "attempted", .created_at = yesterday};
    bgl_task *task;
    OK(bgl_create(ledger, &create, NULL, &task));
    char id[40];
    snprintf(id, sizeof id, "%s", bgl_task_id(task));
    bgl_task_free(task);

    bgl_start_options start = {
        .size = sizeof start,
        .pid = getpid(),
        .group = getpgrp(),
        .lease_ms = 60001,
        .started_at = yesterday + 3,
        .fill_json = "{\"source_id\": \"filled-1\"}",
    };
    OK(bgl_start(ledger, id, &start, NULL, &task));
    CHECK(bgl_task_started_at(task) == yesterday + 3 && bgl_task_attempt(task) == 1);
    SAME(bgl_task_source_id(task), "filled-1");
    SAME(bgl_task_liveness(task), "alive");
    has(bgl_task_json(task), "\"lease\":60001,");
    bgl_task_free(task);

    int64_t current = 31, total = 32;
    bgl_progress_options progress = {
        .size = sizeof progress,
        .attempt = 1,
        .text = "v-text",
        .current = &current,
        .total = &total,
        .unit = "v-unit",
        .waiting_on = "external",
        .usage_json = "{\"tokens_out\": 33}",
        .artifacts_json = "{\"early\": {\"uri\": \"v:early\"}}",
        .lease_ms = 60002,
        .fill_json = "{\"kind\": \"filled-2\"}",
    };
    OK(bgl_progress(ledger, id, &progress, NULL, &task));
    SAME(bgl_task_progress_text(task), "v-text");
    SAME(bgl_task_progress_unit(task), "v-unit");
    SAME(bgl_task_waiting_on(task), "external");
    SAME(bgl_task_kind(task), "filled-2");
    CHECK(bgl_task_progress_current(task) == 31 && bgl_task_progress_total(task) == 32);
    has(bgl_task_usage_json(task), "\"tokens_out\":33");
    has(bgl_task_artifacts_json(task), "\"early\":{\"uri\":\"v:early\"");
    has(bgl_task_json(task), "\"lease\":60002,");
    CHECK(bgl_task_progress_at(task) > yesterday);
    int64_t revision = bgl_task_revision(task);
    bgl_task_free(task);

    bgl_progress_options stranger = {.size = sizeof stranger, .attempt = 1, .nonce = "somebody else's"};
    CODE(bgl_progress(ledger, id, &stranger, NULL, NULL), BGL_ERROR_FENCED);
    bgl_heartbeat_options heartbeat = {.size = sizeof heartbeat, .attempt = 1, .lease_ms = 60003};
    OK(bgl_heartbeat(ledger, id, &heartbeat, NULL));
    heartbeat.nonce = "somebody else's";
    CODE(bgl_heartbeat(ledger, id, &heartbeat, NULL), BGL_ERROR_FENCED);
    task = shown(id);
    has(bgl_task_json(task), "\"lease\":60003,");
    CHECK(bgl_task_heartbeat_at(task) > yesterday && bgl_task_revision(task) > revision);
    bgl_task_free(task);

    bgl_cancel_options cancel = {.size = sizeof cancel, .by = "v-by", .why = "v-why"};
    OK(bgl_request_cancel(ledger, id, &cancel, NULL, &task));
    SAME(bgl_task_cancel_by(task), "v-by");
    SAME(bgl_task_cancel_why(task), "v-why");
    CHECK(bgl_task_cancel_requested_at(task) > yesterday && bgl_task_cancel_told_at(task) == BGL_ABSENT);
    CHECK(bgl_task_cancel_requested(task));
    bgl_task_free(task);
    heartbeat.nonce = NULL;
    OK(bgl_heartbeat(ledger, id, &heartbeat, NULL));
    task = shown(id);
    CHECK(bgl_task_cancel_told_at(task) >= bgl_task_cancel_requested_at(task));
    bgl_task_free(task);

    int64_t exit_code = 2003, signal = 15;
    bgl_finish_options finish = an_end(&exit_code, &signal);
    finish.attempt = 1;
    finish.nonce = "somebody else's";
    CODE(bgl_finish(ledger, id, &finish, NULL, NULL), BGL_ERROR_FENCED);
    finish.nonce = NULL;
    finish.ended_at = yesterday + 2;
    CODE(bgl_finish(ledger, id, &finish, NULL, NULL), BGL_ERROR_TIME_ORDER);
    finish.ended_at = 4102444800000; /* the year 2100 */
    CODE(bgl_finish(ledger, id, &finish, NULL, NULL), BGL_ERROR_FUTURE_TIME);
    finish.ended_at = yesterday + 5;
    OK(bgl_finish(ledger, id, &finish, NULL, &task));
    ended(task);
    has(bgl_task_artifacts_json(task), "\"early\"");
    bgl_task_free(task);
}

/* An executor that a host names itself speaks by its nonce. */
static void a_nonce(void)
{
    const char *request = "{\"create\":{\"label\":\"named\",\"run_id\":\"named\",\"start\":"
                          "{\"executor\":{\"identity\":{\"nonce\":\"v-nonce\"}}}}}";
    char *response;
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
    has(response, "\"nonce\":\"v-nonce\"");
    bgl_free(response);
    bgl_progress_options progress = {.size = sizeof progress, .attempt = 1, .nonce = "v-nonce", .text = "on"};
    bgl_heartbeat_options heartbeat = {.size = sizeof heartbeat, .attempt = 1, .nonce = "v-nonce"};
    bgl_finish_options finish = {
        .size = sizeof finish, .status = BGL_STATUS_SUCCEEDED, .attempt = 1, .nonce = "v-nonce"};
    OK(bgl_progress(ledger, "named", &progress, NULL, NULL));
    OK(bgl_heartbeat(ledger, "named", &heartbeat, NULL));
    OK(bgl_finish(ledger, "named", &finish, NULL, NULL));
}

/* A host records work that is over already, in one call. */
static void work_that_is_over(void)
{
    int64_t exit_code = 2003, signal = 15;
    bgl_finish_options end = an_end(&exit_code, &signal);
    bgl_create_options create = {
        .size = sizeof create, .label = "over", .start = 1, .executor = "external", .created_at = yesterday + 1,
        .started_at = yesterday + 2, .finish = &end};
    uint32_t flags;
    bgl_task *task;
    OK(bgl_create(ledger, &create, &flags, &task));
    CHECK(flags & BGL_FLAG_CREATED);
    ended(task);
    CHECK(bgl_task_created_at(task) == yesterday + 1 && bgl_task_started_at(task) == yesterday + 2);
    bgl_task_free(task);
    bgl_finish_options success = {.size = sizeof success, .status = BGL_STATUS_SUCCEEDED, .outcome = "blocked"};
    bgl_create_options short_one = {.size = sizeof short_one, .label = "over, too", .finish = &success};
    OK(bgl_create(ledger, &short_one, NULL, &task));
    SAME(bgl_task_outcome(task), "blocked");
    CHECK(bgl_task_status(task) == BGL_STATUS_SUCCEEDED && bgl_task_exit_code(task) == BGL_ABSENT);
    bgl_task_free(task);
}

static void a_settlement(void)
{
    bgl_create_options create = {.size = sizeof create, .label = "settled", .created_at = yesterday};
    bgl_task *task, *settled;
    OK(bgl_create(ledger, &create, NULL, &task));
    bgl_settle_options settle = {
        .size = sizeof settle,
        .status = BGL_STATUS_FAILED,
        .reason = "s-reason",
        .by = "s-by",
        .why = "s-why",
        .error_type = "s-error-type",
        .error_message = "s-error-message",
        .error_detail = "s-error-detail",
        .summary = "s-summary",
        .result_json = "[\"s\"]",
        .ended_at = yesterday + 9,
    };
    OK(bgl_settle(ledger, bgl_task_id(task), &settle, NULL, &settled));
    SAME(bgl_task_reason(settled), "s-reason");
    SAME(bgl_task_error_type(settled), "s-error-type");
    SAME(bgl_task_error_message(settled), "s-error-message");
    SAME(bgl_task_error_detail(settled), "s-error-detail");
    SAME(bgl_task_summary(settled), "s-summary");
    SAME(bgl_task_result_json(settled), "[\"s\"]");
    CHECK(bgl_task_ended_at(settled) == yesterday + 9);
    char *history, request[96];
    snprintf(request, sizeof request, "{\"history\":{\"lookup\":\"%s\"}}", bgl_task_id(task));
    OK(bgl_call(ledger, request, strlen(request), &history, NULL));
    has(history, "\"by\":\"s-by\"");
    has(history, "\"why\":\"s-why\"");
    bgl_free(history);
    bgl_task_free(task);
    bgl_task_free(settled);
    create.label = "settled well";
    OK(bgl_create(ledger, &create, NULL, &task));
    bgl_settle_options well = {.size = sizeof well, .status = BGL_STATUS_SUCCEEDED, .outcome = "no_result"};
    OK(bgl_settle(ledger, bgl_task_id(task), &well, NULL, &settled));
    SAME(bgl_task_outcome(settled), "no_result");
    bgl_task_free(task);
    bgl_task_free(settled);
}

/* The labels of what a list finds, one after the other. */
static const char *found(bgl_list_options options)
{
    static char labels[4096];
    bgl_tasks *tasks;
    bgl_task *task;
    options.size = sizeof options;
    labels[0] = '\0';
    OK(bgl_list(ledger, &options, &tasks));
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task))) {
        strncat(labels, bgl_task_label(task), sizeof labels - strlen(labels) - 2);
        strcat(labels, ".");
        OK(bgl_task_free(task));
    }
    OK(bgl_tasks_free(tasks));
    return labels;
}

static void lists(void)
{
    for (int i = 0; i < 2; i++) {
        char value[3][32], metadata[64], label[32];
        snprintf(label, sizeof label, "listed %d", i);
        for (int j = 0; j < 3; j++)
            snprintf(value[j], sizeof value[j], "%c-%d", "rkx"[j], i);
        snprintf(metadata, sizeof metadata, "{\"list\": %d}", i);
        bgl_create_options create = {.size = sizeof create, .label = label, .runtime = value[0], .kind = value[1],
                                     .session = i ? "ls-1" : "ls-0", .agent = i ? "la-1" : "la-0",
                                     .run_id = value[2], .metadata_json = metadata,
                                     .parent = i ? "parent" : NULL, .task = i ? "needle one" : "needle two",
                                     .created_at = yesterday - 2000 + i * 1000};
        OK(bgl_create(ledger, &create, NULL, NULL));
    }
    SAME(found((bgl_list_options){.runtime = "r-1"}), "listed 1.");
    SAME(found((bgl_list_options){.kind = "k-0"}), "listed 0.");
    SAME(found((bgl_list_options){.session = "ls-1"}), "listed 1.");
    SAME(found((bgl_list_options){.agent = "la-0"}), "listed 0.");
    SAME(found((bgl_list_options){.label = "listed 1"}), "listed 1.");
    SAME(found((bgl_list_options){.run_id = "x-0"}), "listed 0.");
    SAME(found((bgl_list_options){.metadata_json = "{\"list\": 1}"}), "listed 1.");
    SAME(found((bgl_list_options){.until = yesterday - 1500}), "listed 0.");
    SAME(found((bgl_list_options){.since = yesterday - 1000, .until = yesterday}), "listed 1.");
    SAME(found((bgl_list_options){.search = "needle two"}), "listed 0.");
    SAME(found((bgl_list_options){.parent = "parent"}), "listed 1.v-label.");
    SAME(found((bgl_list_options){.statuses = 1 << BGL_STATUS_SUCCEEDED, .label = "over, too"}), "over, too.");
    SAME(found((bgl_list_options){.active = 1, .label = "over, too"}), "");
    SAME(found((bgl_list_options){.active = 1, .label = "grouped"}), "grouped.");
    SAME(found((bgl_list_options){.limit = 1}), "listed 1.");
    bgl_tasks *tasks;
    bgl_list_options nobody = {.size = sizeof nobody, .parent = "nobody"};
    CODE(bgl_list(ledger, &nobody, &tasks), BGL_ERROR_NOT_FOUND);
}

static void handles_of_all_kinds(const char *path)
{
    /* What an opening says is the default of what is recorded through it. */
    bgl_open_options open = {.size = sizeof open, .owner = "o-owner", .runtime = "o-runtime", .executor = "external",
                             .durability = "relaxed", .busy_timeout_ms = 1000, .allow_network_fs = 1};
    bgl_ledger *theirs;
    bgl_task *task;
    OK(bgl_open(path, &open, &theirs));
    bgl_create_options create = {.size = sizeof create, .label = "theirs", .start = 1};
    OK(bgl_create(theirs, &create, NULL, &task));
    SAME(bgl_task_owner(task), "o-owner");
    SAME(bgl_task_runtime(task), "o-runtime");
    CHECK(strstr(bgl_task_json(task), "\"pid\":") == NULL || strstr(bgl_task_json(task), "\"pid\":null") != NULL);
    OK(bgl_task_free(task));
    OK(bgl_close(theirs));
    bgl_open_options readonly = {.size = sizeof readonly, .readonly = 1};
    OK(bgl_open(path, &readonly, &theirs));
    CODE(bgl_create(theirs, &create, NULL, NULL), BGL_ERROR_READ_ONLY);
    OK(bgl_close(theirs));
    bgl_open_options scripted = {.size = sizeof scripted, .test_clock = 1};
    OK(bgl_open(path, &scripted, &theirs));
    CODE(bgl_get(theirs, "1", &task), BGL_ERROR_INVALID_REQUEST);
    OK(bgl_close(theirs));
    open.durability = "sometimes";
    CODE(bgl_open(path, &open, &theirs), BGL_ERROR_INVALID_VALUE);
}

int main(int argc, char **argv)
{
    /* Whoever started us may have left a process group without its leader: this one has its leader in us. */
    CHECK(setpgid(0, 0) == 0);
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    a_creation();
    an_attempt();
    a_nonce();
    work_that_is_over();
    a_settlement();
    lists();
    handles_of_all_kinds(path);
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
