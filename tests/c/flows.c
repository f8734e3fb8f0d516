/*
 * flows FOLDER: the life of flows, of the tasks that belong to them, and what is refused: each refusal has a code of
 * its own and leaves the outputs alone.
 */
#include "check.h"

static bgl_ledger *ledger;

static bgl_flow *made(const char *goal, int running)
{
    bgl_flow *flow;
    bgl_flow_create_options create = {
        .size = sizeof create, .goal = goal, .controller = "the host", .running = running};
    OK(bgl_flow_create(ledger, &create, NULL, &flow));
    return flow;
}

static bgl_flow *shown(const bgl_flow *flow)
{
    bgl_flow *now;
    OK(bgl_flow_get(ledger, bgl_flow_id(flow), &now));
    return now;
}

static bgl_task *joined(const char *label, const bgl_flow *flow, const char *parent)
{
    bgl_task *task;
    bgl_create_options create = {.size = sizeof create, .label = label, .parent = parent, .start = 1,
                                 .flow = flow == NULL ? NULL : bgl_flow_id(flow)};
    OK(bgl_create(ledger, &create, NULL, &task));
    return task;
}

static void ends(const bgl_task *task)
{
    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_SUCCEEDED};
    OK(bgl_finish(ledger, bgl_task_id(task), &finish, NULL, NULL));
}

static void a_creation(void)
{
    bgl_flow_create_options create = {
        .size = sizeof create, .goal = "v-goal", .controller = "v-controller", .key = "v-key", .owner = "v-owner",
        .running = 1, .step = "v-step", .state_json = "{\"v\":  \"state\"}"};
    uint32_t flags;
    bgl_flow *flow, *again;
    OK(bgl_flow_create(ledger, &create, &flags, &flow));
    CHECK(flags == (BGL_FLAG_CREATED | BGL_FLAG_CHANGED));
    CHECK(bgl_flow_number(flow) == 1 && bgl_flow_revision(flow) == 1);
    CHECK(bgl_flow_status(flow) == BGL_FLOW_STATUS_RUNNING);
    SAME(bgl_flow_status_word(flow), "running");
    SAME(bgl_flow_goal(flow), "v-goal");
    SAME(bgl_flow_controller(flow), "v-controller");
    SAME(bgl_flow_key(flow), "v-key");
    SAME(bgl_flow_owner(flow), "v-owner");
    SAME(bgl_flow_step(flow), "v-step");
    SAME(bgl_flow_state_json(flow), "{\"v\":  \"state\"}");
    CHECK(bgl_flow_wait_json(flow) == NULL && bgl_flow_mirrors(flow) == NULL);
    CHECK(bgl_flow_blocked_task(flow) == NULL && bgl_flow_blocked_summary(flow) == NULL);
    CHECK(!bgl_flow_cancel_requested(flow) && bgl_flow_cancel_by(flow) == NULL && bgl_flow_cancel_why(flow) == NULL);
    CHECK(bgl_flow_cancel_requested_at(flow) == BGL_ABSENT);
    CHECK(!bgl_flow_has_ended(flow) && bgl_flow_ended_at(flow) == BGL_ABSENT);
    CHECK(bgl_flow_created_at(flow) > 0 && bgl_flow_updated_at(flow) == bgl_flow_created_at(flow));
    CHECK(bgl_flow_tasks_total(flow) == 0 && bgl_flow_tasks_active(flow) == 0);
    CHECK(bgl_flow_tasks_with_status(flow, BGL_STATUS_RUNNING) == 0);
    CHECK(bgl_flow_tasks_with_status(flow, 99) == BGL_ABSENT && bgl_flow_tasks_with_status(flow, -1) == BGL_ABSENT);
    SAME(bgl_flow_tasks_progress_json(flow), "[]");
    CHECK(bgl_flow_tasks_usage_json(flow) == NULL);
    CHECK(strstr(bgl_flow_json(flow), "\"goal\":\"v-goal\"") != NULL);

    /* Asked for again it is there, and whoever says something else under its key is told. */
    OK(bgl_flow_create(ledger, &create, &flags, &again));
    CHECK(flags == 0 && bgl_flow_number(again) == 1);
    SAME(bgl_flow_id(again), bgl_flow_id(flow));
    OK(bgl_flow_free(again));
    again = flow;
    flags = 77;
    create.goal = "another";
    CODE(bgl_flow_create(ledger, &create, &flags, &again), BGL_ERROR_FLOW_EXISTS_WITH_DIFFERENT);
    CHECK(flags == 77 && again == flow);

    /* Found by its number and by its owner. */
    OK(bgl_flow_get(ledger, "F1", &again));
    SAME(bgl_flow_id(again), bgl_flow_id(flow));
    OK(bgl_flow_free(again));
    OK(bgl_flow_get(ledger, "owner:v-owner", &again));
    SAME(bgl_flow_id(again), bgl_flow_id(flow));
    OK(bgl_flow_free(again));
    OK(bgl_flow_free(flow));
}

