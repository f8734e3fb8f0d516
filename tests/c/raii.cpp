// raii FOLDER: the C++ wrapper.
#include <bgledger.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#define CHECK(truth)                                                       \
    do {                                                                   \
        if (!(truth)) {                                                    \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " #truth "\n"; \
            std::exit(1);                                                  \
        }                                                                  \
    } while (0)

static void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

static void comes(const std::atomic<int> &calls, int count)
{
    for (int i = 0; i < 1000 && calls < count; i++)
        nap(10);
    CHECK(calls >= count);
}

// A callback that runs while another one is assigned to its subscription keeps what it captured until it returns.
static void a_subscription_is_replaced_while_it_is_called(bgledger::ledger &ledger)
{
    std::atomic<int> begun{0}, sum{0};
    auto first = ledger.create("replaced", true), second = ledger.create("replaces", true);
    auto held = std::make_shared<std::vector<int>>(1000, 1);
    std::weak_ptr<std::vector<int>> watched = held;
    auto slow = ledger.on_cancel(first.id(), [&begun, &sum, held = std::move(held)](const bgl_task *) {
        begun = 1;
        nap(300);
        for (int one : *held)
            sum += one;
    });
    ledger.request_cancel(first.id());
    comes(begun, 1);
    slow = ledger.on_cancel(second.id(), [&sum](const bgl_task *) { sum = -1; });
    CHECK(sum == 1000 && watched.expired()); // it was over, and its callback gone, when the other one took its place
    ledger.request_cancel(second.id());
    for (int i = 0; i < 1000 && sum != -1; i++)
        nap(10);
    CHECK(sum == -1);
}

static void notices_are_claimed_and_answered(bgledger::ledger &ledger)
{
    auto create = bgledger::options<bgl_create_options>();
    create.label = "tells";
    create.session = "chat";
    auto task = ledger.create(create);
    auto finish = bgledger::options<bgl_finish_options>();
    finish.status = BGL_STATUS_SUCCEEDED;
    ledger.finish(task.id(), finish);
    const char *recipients[] = {"session:chat"};
    auto ours = bgledger::options<bgl_notices_claim_options>();
    ours.recipients = recipients;
    ours.recipient_count = 1;
    auto claimed = ledger.claim(&ours);
    auto notice = claimed.next();
    CHECK(notice && !claimed.next() && notice->recipient() == "session:chat" && notice->type() == "finished");
    CHECK(notice->number() == task.number() && notice->attempts() == 1 && !notice->key().empty());
    CHECK(notice->task()->id() == task.id() && notice->message().find("tells") != std::string::npos);
    CHECK(notice->json().front() == '{');
    CHECK(ledger.ack(*claimed.token(), {notice->id()}) == 1 && ledger.ack(*claimed.token(), {notice->id()}) == 0);
    CHECK(!ledger.claim(&ours).token());
    try {
        ledger.nack(*claimed.token(), {notice->id()}, "too late");
        CHECK(false);
    } catch (const bgledger::error &refused) {
        CHECK(refused.category() == BGL_CLASS_REFUSED);
    }
}

static void a_reader_need_not_be_told(bgledger::ledger &ledger)
{
    auto create = bgledger::options<bgl_create_options>();
    create.label = "is read";
    create.session = "reader";
    auto task = ledger.create(create);
    auto settle = bgledger::options<bgl_settle_options>();
    settle.status = BGL_STATUS_FAILED;
    ledger.settle(task.id(), settle);
    CHECK(ledger.read(task.id(), "session:reader").status() == BGL_STATUS_FAILED);
    const char *recipients[] = {"session:reader"};
    auto ours = bgledger::options<bgl_notices_claim_options>();
    ours.recipients = recipients;
    ours.recipient_count = 1;
    CHECK(!ledger.claim(&ours).token());
}

static void a_flow_groups_tasks(bgledger::ledger &ledger)
{
    auto create = bgledger::options<bgl_flow_create_options>();
    create.goal = "flows in C++";
    create.controller = "raii";
    auto flow = ledger.create_flow(create);
    CHECK(flow.number() == 1 && flow.status() == BGL_FLOW_STATUS_QUEUED && flow.goal() == "flows in C++");
    CHECK(flow.controller() == "raii" && !flow.step() && !flow.state_json() && flow.revision() == 1);
    auto given = bgledger::options<bgl_create_options>();
    const std::string id = flow.id();
    given.label = "one of them";
    given.flow = id.c_str();
    auto task = ledger.create(given);
    CHECK(task.flow() == id);

    auto wait = bgledger::options<bgl_flow_wait_options>();
    wait.step = "asking";
    wait.wait_json = "1";
    wait.blocked_summary = "nobody answers";
    auto blocked = ledger.wait_flow(flow, &wait);
    CHECK(blocked.status_word() == "blocked" && blocked.wait_json() == "1" && blocked.step() == "asking");
    CHECK(blocked.blocked_summary() == "nobody answers" && !blocked.blocked_task());
    try {
        ledger.fail_flow(flow);
        CHECK(false);
    } catch (const bgledger::error &refused) {
        CHECK(refused.code() == BGL_ERROR_REVISION_CONFLICT);
    }
    auto going_on = ledger.resume_flow(blocked);
    CHECK(going_on.tasks_total() == 1 && going_on.tasks_active() == 1 && !going_on.has_ended());
    CHECK(going_on.tasks_with_status(BGL_STATUS_QUEUED) == 1);
    CHECK(ledger.finish_flow(going_on).status() == BGL_FLOW_STATUS_SUCCEEDED);
    CHECK(ledger.show_flow("F1").has_ended() && ledger.show_flow(id).json().front() == '{');
    CHECK(ledger.cancel_flow(id) == BGL_CANCEL_ANSWER_ALREADY && !ledger.show_flow(id).cancel_requested());
    ledger.fail_flow(ledger.create_flow(create));
    auto all = ledger.list_flows();
    CHECK(all.next()->status() == BGL_FLOW_STATUS_FAILED && all.next()->number() == 1 && !all.next());
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    bgledger::ledger ledger(std::string(argv[1]) + "/ledger.db");
    try {
        ledger.show("1");
        CHECK(false);
    } catch (const bgledger::error &refused) {
        CHECK(refused.code() == BGL_ERROR_NO_LEDGER && refused.category() == BGL_CLASS_NOT_FOUND);
        CHECK(std::string(refused.word()) == "no_ledger" && std::string(refused.what()).find("no ledger") != std::string::npos);
    }

    auto events = [&] {
        ledger.create("the first", false);
        return ledger.watch();
    }();
    bgledger::task task = ledger.create("in C++", true);
    CHECK(task.number() == 2 && task.status() == BGL_STATUS_RUNNING && task.attempt() == 1);
    CHECK(task.label() == "in C++" && !task.summary() && !task.exit_code() && !task.has_ended());
    CHECK(events.next(1000)->type() == "created" && events.next(1000)->number() == 2 && !events.next(0) && !events.truncated());

    std::atomic<int> calls{0};
    {
        auto subscription = ledger.on_cancel(task.id(), [&](const bgl_task *) { calls++; });
        CHECK(ledger.request_cancel(task.id()) == BGL_CANCEL_ANSWER_REQUESTED);
        comes(calls, 1);
        auto moved = std::move(subscription);
    }
    CHECK(calls == 1);
    CHECK(ledger.heartbeat(task.id()) & BGL_FLAG_CANCEL_REQUESTED);

    auto progress = bgledger::options<bgl_progress_options>();
    progress.text = "nearly";
    CHECK(ledger.progress(task.id(), progress) & BGL_FLAG_CHANGED);
    auto finish = bgledger::options<bgl_finish_options>();
    finish.status = BGL_STATUS_CANCELLED;
    finish.summary = "as you wish";
    bgledger::task ended = ledger.finish(task.id(), finish);
    CHECK(ended.has_ended() && ended.summary() == "as you wish" && ended.cancel_requested());

    auto waited = ledger.wait({task.id()});
    CHECK(waited.next()->status_word() == "cancelled" && !waited.next());
    auto settle = bgledger::options<bgl_settle_options>();
    settle.status = BGL_STATUS_FAILED;
    CHECK(ledger.settle("1", settle).status() == BGL_STATUS_FAILED);
    auto again = ledger.create("once more");
    CHECK(ledger.start(again.id()).attempt() == 1);

    int count = 0;
    for (auto all = ledger.list(); auto found = all.next();)
        count += found->json().front() == '{';
    CHECK(count == 3);
    CHECK(ledger.call(R"({"stats":{}})").rfind("{\"ok\":{\"total\":3", 0) == 0);

    a_subscription_is_replaced_while_it_is_called(ledger);
    notices_are_claimed_and_answered(ledger);
    a_reader_need_not_be_told(ledger);
    a_flow_groups_tasks(ledger);
    bgledger::ledger moved = std::move(ledger);
    CHECK(moved.show("2").id() == task.id());
    std::cout << "done\n";
    return 0;
}
