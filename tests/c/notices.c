/* notices FOLDER: what the ledger owes is claimed, delivered, refused and told of by the typed calls. */
#include "check.h"

static bgl_ledger *ledger;

static bgl_task *ended(const char *label, const char *session)
{
    bgl_task *task;
    bgl_finish_options end = {.size = sizeof end, .status = BGL_STATUS_SUCCEEDED, .summary = "all well"};
    bgl_create_options create = {.size = sizeof create, .label = label, .session = session, .finish = &end};
    OK(bgl_create(ledger, &create, NULL, &task));
    return task;
}

static bgl_notices *claimed(const char *recipient)
{
    bgl_notices *notices;
    bgl_notices_claim_options claim = {
        .size = sizeof claim, .recipients = &recipient, .recipient_count = 1, .consumer = "the chat"};
    OK(bgl_notices_claim(ledger, &claim, &notices));
    return notices;
}

static void everything_is_told(void)
{
    bgl_task *task = ended("tells its end", "chat"), *told;
    bgl_notices *notices = claimed("session:chat");
    bgl_notice *notice, *more;
    CHECK(bgl_notices_token(notices) != NULL && bgl_notices_token(notices)[0] != '\0');
    OK(bgl_notices_next(notices, &notice));
    char id[64];
    snprintf(id, sizeof id, "%llu/session:chat", (unsigned long long)bgl_notice_seq(notice));
    SAME(bgl_notice_id(notice), id);
    CHECK(strstr(bgl_notice_key(notice), bgl_task_id(task)) != NULL);
    SAME(bgl_notice_type(notice), "finished");
    SAME(bgl_notice_recipient(notice), "session:chat");
    CHECK(strstr(bgl_notice_message(notice), "tells its end") != NULL);
    SAME(bgl_notice_state(notice), "claimed");
    SAME(bgl_notice_consumer(notice), "the chat");
    CHECK(bgl_notice_reason(notice) == NULL);
    CHECK(bgl_notice_number(notice) == bgl_task_number(task) && bgl_notice_attempts(notice) == 1);
    CHECK(bgl_notice_generation(notice) == 1);
    int64_t lease = bgl_notice_due_at(notice) - bgl_task_ended_at(task);
    CHECK(lease >= 60000 && lease < 120000); /* a minute, unless told */
    CHECK(strstr(bgl_notice_json(notice), "\"type\":\"finished\"") != NULL);
    OK(bgl_notice_task(notice, &told));
    SAME(bgl_task_id(told), bgl_task_id(task));
    OK(bgl_notices_next(notices, &more));
    CHECK(more == NULL);
    OK(bgl_notices_next(notices, &more)); /* the end stays the end */
    CHECK(more == NULL);

    const char *ids[] = {bgl_notice_id(notice)};
    uint64_t changed = 9;
    OK(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, 1, &changed));
    CHECK(changed == 1);
    OK(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, 1, &changed));
    CHECK(changed == 0);
    bgl_task *after;
    OK(bgl_get(ledger, bgl_task_id(task), &after));
    SAME(bgl_task_delivery(after), "delivered");
    OK(bgl_notices_free(notices));
    OK(bgl_notice_free(notice));
    SAME(bgl_task_summary(told), "all well"); /* the task outlives its notice */
    OK(bgl_task_free(told));
    OK(bgl_task_free(task));
    OK(bgl_task_free(after));
    notices = claimed("session:chat");
    CHECK(bgl_notices_token(notices) == NULL); /* nothing is due any more */
    OK(bgl_notices_next(notices, &more));
    CHECK(more == NULL);
    OK(bgl_notices_free(notices));
}

static void options_are_heard(void)
{
    for (int i = 0; i < 3; i++)
        bgl_task_free(ended("one of three", i == 0 ? "first" : "second"));
    const char *both[] = {"session:first", "session:second"};
    bgl_notices_claim_options claim = {
        .size = sizeof claim, .recipients = both, .recipient_count = 2, .lease_ms = 5000, .limit = 2};
    bgl_notices *notices, *rest;
    bgl_notice *notice;
    OK(bgl_notices_claim(ledger, &claim, &notices));
    int64_t due_at = 0;
    int count = 0;
    for (OK(bgl_notices_next(notices, &notice)); notice != NULL; OK(bgl_notices_next(notices, &notice)), count++) {
        CHECK(bgl_notice_consumer(notice) == NULL);
        SAME(bgl_notice_recipient(notice), both[count]); /* oldest first */
        bgl_task *task;
        OK(bgl_notice_task(notice, &task));
        due_at = bgl_notice_due_at(notice);
        CHECK(due_at >= bgl_task_ended_at(task) + 5000 && due_at < bgl_task_ended_at(task) + 55000);
        OK(bgl_task_free(task));
        OK(bgl_notice_free(notice));
    }
    CHECK(count == 2);
    OK(bgl_notices_free(notices));
    OK(bgl_notices_claim(ledger, NULL, &rest)); /* of whatever recipient */
    OK(bgl_notices_next(rest, &notice));
    SAME(bgl_notice_recipient(notice), "session:second");
    OK(bgl_notice_free(notice));
    OK(bgl_notices_free(rest));
}