static void a_life(void)
{
    bgl_flow *flow = made("lives", 0), *next, *untouched;
    char id[40];
    uint32_t flags = 0;
    snprintf(id, sizeof id, "%s", bgl_flow_id(flow));
    CHECK(bgl_flow_status(flow) == BGL_FLOW_STATUS_QUEUED);
    OK(bgl_flow_free(flow));

    /* What is NULL stays, what is empty goes. */
    bgl_flow_wait_options wait = {.size = sizeof wait, .step = "asking", .state_json = "{\"a\": 1}",
                                  .wait_json = "{\"for\": \"an answer\"}"};
    OK(bgl_flow_wait(ledger, id, 1, &wait, &flags, &next));
    CHECK(flags == BGL_FLAG_CHANGED && bgl_flow_revision(next) == 2);
    CHECK(bgl_flow_status(next) == BGL_FLOW_STATUS_WAITING);
    SAME(bgl_flow_step(next), "asking");
    SAME(bgl_flow_state_json(next), "{\"a\": 1}");
    SAME(bgl_flow_wait_json(next), "{\"for\": \"an answer\"}");
    OK(bgl_flow_free(next));
    OK(bgl_flow_wait(ledger, id, 2, NULL, NULL, &next));
    SAME(bgl_flow_step(next), "asking");
    SAME(bgl_flow_state_json(next), "{\"a\": 1}");
    SAME(bgl_flow_wait_json(next), "{\"for\": \"an answer\"}");
    OK(bgl_flow_free(next));
    bgl_flow_wait_options clears = {.size = sizeof clears, .step = "", .state_json = "", .wait_json = " null "};
    OK(bgl_flow_wait(ledger, id, 3, &clears, NULL, &next));
    CHECK(bgl_flow_step(next) == NULL && bgl_flow_state_json(next) == NULL && bgl_flow_wait_json(next) == NULL);
    OK(bgl_flow_free(next));

    /* Whoever has not seen the newest is told what is recorded. */
    untouched = NULL;
    flags = 77;
    CODE(bgl_flow_resume(ledger, id, 3, NULL, &flags, &untouched), BGL_ERROR_REVISION_CONFLICT);
    CODE(bgl_flow_finish(ledger, id, 0, NULL, &flags, &untouched), BGL_ERROR_REVISION_CONFLICT);
    CODE(bgl_flow_fail(ledger, id, 5, NULL, &flags, &untouched), BGL_ERROR_REVISION_CONFLICT);
    CODE(bgl_flow_wait(ledger, id, 3, NULL, &flags, &untouched), BGL_ERROR_REVISION_CONFLICT);
    CHECK(flags == 77 && untouched == NULL && strstr(bgl_errjson(ledger), "\"recorded\":4") != NULL);
    CHECK(bgl_error_class(BGL_ERROR_REVISION_CONFLICT) == BGL_CLASS_REFUSED);

    bgl_flow_resume_options resume = {.size = sizeof resume, .running = 1, .step = "going on", .state_json = "[2]"};
    OK(bgl_flow_resume(ledger, id, 4, &resume, NULL, &next));
    CHECK(bgl_flow_status(next) == BGL_FLOW_STATUS_RUNNING && bgl_flow_revision(next) == 5);
    SAME(bgl_flow_step(next), "going on");
    SAME(bgl_flow_state_json(next), "[2]");
    OK(bgl_flow_free(next));
    bgl_flow_finish_options finish = {.size = sizeof finish, .step = "done", .state_json = "3"};
    OK(bgl_flow_finish(ledger, id, 5, &finish, &flags, &next));
    CHECK(flags == BGL_FLAG_CHANGED && bgl_flow_status(next) == BGL_FLOW_STATUS_SUCCEEDED);
    CHECK(bgl_flow_has_ended(next) && bgl_flow_ended_at(next) == bgl_flow_updated_at(next));
    SAME(bgl_flow_step(next), "done");
    SAME(bgl_flow_state_json(next), "3");
    OK(bgl_flow_free(next));

    /* The same end again changes nothing; another one is refused. */
    OK(bgl_flow_finish(ledger, id, 5, NULL, &flags, &next));
    CHECK(flags == 0 && bgl_flow_revision(next) == 6);
    OK(bgl_flow_free(next));
    CODE(bgl_flow_fail(ledger, id, 6, NULL, NULL, &untouched), BGL_ERROR_FLOW_ENDED);
    CODE(bgl_flow_resume(ledger, id, 6, NULL, NULL, &untouched), BGL_ERROR_FLOW_ENDED);
    CODE(bgl_flow_wait(ledger, id, 6, NULL, NULL, &untouched), BGL_ERROR_FLOW_ENDED);
    bgl_create_options late = {.size = sizeof late, .label = "too late", .flow = id};
    CODE(bgl_create(ledger, &late, NULL, NULL), BGL_ERROR_FLOW_ENDED);
    int32_t answer = 0;
    OK(bgl_flow_cancel(ledger, id, NULL, &answer, NULL));
    CHECK(answer == BGL_CANCEL_ANSWER_ALREADY && untouched == NULL);
}

