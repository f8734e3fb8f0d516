// raii FOLDER: the C++ wrapper.
#include <bgledger.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#define CHECK(truth)                                                       \
    do {                                                                   \
        if (!(truth)) {                                                    \
            std::cerr << __FILE__ << ':' << __LINE__ << ": " #truth "\n"; \
            std::exit(1);                                                  \
        }                                                                  \
    } while (0)

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
    CHECK(events.next(1000)->type() == "created" && events.next(1000)->number() == 2 && !events.next(0));

    std::atomic<int> calls{0};
    {
        auto subscription = ledger.on_cancel(task.id(), [&](const bgl_task *) { calls++; });
        CHECK(ledger.request_cancel(task.id()) == BGL_CANCEL_ANSWER_REQUESTED);
        for (int i = 0; i < 1000 && calls == 0; i++)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
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

    bgledger::ledger moved = std::move(ledger);
    CHECK(moved.show("2").id() == task.id());
    std::cout << "done\n";
    return 0;
}
