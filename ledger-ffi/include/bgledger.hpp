// bgledger for C++17: handles that end by themselves, and exceptions instead of codes.
//
// Header-only, over bgledger.h, whose comments say what each call does. What is not here is reached by `ledger::get()`
// and the functions of bgledger.h.
#ifndef BGLEDGER_HPP
#define BGLEDGER_HPP

#include <bgledger.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bgledger {

/// A call that was refused.
class error : public std::runtime_error {
public:
    error(int code, const std::string &message) : std::runtime_error(message), code_(code) {}

    /// One of bgl_error or bgl_misuse.
    int code() const noexcept { return code_; }
    /// One of bgl_class: what to do about it.
    int category() const noexcept { return bgl_error_class(code_); }
    /// The stable word, such as "not_found".
    const char *word() const noexcept { return bgl_strerror(code_); }

private:
    int code_;
};

namespace detail {

inline void check(int code, bgl_ledger *ledger = nullptr)
{
    if (code != BGL_OK)
        throw error(code, bgl_errmsg(ledger));
}

template <typename T, int (*End)(T *)> struct ender {
    void operator()(T *handle) const noexcept { End(handle); }
};

template <typename T, int (*End)(T *)> using owned = std::unique_ptr<T, ender<T, End>>;

/// What a list hands out, one after the other.
template <typename T, typename List, int (*Next)(List *, typename T::handle **), int (*End)(List *)> class sequence {
public:
    using handle = List;
    explicit sequence(List *handle) noexcept : handle_(handle) {}

    std::optional<T> next()
    {
        typename T::handle *found = nullptr;
        check(Next(handle_.get(), &found));
        return found ? std::optional<T>(T(found)) : std::nullopt;
    }

protected:
    owned<List, End> handle_;
};

inline std::optional<std::string> text(const char *found)
{
    return found ? std::optional<std::string>(found) : std::nullopt;
}

inline std::vector<const char *> pointers(const std::vector<std::string> &texts)
{
    std::vector<const char *> pointers;
    for (const auto &text : texts)
        pointers.push_back(text.c_str());
    return pointers;
}

inline std::optional<std::int64_t> integer(std::int64_t found)
{
    return found == BGL_ABSENT ? std::nullopt : std::optional<std::int64_t>(found);
}

} // namespace detail

/// An option struct with its size set and all else zero: `auto create = bgledger::options<bgl_create_options>();`
template <typename T> T options() noexcept
{
    T fresh{};
    fresh.size = sizeof(T);
    return fresh;
}

/// A task as it was when a call answered.
class task {
public:
    using handle = bgl_task;
    explicit task(bgl_task *handle) noexcept : handle_(handle) {}

    bgl_task *get() const noexcept { return handle_.get(); }
    std::uint64_t number() const noexcept { return bgl_task_number(get()); }
    std::string id() const { return detail::text(bgl_task_id(get())).value_or(""); }
    /// One of bgl_status.
    int status() const noexcept { return bgl_task_status(get()); }
    std::string status_word() const { return detail::text(bgl_task_status_word(get())).value_or(""); }
    std::string label() const { return detail::text(bgl_task_label(get())).value_or(""); }
    std::int64_t attempt() const noexcept { return bgl_task_attempt(get()); }
    bool cancel_requested() const noexcept { return bgl_task_cancel_requested(get()) == 1; }
    bool has_ended() const noexcept { return bgl_task_has_ended(get()) == 1; }
    /// The id of its flow.
    std::optional<std::string> flow() const { return detail::text(bgl_task_flow(get())); }
    std::optional<std::string> outcome() const { return detail::text(bgl_task_outcome(get())); }
    std::optional<std::string> reason() const { return detail::text(bgl_task_reason(get())); }
    std::optional<std::string> summary() const { return detail::text(bgl_task_summary(get())); }
    std::optional<std::string> result_json() const { return detail::text(bgl_task_result_json(get())); }
    std::optional<std::string> error_message() const { return detail::text(bgl_task_error_message(get())); }
    std::optional<std::int64_t> exit_code() const { return detail::integer(bgl_task_exit_code(get())); }
    /// The whole task.
    std::string json() const { return detail::text(bgl_task_json(get())).value_or(""); }

private:
    detail::owned<bgl_task, bgl_task_free> handle_;
};

/// Something that happened to a task.
class event {
public:
    using handle = bgl_event;
    explicit event(bgl_event *handle) noexcept : handle_(handle) {}