static void something_stands_in_its_way(void)
{
    bgl_flow *flow = made("is blocked", 1), *next;
    bgl_task *task = joined("stands in the way", flow, NULL);
    bgl_flow_wait_options wait = {
        .size = sizeof wait, .blocked_task = bgl_task_id(task), .blocked_summary = "it asks for more"};
    OK(bgl_flow_wait(ledger, bgl_flow_id(flow), 1, &wait, NULL, &next));
    CHECK(bgl_flow_status(next) == BGL_FLOW_STATUS_BLOCKED);
    SAME(bgl_flow_blocked_task(next), bgl_task_id(task));
    SAME(bgl_flow_blocked_summary(next), "it asks for more");
    OK(bgl_flow_free(next));
    OK(bgl_flow_resume(ledger, bgl_flow_id(flow), 2, NULL, NULL, &next));
    CHECK(bgl_flow_status(next) == BGL_FLOW_STATUS_QUEUED && bgl_flow_blocked_task(next) == NULL);
    OK(bgl_flow_free(next));
    bgl_flow_fail_options fail = {.size = sizeof fail, .step = "the last", .state_json = "{}",
                                  .blocked_task = bgl_task_id(task), .blocked_summary = "it asked for too much"};
    OK(bgl_flow_fail(ledger, bgl_flow_id(flow), 3, &fail, NULL, &next));
    CHECK(bgl_flow_status(next) == BGL_FLOW_STATUS_FAILED);
    SAME(bgl_flow_step(next), "the last");
    SAME(bgl_flow_state_json(next), "{}");
    SAME(bgl_flow_blocked_task(next), bgl_task_id(task));
    SAME(bgl_flow_blocked_summary(next), "it asked for too much");
    ends(task);
    OK(bgl_flow_free(next));
    OK(bgl_flow_free(flow));
    OK(bgl_task_free(task));
}