static void what_is_refused_comes_again(void)
{
    bgl_task_free(ended("hard to tell", "away"));
    bgl_notices *notices = claimed("session:away");
    bgl_notice *notice;
    OK(bgl_notices_next(notices, &notice));
    const char *ids[] = {bgl_notice_id(notice)};
    uint64_t changed = 0;
    CODE(bgl_notices_nack(ledger, "not the claim", ids, 1, "nobody there", &changed), BGL_ERROR_STALE_CLAIM);
    OK(bgl_notices_nack(ledger, bgl_notices_token(notices), ids, 1, "nobody there", &changed));
    CHECK(changed == 1);
    CODE(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, 1, NULL), BGL_ERROR_STALE_CLAIM);
    char request[96], *response;
    snprintf(request, sizeof request, "{\"notices_retry\":{\"notices\":[\"%s\"]}}", ids[0]);
    OK(bgl_call(ledger, request, strlen(request), &response, NULL));
    CHECK(strstr(response, "\"changed\":1") != NULL);
    bgl_free(response);
    bgl_notices *again = claimed("session:away");
    bgl_notice *second;
    OK(bgl_notices_next(again, &second));
    SAME(bgl_notice_id(second), bgl_notice_id(notice));
    SAME(bgl_notice_key(second), bgl_notice_key(notice));
    CODE(bgl_notices_ack(ledger, bgl_notices_token(notices), ids, 1, NULL), BGL_ERROR_STALE_CLAIM);
    OK(bgl_notices_ack(ledger, bgl_notices_token(again), ids, 1, NULL));
    CODE(bgl_notices_nack(ledger, bgl_notices_token(again), ids, 1, "late", NULL), BGL_ERROR_NOTICE_SETTLED);
    OK(bgl_notice_free(second));
    OK(bgl_notices_free(again));
    OK(bgl_notice_free(notice));
    OK(bgl_notices_free(notices));
}

/* What a recipient reads it need not be told. */
static void reading_is_hearing(void)
{
    bgl_task *task = ended("is read", "reader"), *read;
    bgl_notices *notices;
    OK(bgl_task_read(ledger, bgl_task_id(task), "session:somebody else", &read)); /* to whom nothing is owed */
    SAME(bgl_task_delivery(read), "pending");
    OK(bgl_task_free(read));
    OK(bgl_task_read(ledger, bgl_task_id(task), "session:reader", &read));
    SAME(bgl_task_id(read), bgl_task_id(task));
    SAME(bgl_task_delivery(read), "delivered");
    OK(bgl_task_free(read));
    notices = claimed("session:reader");
    CHECK(bgl_notices_token(notices) == NULL);
    OK(bgl_notices_free(notices));
    read = task;
    CODE(bgl_task_read(ledger, bgl_task_id(task), "subscriber:nobody", &read), BGL_ERROR_UNKNOWN_RECIPIENT);
    CODE(bgl_task_read(ledger, bgl_task_id(task), "no recipient", &read), BGL_ERROR_INVALID_VALUE);
    CODE(bgl_task_read(ledger, "no such task", "session:reader", &read), BGL_ERROR_NOT_FOUND);
    CHECK(read == task);
    OK(bgl_task_free(task));
}

static void waiting_is_hearing(void)
{
    bgl_task *one = ended("is awaited", "waiter"), *two = ended("is awaited, too", "waiter"), *told;
    const char *both[] = {bgl_task_id(one), bgl_task_id(two)};
    bgl_tasks *tasks = NULL;
    bgl_notices *notices;
    bgl_wait_options nobody = {.size = sizeof nobody};
    bgl_wait_options us = {.size = sizeof us, .ack = "session:waiter"};
    OK(bgl_wait(ledger, both, 2, &nobody, &tasks));
    OK(bgl_tasks_next(tasks, &told));
    SAME(bgl_task_delivery(told), "pending");
    OK(bgl_task_free(told));
    OK(bgl_tasks_free(tasks));
    OK(bgl_wait(ledger, both, 2, &us, &tasks));
    for (int i = 0; i < 2; i++) {
        OK(bgl_tasks_next(tasks, &told));
        SAME(bgl_task_id(told), both[i]);
        SAME(bgl_task_delivery(told), "delivered");
        OK(bgl_task_free(told));
    }
    OK(bgl_tasks_free(tasks));
    notices = claimed("session:waiter");
    CHECK(bgl_notices_token(notices) == NULL);
    OK(bgl_notices_free(notices));
    tasks = NULL;
    us.ack = "subscriber:nobody";
    CODE(bgl_wait(ledger, both, 2, &us, &tasks), BGL_ERROR_UNKNOWN_RECIPIENT);
    us.ack = "caf\xe9";
    CODE(bgl_wait(ledger, both, 2, &us, &tasks), BGL_ERROR_INVALID_VALUE);
    CHECK(tasks == NULL);
    bgl_notices_claim_options claim = {.size = sizeof claim, .recipients = (const char *[]){"subscriber:nobody"},
                                       .recipient_count = 1};
    CODE(bgl_notices_claim(ledger, &claim, &notices), BGL_ERROR_UNKNOWN_RECIPIENT);
    OK(bgl_task_free(one));
    OK(bgl_task_free(two));
}

int main(int argc, char **argv)
{
    char path[4096];
    CHECK(argc == 2);
    snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
    OK(bgl_open(path, NULL, &ledger));
    everything_is_told();
    options_are_heard();
    what_is_refused_comes_again();
    reading_is_hearing();
    waiting_is_hearing();
    OK(bgl_close(ledger));
    puts("done");
    return 0;
}