    bgl_event *get() const noexcept { return handle_.get(); }
    std::uint64_t seq() const noexcept { return bgl_event_seq(get()); }
    std::uint64_t number() const noexcept { return bgl_event_number(get()); }
    std::string type() const { return detail::text(bgl_event_type(get())).value_or(""); }
    std::string json() const { return detail::text(bgl_event_json(get())).value_or(""); }

private:
    detail::owned<bgl_event, bgl_event_free> handle_;
};

/// Tasks one after the other.
using tasks = detail::sequence<task, bgl_tasks, bgl_tasks_next, bgl_tasks_free>;

/// Events as they come.
class events {
public:
    using handle = bgl_events;
    explicit events(bgl_events *handle) noexcept : handle_(handle) {}

    /// The next one, or nothing if none comes in so many milliseconds; -1 waits without end.
    std::optional<event> next(std::int64_t timeout_ms)
    {
        bgl_event *found = nullptr;
        detail::check(bgl_events_next(handle_.get(), timeout_ms, &found));
        return found ? std::optional<event>(event(found)) : std::nullopt;
    }

    std::uint64_t cursor() const noexcept { return bgl_events_cursor(handle_.get()); }
    /// Whether some of what happened since it began is gone with tasks that were pruned.
    bool truncated() const noexcept { return bgl_events_truncated(handle_.get()) == 1; }

private:
    detail::owned<bgl_events, bgl_events_free> handle_;
};

/// A message that the ledger owes somebody about a task.
class notice {
public:
    using handle = bgl_notice;
    explicit notice(bgl_notice *handle) noexcept : handle_(handle) {}

    bgl_notice *get() const noexcept { return handle_.get(); }
    std::string id() const { return detail::text(bgl_notice_id(get())).value_or(""); }
    /// Recorded with the effect, it makes sure that there is one.
    std::string key() const { return detail::text(bgl_notice_key(get())).value_or(""); }
    std::string type() const { return detail::text(bgl_notice_type(get())).value_or(""); }
    std::string recipient() const { return detail::text(bgl_notice_recipient(get())).value_or(""); }
    std::string message() const { return detail::text(bgl_notice_message(get())).value_or(""); }
    std::uint64_t number() const noexcept { return bgl_notice_number(get()); }
    std::int64_t attempts() const noexcept { return bgl_notice_attempts(get()); }
    std::string json() const { return detail::text(bgl_notice_json(get())).value_or(""); }

    /// The task as it was when the notice was claimed; nothing if it was pruned by then.
    std::optional<bgledger::task> task() const
    {
        bgl_task *found = nullptr;
        detail::check(bgl_notice_task(get(), &found));
        return found ? std::optional<bgledger::task>(bgledger::task(found)) : std::nullopt;
    }

private:
    detail::owned<bgl_notice, bgl_notice_free> handle_;
};

/// Notices that were claimed together.
class notices : public detail::sequence<notice, bgl_notices, bgl_notices_next, bgl_notices_free> {
public:
    using sequence::sequence;

    /// What to answer them with; nothing if none was due.
    std::optional<std::string> token() const { return detail::text(bgl_notices_token(handle_.get())); }
};

/// A flow as it was when a call answered, and what its tasks came to.
class flow {
public:
    using handle = bgl_flow;
    explicit flow(bgl_flow *handle) noexcept : handle_(handle) {}

    bgl_flow *get() const noexcept { return handle_.get(); }
    std::uint64_t number() const noexcept { return bgl_flow_number(get()); }
    std::string id() const { return detail::text(bgl_flow_id(get())).value_or(""); }
    /// One of bgl_flow_status.
    int status() const noexcept { return bgl_flow_status(get()); }
    std::string status_word() const { return detail::text(bgl_flow_status_word(get())).value_or(""); }
    std::string goal() const { return detail::text(bgl_flow_goal(get())).value_or(""); }
    std::optional<std::string> controller() const { return detail::text(bgl_flow_controller(get())); }
    std::optional<std::string> step() const { return detail::text(bgl_flow_step(get())); }
    std::optional<std::string> state_json() const { return detail::text(bgl_flow_state_json(get())); }
    std::optional<std::string> wait_json() const { return detail::text(bgl_flow_wait_json(get())); }
    std::optional<std::string> blocked_task() const { return detail::text(bgl_flow_blocked_task(get())); }
    std::optional<std::string> blocked_summary() const { return detail::text(bgl_flow_blocked_summary(get())); }
    bool cancel_requested() const noexcept { return bgl_flow_cancel_requested(get()) == 1; }
    bool has_ended() const noexcept { return bgl_flow_has_ended(get()) == 1; }
    /// What a move names.
    std::int64_t revision() const noexcept { return bgl_flow_revision(get()); }
    std::int64_t tasks_total() const noexcept { return bgl_flow_tasks_total(get()); }
    std::int64_t tasks_active() const noexcept { return bgl_flow_tasks_active(get()); }
    /// How many of its tasks have this status, one of bgl_status.
    std::int64_t tasks_with_status(int status) const noexcept { return bgl_flow_tasks_with_status(get(), status); }
    /// The whole flow.
    std::string json() const { return detail::text(bgl_flow_json(get())).value_or(""); }

private:
    detail::owned<bgl_flow, bgl_flow_free> handle_;
};