static int tasks_of(const char *flow)
{
    bgl_tasks *tasks;
    bgl_task *task;
    int count = 0;
    bgl_list_options list = {.size = sizeof list, .flow = flow};
    OK(bgl_list(ledger, &list, &tasks));
    for (OK(bgl_tasks_next(tasks, &task)); task != NULL; OK(bgl_tasks_next(tasks, &task)), count++)
        OK(bgl_task_free(task));
    OK(bgl_tasks_free(tasks));
    return count;
}

static void tasks_belong_to_it(void)
{
    bgl_flow *flow = made("has tasks", 1), *now;
    bgl_task *one = joined("a task", flow, NULL), *child = joined("a child", NULL, bgl_task_id(one)), *late;
    SAME(bgl_task_flow(one), bgl_flow_id(flow));
    SAME(bgl_task_flow(child), bgl_flow_id(flow)); /* its parent's */
    bgl_create_options create = {.size = sizeof create, .label = "joins late"};
    OK(bgl_create(ledger, &create, NULL, &late));
    CHECK(bgl_task_flow(late) == NULL);
    char id[40], fill[64];
    snprintf(id, sizeof id, "%s", bgl_task_id(late));
    OK(bgl_task_free(late));
    snprintf(fill, sizeof fill, "{\"flow\": \"%s\"}", bgl_flow_id(flow));
    bgl_start_options start = {.size = sizeof start, .fill_json = fill};
    OK(bgl_start(ledger, id, &start, NULL, &late));
    SAME(bgl_task_flow(late), bgl_flow_id(flow));
    int64_t current = 2, total = 5;
    bgl_progress_options progress = {.size = sizeof progress, .current = &current, .total = &total, .unit = "pages",
                                     .usage_json = "{\"tokens_in\": 11}"};
    OK(bgl_progress(ledger, id, &progress, NULL, NULL));
    ends(child);
    now = shown(flow);
    CHECK(bgl_flow_tasks_total(now) == 3 && bgl_flow_tasks_active(now) == 2);
    CHECK(bgl_flow_tasks_with_status(now, BGL_STATUS_RUNNING) == 2);
    CHECK(bgl_flow_tasks_with_status(now, BGL_STATUS_SUCCEEDED) == 1);
    CHECK(strstr(bgl_flow_tasks_progress_json(now), "{\"unit\":\"pages\",\"current\":2,\"total\":5}") != NULL);
    CHECK(strstr(bgl_flow_tasks_usage_json(now), "\"tokens_in\":11") != NULL);
    CHECK(bgl_flow_revision(now) == 1); /* what its tasks do moves nothing of it */
    CHECK(tasks_of(bgl_flow_id(flow)) == 3);
    OK(bgl_flow_free(now));
    ends(one);
    ends(late);
    OK(bgl_task_free(one));
    OK(bgl_task_free(child));
    OK(bgl_task_free(late));
    OK(bgl_flow_free(flow));
}

static void cancel_waits_for_the_last_active_task(void)
{
    bgl_flow *flow = made("is cancelled", 1), *now, *untouched = NULL;
    bgl_task *task = joined("goes on for a while", flow, NULL), *found;
    bgl_cancel_options cancel = {.size = sizeof cancel, .by = "v-by", .why = "v-why"};
    int32_t answer = 0;
    uint32_t flags = 0;
    OK(bgl_flow_cancel(ledger, bgl_flow_id(flow), &cancel, &answer, &now));
    CHECK(answer == BGL_CANCEL_ANSWER_REQUESTED && bgl_flow_cancel_requested(now) && !bgl_flow_has_ended(now));
    SAME(bgl_flow_cancel_by(now), "v-by");
    SAME(bgl_flow_cancel_why(now), "v-why");
    CHECK(bgl_flow_cancel_requested_at(now) >= bgl_flow_created_at(now) && bgl_flow_tasks_active(now) == 1);
    int64_t revision = bgl_flow_revision(now);
    OK(bgl_flow_free(now));
    OK(bgl_get(ledger, bgl_task_id(task), &found));
    CHECK(bgl_task_cancel_requested(found) && bgl_task_status(found) == BGL_STATUS_RUNNING);
    OK(bgl_task_free(found));

    bgl_create_options create = {.size = sizeof create, .label = "not any more", .flow = bgl_flow_id(flow)};
    found = task;
    flags = 77;
    CODE(bgl_create(ledger, &create, &flags, &found), BGL_ERROR_FLOW_CANCEL_REQUESTED);
    CHECK(found == task && flags == 77);
    CODE(bgl_flow_wait(ledger, bgl_flow_id(flow), revision, NULL, NULL, &untouched), BGL_ERROR_FLOW_CANCEL_REQUESTED);
    CODE(bgl_flow_resume(ledger, bgl_flow_id(flow), revision, NULL, NULL, &untouched),
         BGL_ERROR_FLOW_CANCEL_REQUESTED);
    CHECK(untouched == NULL);

    bgl_finish_options finish = {.size = sizeof finish, .status = BGL_STATUS_CANCELLED};
    OK(bgl_finish(ledger, bgl_task_id(task), &finish, NULL, NULL));
    now = shown(flow);
    CHECK(bgl_flow_status(now) == BGL_FLOW_STATUS_CANCELLED && bgl_flow_has_ended(now));
    OK(bgl_flow_free(now));
    OK(bgl_flow_cancel(ledger, bgl_flow_id(flow), NULL, &answer, NULL));
    CHECK(answer == BGL_CANCEL_ANSWER_ALREADY);
    OK(bgl_task_free(task));
    OK(bgl_flow_free(flow));

    flow = made("is cancelled at once", 0);
    OK(bgl_flow_cancel(ledger, bgl_flow_id(flow), NULL, &answer, NULL));
    CHECK(answer == BGL_CANCEL_ANSWER_CANCELLED);
    OK(bgl_flow_free(flow));
}

static void one_follows_a_task(void)
{
    bgl_task *task = joined("is followed", NULL, NULL);
    bgl_flow_create_options mirror = {.size = sizeof mirror, .mirrors = bgl_task_id(task)};
    bgl_flow *flow, *again, *untouched = NULL;
    uint32_t flags;
    OK(bgl_flow_create(ledger, &mirror, NULL, &flow));
    SAME(bgl_flow_mirrors(flow), bgl_task_id(task));
    SAME(bgl_flow_goal(flow), "is followed");
    CHECK(bgl_flow_controller(flow) == NULL && bgl_flow_status(flow) == BGL_FLOW_STATUS_RUNNING);
    OK(bgl_flow_create(ledger, &mirror, &flags, &again));
    CHECK(flags == 0 && bgl_flow_number(again) == bgl_flow_number(flow));
    OK(bgl_flow_free(again));
    CODE(bgl_flow_finish(ledger, bgl_flow_id(flow), 1, NULL, NULL, &untouched), BGL_ERROR_FLOW_MIRRORED);
    bgl_create_options create = {.size = sizeof create, .label = "gets no others", .flow = bgl_flow_id(flow)};
    CODE(bgl_create(ledger, &create, NULL, NULL), BGL_ERROR_FLOW_MIRRORED);
    ends(task);
    again = shown(flow);
    CHECK(bgl_flow_status(again) == BGL_FLOW_STATUS_SUCCEEDED && bgl_flow_tasks_total(again) == 1);
    OK(bgl_flow_free(again));
    mirror.mirrors = "no such task";
    CODE(bgl_flow_create(ledger, &mirror, NULL, &untouched), BGL_ERROR_NOT_FOUND);
    CHECK(untouched == NULL);
    OK(bgl_flow_free(flow));
    OK(bgl_task_free(task));
}