/// Flows one after the other.
using flows = detail::sequence<flow, bgl_flows, bgl_flows_next, bgl_flows_free>;

/// A cancel callback; ends with the object, or when another one is assigned to it: both wait for a call that is under
/// way. End it before its ledger is destroyed, and not from within itself.
class subscription {
public:
    subscription(subscription &&) noexcept = default;
    subscription &operator=(subscription &&other) noexcept
    {
        // In this order: until the old handle has ended, its callback may be running.
        handle_ = std::move(other.handle_);
        callback_ = std::move(other.callback_);
        return *this;
    }

    subscription(bgl_ledger *ledger, const std::string &lookup, std::function<void(const bgl_task *)> callback)
        : callback_(std::make_unique<std::function<void(const bgl_task *)>>(std::move(callback)))
    {
        bgl_subscription *handle = nullptr;
        detail::check(bgl_on_cancel(ledger, lookup.c_str(), &subscription::called, callback_.get(), &handle), ledger);
        handle_.reset(handle);
    }

    ~subscription() = default;

private:
    // An exception must not pass through the library.
    static void called(void *data, const bgl_task *task) noexcept
    {
        (*static_cast<std::function<void(const bgl_task *)> *>(data))(task);
    }

    // Destroyed last: until the handle has ended, the callback may be called.
    std::unique_ptr<std::function<void(const bgl_task *)>> callback_;
    detail::owned<bgl_subscription, bgl_subscription_free> handle_;
};

/// A ledger that is open; closed with the object. Any number of threads may use one.
class ledger {
public:
    /// The default ledger.
    ledger() : ledger(static_cast<const char *>(nullptr)) {}
    explicit ledger(const std::string &path) : ledger(path.c_str()) {}
    explicit ledger(const char *path, const bgl_open_options *options = nullptr)
    {
        bgl_ledger *handle = nullptr;
        detail::check(bgl_open(path, options, &handle));
        handle_.reset(handle);
    }

    bgl_ledger *get() const noexcept { return handle_.get(); }

    /// One Request as JSON, one Response as JSON.
    std::string call(std::string_view request)
    {
        char *response = nullptr;
        std::size_t length = 0;
        detail::check(bgl_call(get(), request.data(), request.size(), &response, &length), get());
        std::unique_ptr<char, void (*)(void *)> owner(response, bgl_free);
        return std::string(response, length);
    }

    task create(const std::string &label, bool start = false)
    {
        auto given = options<bgl_create_options>();
        given.label = label.c_str();
        given.start = start ? 1 : 0;
        return create(given);
    }

    task create(const bgl_create_options &given) { return made<task>(bgl_create, &given, nullptr); }

    task start(const std::string &lookup, const bgl_start_options *given = nullptr)
    {
        return made<task>(bgl_start, lookup.c_str(), given, nullptr);
    }

    /// The flags: BGL_FLAG_CANCEL_REQUESTED and the others.
    std::uint32_t progress(const std::string &lookup, const bgl_progress_options &given)
    {
        std::uint32_t flags = 0;
        detail::check(bgl_progress(get(), lookup.c_str(), &given, &flags, nullptr), get());
        return flags;
    }

    /// The flags: BGL_FLAG_CANCEL_REQUESTED and the others.
    std::uint32_t heartbeat(const std::string &lookup, const bgl_heartbeat_options *given = nullptr)
    {
        std::uint32_t flags = 0;
        detail::check(bgl_heartbeat(get(), lookup.c_str(), given, &flags), get());
        return flags;
    }