static int counted(bgl_flow_list_options options)
{
    bgl_flows *flows;
    bgl_flow *flow;
    uint64_t last = UINT64_MAX;
    int count = 0;
    options.size = sizeof options;
    OK(bgl_flow_list(ledger, &options, &flows));
    for (OK(bgl_flows_next(flows, &flow)); flow != NULL; OK(bgl_flows_next(flows, &flow)), count++) {
        CHECK(bgl_flow_number(flow) < last); /* newest first */
        last = bgl_flow_number(flow);
        OK(bgl_flow_free(flow));
    }
    OK(bgl_flows_next(flows, &flow)); /* the end stays the end */
    CHECK(flow == NULL);
    OK(bgl_flows_free(flows));
    return count;
}

static void lists(void)
{
    CHECK(counted((bgl_flow_list_options){.active = 0}) == 7);
    CHECK(counted((bgl_flow_list_options){.active = 1}) == 2);
    CHECK(counted((bgl_flow_list_options){.statuses = 1 << BGL_FLOW_STATUS_CANCELLED}) == 2);
    CHECK(counted((bgl_flow_list_options){
              .statuses = 1 << BGL_FLOW_STATUS_CANCELLED | 1 << BGL_FLOW_STATUS_FAILED}) == 3);
    CHECK(counted((bgl_flow_list_options){.controller = "v-controller"}) == 1);
    CHECK(counted((bgl_flow_list_options){.limit = 3}) == 3);
    bgl_flows *flows;
    bgl_flow *flow = NULL;
    bgl_flow_list_options wrong = {.size = sizeof wrong, .statuses = 1};
    CODE(bgl_flow_list(ledger, &wrong, &flows), BGL_ERROR_INVALID_VALUE);
    OK(bgl_flow_list(ledger, NULL, &flows));
    CODE(bgl_flows_next(flows, NULL), BGL_MISUSE_NULL_POINTER);
    OK(bgl_flows_free(flows));
    CODE(bgl_flows_free(flows), BGL_MISUSE_BAD_HANDLE);
    CODE(bgl_flows_next(flows, &flow), BGL_MISUSE_BAD_HANDLE);
    CHECK(flow == NULL);
}

/* Pages are fetched one after the other: more flows than one has. */
static void a_long_list(void)
{
    for (int i = 0; i < 510; i++)
        OK(bgl_flow_free(made("one of many", 0)));
    CHECK(counted((bgl_flow_list_options){.active = 1, .controller = "the host"}) == 511);
    bgl_flow *flow = NULL;
    CODE(bgl_flow_resume(ledger, "owner:local", 1, NULL, NULL, &flow), BGL_ERROR_AMBIGUOUS_FLOW);
    CHECK(flow == NULL);
}

static void bad_inputs(void)
{
    const char *bad = "caf\xe9";
    bgl_flow *flow = NULL;
    bgl_tasks *tasks;
    CODE(bgl_flow_get(ledger, "F999999", &flow), BGL_ERROR_NO_FLOW);
    CODE(bgl_flow_get(ledger, "nobody", &flow), BGL_ERROR_NO_FLOW);
    CODE(bgl_flow_get(ledger, "F0", &flow), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_flow_get(ledger, "id:what", &flow), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_flow_get(ledger, bad, &flow), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_flow_get(ledger, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_get(ledger, "F1", NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_list(ledger, NULL, NULL), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_create(ledger, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_wait(ledger, NULL, 1, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_resume(ledger, NULL, 1, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_finish(ledger, NULL, 1, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_fail(ledger, NULL, 1, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_cancel(ledger, NULL, NULL, NULL, &flow), BGL_MISUSE_NULL_POINTER);
    CODE(bgl_flow_wait(ledger, "F1", -1, NULL, NULL, &flow), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_flow_finish(ledger, "F1", BGL_ABSENT, NULL, NULL, &flow), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_flow_cancel(ledger, "F999999", NULL, NULL, &flow), BGL_ERROR_NO_FLOW);
    CODE(bgl_flow_fail(ledger, "F999999", 1, NULL, NULL, &flow), BGL_ERROR_NO_FLOW);

    bgl_flow_create_options create = {.size = sizeof create, .goal = "a goal"};
    CODE(bgl_flow_create(ledger, &create, NULL, &flow), BGL_ERROR_INVALID_VALUE); /* whose is it to move? */
    CHECK(strstr(bgl_errmsg(ledger), "controller") != NULL);
    create.controller = "c";
    create.state_json = "{";
    CODE(bgl_flow_create(ledger, &create, NULL, &flow), BGL_ERROR_INVALID_VALUE);
    create.state_json = NULL;
    create.running = 2;
    CODE(bgl_flow_create(ledger, &create, NULL, &flow), BGL_ERROR_INVALID_VALUE);
    create.running = 0;
    create.mirrors = "1";
    CODE(bgl_flow_create(ledger, &create, NULL, &flow), BGL_ERROR_INVALID_VALUE); /* a goal beside a task */
    bgl_flow_wait_options wait = {.size = sizeof wait, .wait_json = "not JSON"};
    CODE(bgl_flow_wait(ledger, "F1", 1, &wait, NULL, &flow), BGL_ERROR_INVALID_VALUE);
    wait.wait_json = NULL;
    wait.blocked_task = "no such task";
    CODE(bgl_flow_wait(ledger, "F1", 1, &wait, NULL, &flow), BGL_ERROR_NOT_FOUND);
    char *huge = calloc(1, 300 * 1024);
    memset(huge, ' ', 300 * 1024 - 1);
    huge[0] = '"';
    huge[300 * 1024 - 2] = '"';
    create.mirrors = NULL;
    create.state_json = huge;
    CODE(bgl_flow_create(ledger, &create, NULL, &flow), BGL_ERROR_TOO_LARGE);
    free(huge);
    bgl_list_options list = {.size = sizeof list, .flow = "F999999"};
    CODE(bgl_list(ledger, &list, &tasks), BGL_ERROR_NO_FLOW);
    bgl_create_options task = {.size = sizeof task, .label = "x", .flow = "F999999"};
    CODE(bgl_create(ledger, &task, NULL, NULL), BGL_ERROR_NO_FLOW);
    CHECK(flow == NULL);
}

/* A handle of one owner sees that owner's flows alone, and none is made through one that only reads. */
static void other_handles(const char *path)
{
    bgl_open_options open = {.size = sizeof open, .owner = "v-owner"};
    bgl_ledger *theirs;
    bgl_flow *flow = NULL;
    OK(bgl_open(path, &open, &theirs));
    CODE(bgl_flow_get(theirs, "F2", &flow), BGL_ERROR_NO_FLOW);
    OK(bgl_flow_get(theirs, "F1", &flow));
    OK(bgl_close(theirs));
    SAME(bgl_flow_goal(flow), "v-goal"); /* a snapshot outlives its ledger */
    OK(bgl_flow_free(flow));
    CODE(bgl_flow_free(flow), BGL_MISUSE_BAD_HANDLE);
    bgl_open_options readonly = {.size = sizeof readonly, .readonly = 1};
    bgl_flow_create_options create = {.size = sizeof create, .goal = "g", .controller = "c"};
    OK(bgl_open(path, &readonly, &theirs));
    flow = NULL;
    CODE(bgl_flow_create(theirs, &create, NULL, &flow), BGL_ERROR_READ_ONLY);
    CHECK(flow == NULL);
    OK(bgl_close(theirs));
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    a_creation();
    a_life();
    something_stands_in_its_way();
    tasks_belong_to_it();
    cancel_waits_for_the_last_active_task();
    one_follows_a_task();
    lists();
    a_long_list();
    bad_inputs();
    other_handles(path);
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