    task finish(const std::string &lookup, const bgl_finish_options &given)
    {
        return made<task>(bgl_finish, lookup.c_str(), &given, nullptr);
    }

    task settle(const std::string &lookup, const bgl_settle_options &given)
    {
        return made<task>(bgl_settle, lookup.c_str(), &given, nullptr);
    }

    /// One of bgl_cancel_answer.
    int request_cancel(const std::string &lookup, const bgl_cancel_options *given = nullptr)
    {
        std::int32_t answer = 0;
        detail::check(bgl_request_cancel(get(), lookup.c_str(), given, &answer, nullptr), get());
        return answer;
    }

    task show(const std::string &lookup) { return made<task>(bgl_get, lookup.c_str()); }

    /// The same; by this answer the recipient has heard of it, and its notices about it are delivered.
    task read(const std::string &lookup, const std::string &recipient)
    {
        return made<task>(bgl_task_read, lookup.c_str(), recipient.c_str());
    }

    tasks list(const bgl_list_options *given = nullptr) { return made<tasks>(bgl_list, given); }

    tasks wait(const std::vector<std::string> &lookups, const bgl_wait_options *given = nullptr)
    {
        auto names = detail::pointers(lookups);
        return made<tasks>(bgl_wait, names.data(), names.size(), given);
    }

    events watch(const bgl_watch_options *given = nullptr) { return made<events>(bgl_watch, given); }

    /// What is due now, under a lease.
    notices claim(const bgl_notices_claim_options *given = nullptr) { return made<notices>(bgl_notices_claim, given); }

    /// How many were not acknowledged before.
    std::uint64_t ack(const std::string &token, const std::vector<std::string> &ids)
    {
        auto names = detail::pointers(ids);
        std::uint64_t changed = 0;
        detail::check(bgl_notices_ack(get(), token.c_str(), names.data(), names.size(), &changed), get());
        return changed;
    }

    std::uint64_t nack(const std::string &token, const std::vector<std::string> &ids, const std::string &reason)
    {
        auto names = detail::pointers(ids);
        std::uint64_t changed = 0;
        detail::check(bgl_notices_nack(get(), token.c_str(), names.data(), names.size(), reason.c_str(), &changed),
                      get());
        return changed;
    }

    flow create_flow(const bgl_flow_create_options &given) { return made<flow>(bgl_flow_create, &given, nullptr); }

    flow show_flow(const std::string &lookup) { return made<flow>(bgl_flow_get, lookup.c_str()); }

    flows list_flows(const bgl_flow_list_options *given = nullptr) { return made<flows>(bgl_flow_list, given); }

    /// Has it wait. `seen` is the flow as the caller saw it: refused if somebody has moved it since, as all moves are.
    flow wait_flow(const flow &seen, const bgl_flow_wait_options *given = nullptr)
    {
        return made<flow>(bgl_flow_wait, seen.id().c_str(), seen.revision(), given, nullptr);
    }

    flow resume_flow(const flow &seen, const bgl_flow_resume_options *given = nullptr)
    {
        return made<flow>(bgl_flow_resume, seen.id().c_str(), seen.revision(), given, nullptr);
    }

    flow finish_flow(const flow &seen, const bgl_flow_finish_options *given = nullptr)
    {
        return made<flow>(bgl_flow_finish, seen.id().c_str(), seen.revision(), given, nullptr);
    }

    flow fail_flow(const flow &seen, const bgl_flow_fail_options *given = nullptr)
    {
        return made<flow>(bgl_flow_fail, seen.id().c_str(), seen.revision(), given, nullptr);
    }

    /// One of bgl_cancel_answer.
    int cancel_flow(const std::string &lookup, const bgl_cancel_options *given = nullptr)
    {
        std::int32_t answer = 0;
        detail::check(bgl_flow_cancel(get(), lookup.c_str(), given, &answer, nullptr), get());
        return answer;
    }

    /// The callback runs on a thread of the library.
    subscription on_cancel(const std::string &lookup, std::function<void(const bgl_task *)> callback)
    {
        return subscription(get(), lookup, std::move(callback));
    }

private:
    // A call whose last output is a handle.
    template <typename T, typename Call, typename... Given> T made(Call *call, Given... given)
    {
        typename T::handle *found = nullptr;
        detail::check(call(get(), given..., &found), get());
        return T(found);
    }

    detail::owned<bgl_ledger, bgl_close> handle_;
};

} // namespace bgledger

#endif // BGLEDGER_HPP
