/*
 * bgledger: a durable ledger of background tasks. Link with -lbgledger (pkg-config bgledger).
 *
 * Calls answer with BGL_OK or with a code: one of bgl_error, or of bgl_misuse for mistakes of the calling program.
 * bgl_errmsg() says it in words, bgl_error_class() what to do about it. Outputs come last and are written only if the
 * call answered BGL_OK. Strings are UTF-8 and end with a NUL, except in bgl_call(), which takes a length.
 *
 * Every function may be called by any thread at any time, but not by a signal handler. fork() waits for the calls that
 * other threads have under way, waits apart, and both processes may go on.
 *
 * A struct of options begins with its size: set all of it to zero, then `size` to its sizeof, then what is wanted. Zero
 * is the default of every member, and no member means something special by a negative number. A pointer to options may
 * be NULL where that makes sense.
 *
 * Errors of every call on a ledger: BGL_ERROR_INVALID_VALUE (a value that cannot be, text that is not UTF-8),
 * _TOO_LARGE, _NO_LEDGER (nothing was recorded yet), _BUSY, _NOT_A_LEDGER, _NEWER_LEDGER, _CORRUPT,
 * _NETWORK_FILE_SYSTEM, _BAD_PATH, _UNREADABLE, _IO, _INVALID_REQUEST (a handle with the clock of the tests), _INTERNAL
 * (a fault of bgledger, or no more handles can be had: nothing was done), BGL_MISUSE_NULL_POINTER,
 * BGL_MISUSE_BAD_HANDLE, BGL_MISUSE_BAD_SIZE. Errors of every recording call: these, and BGL_ERROR_READ_ONLY,
 * _DISK_FULL, _UNKNOWN (it may have taken effect: ask again, every call may be repeated). What else a call may answer
 * stands in its comment.
 *
 * The numbers of codes and statuses, and the members of structs, never change; structs grow at their end.
 * The enums are lists of constants: calls take and return them as integers.
 *
 * Generated from ledger-ffi/src; do not edit.
 */

#ifndef BGLEDGER_H
#define BGLEDGER_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header. */
#define BGL_VERSION "0.1.0"

/** What functions that return an int64_t answer where there is nothing. */
#define BGL_ABSENT INT64_MIN

/**
 * The call did what it says.
 */
#define BGL_OK 0

/**
 * Counts the changes of this interface that break programs: the number in the shared library's soname.
 */
#define BGL_ABI_VERSION 0

/**
 * In the flags that a recording call writes: the task or flow was recorded now, not before.
 */
#define BGL_FLAG_CREATED 1

/**
 * In the flags: something changed; otherwise the same was recorded before.
 */
#define BGL_FLAG_CHANGED 2

/**
 * In the flags: cancel of the task or flow is requested. Whoever works on it should stop.
 */
#define BGL_FLAG_CANCEL_REQUESTED 4

/**
 * In the flags: the task's deadline has passed.
 */
#define BGL_FLAG_DEADLINE_PASSED 8

/**
 * Where a task stands. The numbers are stored and stable for ever.
 */
enum bgl_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Recorded, not started.
   */
  BGL_STATUS_QUEUED = 1,
  /**
   * Claimed by an executor.
   */
  BGL_STATUS_RUNNING = 2,
  /**
   * Ended well; see `outcome`.
   */
  BGL_STATUS_SUCCEEDED = 3,
  /**
   * Ended with an error; see `reason`.
   */
  BGL_STATUS_FAILED = 4,
  /**
   * Ended by a deadline.
   */
  BGL_STATUS_TIMED_OUT = 5,
  /**
   * Ended because somebody wanted it to.
   */
  BGL_STATUS_CANCELLED = 6,
  /**
   * Presumed dead. Ended but not final: the executor's own word overrides it.
   */
  BGL_STATUS_LOST = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bgl_status bgl_status;
#else
typedef uint8_t bgl_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The stable numbers of errors, in classes of a hundred. Retired numbers are never used again.
 */
enum bgl_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint16_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The text is not a Request: not JSON, not UTF-8, or not an object with one command.
   */
  BGL_ERROR_INVALID_REQUEST = 100,
  /**
   * There is no such command.
   */
  BGL_ERROR_UNKNOWN_COMMAND = 101,
  /**
   * A field is unknown, missing or has a value that is not allowed.
   */
  BGL_ERROR_INVALID_VALUE = 102,
  /**
   * A text, list, map or depth is over its bound.
   */
  BGL_ERROR_TOO_LARGE = 103,
  /**
   * A caller's time lies after the ledger's now.
   */
  BGL_ERROR_FUTURE_TIME = 104,
  /**
   * A caller's times are not in the order created, started, ended.
   */
  BGL_ERROR_TIME_ORDER = 105,
  /**
   * The request is not available here.
   */
  BGL_ERROR_NOT_AVAILABLE = 106,
  /**
   * No such task, or none this handle may see.
   */
  BGL_ERROR_NOT_FOUND = 200,
  /**
   * There is no ledger at the path; only recording creates one.
   */
  BGL_ERROR_NO_LEDGER = 201,
  /**
   * There is no such configuration key.
   */
  BGL_ERROR_UNKNOWN_KEY = 202,
  /**
   * No such notice, or none this handle may see.
   */
  BGL_ERROR_NO_NOTICE = 203,
  /**
   * No such flow, or none this handle may see.
   */
  BGL_ERROR_NO_FLOW = 204,
  /**
   * The task was there and is pruned: a tombstone is left of it.
   */
  BGL_ERROR_PRUNED = 205,
  /**
   * No such recipient of notices, or none this handle may see.
   */
  BGL_ERROR_UNKNOWN_RECIPIENT = 206,
  /**
   * Several tasks fit the lookup.
   */
  BGL_ERROR_AMBIGUOUS = 300,
  /**
   * The key is taken by a task that says something else.
   */
  BGL_ERROR_EXISTS_WITH_DIFFERENT = 301,
  /**
   * An ancestor was cancelled: no new children.
   */
  BGL_ERROR_ANCESTOR_CANCELLED = 302,
  /**
   * The task was not started yet.
   */
  BGL_ERROR_NOT_STARTED = 303,
  /**
   * Another attempt holds the task now.
   */
  BGL_ERROR_FENCED = 304,
  /**
   * The task has ended and ended differently.
   */
  BGL_ERROR_ALREADY_ENDED = 305,
  /**
   * Another executor runs the task.
   */
  BGL_ERROR_ALREADY_RUNNING = 306,
  /**
   * Cancel was requested: the task may not start again.
   */
  BGL_ERROR_CANCEL_REQUESTED = 307,
  /**
   * A field that may be filled in once is filled already.
   */
  BGL_ERROR_ALREADY_SET = 308,
  /**
   * The parent would be its own descendant, the tree would be too deep, or a task with children would join a flow.
   */
  BGL_ERROR_TREE_SHAPE = 309,
  /**
   * The task's state does not call for this command.
   */
  BGL_ERROR_NOT_DUE = 310,
  /**
   * The claim on the notice is not held any more.
   */
  BGL_ERROR_STALE_CLAIM = 311,
  /**
   * The notice's state does not call for this.
   */
  BGL_ERROR_NOTICE_SETTLED = 312,
  /**
   * Several flows fit the lookup.
   */
  BGL_ERROR_AMBIGUOUS_FLOW = 313,
  /**
   * Somebody else has moved the flow since.
   */
  BGL_ERROR_REVISION_CONFLICT = 314,
  /**
   * The flow has ended.
   */
  BGL_ERROR_FLOW_ENDED = 315,
  /**
   * Cancel of the flow was requested: it gets no new tasks and goes on no more.
   */
  BGL_ERROR_FLOW_CANCEL_REQUESTED = 316,
  /**
   * The flow follows a task: it is moved by that task alone.
   */
  BGL_ERROR_FLOW_MIRRORED = 317,
  /**
   * The key is taken by a flow that says something else.
   */
  BGL_ERROR_FLOW_EXISTS_WITH_DIFFERENT = 318,
  /**
   * A file to be made is there already.
   */
  BGL_ERROR_FILE_EXISTS = 319,
  /**
   * Other writers held the ledger until the deadline.
   */
  BGL_ERROR_BUSY = 400,
  /**
   * The awaited tasks did not end in time.
   */
  BGL_ERROR_WAIT_TIMED_OUT = 401,
  /**
   * The file is not a ledger.
   */
  BGL_ERROR_NOT_A_LEDGER = 500,
  /**
   * The ledger was written by a newer version that this one may not touch.
   */
  BGL_ERROR_NEWER_LEDGER = 501,
  /**
   * The ledger is damaged.
   */
  BGL_ERROR_CORRUPT = 502,
  /**
   * The ledger is on a network file system, where sharing it is not safe.
   */
  BGL_ERROR_NETWORK_FILE_SYSTEM = 503,
  /**
   * The ledger's path cannot be used.
   */
  BGL_ERROR_BAD_PATH = 504,
  /**
   * The ledger cannot be read.
   */
  BGL_ERROR_UNREADABLE = 505,
  /**
   * The ledger cannot be written.
   */
  BGL_ERROR_READ_ONLY = 600,
  /**
   * The disk is full; nothing was changed.
   */
  BGL_ERROR_DISK_FULL = 601,
  /**
   * The disk reported an error; nothing was changed.
   */
  BGL_ERROR_IO = 602,
  /**
   * It is not known whether the call took effect; asking again is safe.
   */
  BGL_ERROR_UNKNOWN = 700,
  /**
   * A fault in this program; nothing was changed.
   */
  BGL_ERROR_INTERNAL = 900,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bgl_error bgl_error;
#else
typedef uint16_t bgl_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Where a flow stands. The numbers are stored and stable for ever.
 */
enum bgl_flow_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Its controller may take it up.
   */
  BGL_FLOW_STATUS_QUEUED = 1,
  /**
   * Its controller is at work.
   */
  BGL_FLOW_STATUS_RUNNING = 2,
  /**
   * It waits for what its `wait` says.
   */
  BGL_FLOW_STATUS_WAITING = 3,
  /**
   * It cannot go on; `blocked` says what stands in its way.
   */
  BGL_FLOW_STATUS_BLOCKED = 4,
  /**
   * It did what it was for.
   */
  BGL_FLOW_STATUS_SUCCEEDED = 5,
  /**
   * It did not.
   */
  BGL_FLOW_STATUS_FAILED = 6,
  /**
   * It was cancelled, and its last active task has settled.
   */
  BGL_FLOW_STATUS_CANCELLED = 7,
  /**
   * Nobody knows: the mirrored task is lost, or it was imported so.
   */
  BGL_FLOW_STATUS_LOST = 8,
};

/**
 * Codes for mistakes in the calling program that the C library notices itself. Every other code is a
 * `bgl_error`. Numbers are kept for ever.
 */
enum bgl_misuse
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A pointer that is needed is NULL.
   */
  BGL_MISUSE_NULL_POINTER = 800,
  /**
   * The handle is not open: closed, freed, of another type, or never given out by this process.
   */
  BGL_MISUSE_BAD_HANDLE = 801,
  /**
   * A struct's `size` is none that this library knows, or what lies beyond the part it knows is not zero.
   */
  BGL_MISUSE_BAD_SIZE = 802,
  /**
   * A length is larger than any object can be.
   */
  BGL_MISUSE_BAD_LENGTH = 803,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bgl_misuse bgl_misuse;
#else
typedef int32_t bgl_misuse;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a caller does about an error: the hundreds of its code.
 */
enum bgl_class
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * There is no error, or no such code.
   */
  BGL_CLASS_NONE = 0,
  /**
   * Correct the request.
   */
  BGL_CLASS_INVALID = 100,
  /**
   * There is no such thing.
   */
  BGL_CLASS_NOT_FOUND = 200,
  /**
   * The rules say no; the message names what is recorded.
   */
  BGL_CLASS_REFUSED = 300,
  /**
   * Ask again later.
   */
  BGL_CLASS_BUSY = 400,
  /**
   * The ledger itself needs attention.
   */
  BGL_CLASS_LEDGER = 500,
  /**
   * It failed and changed nothing.
   */
  BGL_CLASS_FAILED = 600,
  /**
   * It may have taken effect; ask again.
   */
  BGL_CLASS_UNKNOWN = 700,
  /**
   * Correct the calling program.
   */
  BGL_CLASS_MISUSE = 800,
  /**
   * A fault of bgledger; report it.
   */
  BGL_CLASS_INTERNAL = 900,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bgl_class bgl_class;
#else
typedef int32_t bgl_class;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a request to cancel came to.
 */
enum bgl_cancel_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The intent is recorded; the executor will be told.
   */
  BGL_CANCEL_ANSWER_REQUESTED = 1,
  /**
   * The task is cancelled.
   */
  BGL_CANCEL_ANSWER_CANCELLED = 2,
  /**
   * The task had ended already.
   */
  BGL_CANCEL_ANSWER_ALREADY = 3,
  /**
   * The executor was dead; the task is settled.
   */
  BGL_CANCEL_ANSWER_EXECUTOR_GONE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum bgl_cancel_answer bgl_cancel_answer;
#else
typedef int32_t bgl_cancel_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Something that happened to a task. It never changes; threads may read it at once. What the functions below return
 * belongs to it and is valid until bgl_event_free(); NULL or 0 means that the handle is not open.
 */
typedef struct bgl_event bgl_event;

/**
 * Events as they come. Threads may share it; each event is handed out once. In a forked child it answers
 * BGL_MISUSE_BAD_HANDLE.
 */
typedef struct bgl_events bgl_events;

/**
 * A flow as it was when a call answered, and what its tasks came to: a snapshot that never changes. Threads may read
 * it at once.
 *
 * What the functions below return belongs to it and is valid until bgl_flow_free(). They answer NULL,
 * BGL_ABSENT or 0 for what is absent, and for a handle that is NULL or not open.
 */
typedef struct bgl_flow bgl_flow;

/**
 * Flows one after the other: what bgl_flow_list() found. Threads may share it; each flow is handed out once. In a
 * forked child it answers BGL_MISUSE_BAD_HANDLE.
 */
typedef struct bgl_flows bgl_flows;

/**
 * A ledger that is open. Any number of threads may use one handle at once.
 *
 * A handle is a number in disguise, never an address: the library looks it up before it touches anything. NULL, a
 * handle that was closed, and a pointer that never was one are answered with `BGL_MISUSE_NULL_POINTER` or
 * `BGL_MISUSE_BAD_HANDLE`. The same holds for the other handles of this library.
 *
 * After fork() both processes may go on using their copy; fork() waits for the calls that other threads have under
 * way. Cancel callbacks run in the process that asked for them.
 */
typedef struct bgl_ledger bgl_ledger;

/**
 * A message that the ledger owes somebody about a task, as it was when it was claimed. Threads may read it at once.
 *
 * What the functions below return belongs to it and is valid until bgl_notice_free(). They answer NULL, BGL_ABSENT
 * or 0 for what is absent, and for a handle that is NULL or not open.
 */
typedef struct bgl_notice bgl_notice;

/**
 * Notices that were claimed together. Threads may share it; each notice is handed out once. In a forked child it
 * answers BGL_MISUSE_BAD_HANDLE.
 */
typedef struct bgl_notices bgl_notices;

/**
 * A cancel callback that is waiting for its call.
 */
typedef struct bgl_subscription bgl_subscription;

/**
 * A task as it was when a call answered: a snapshot that never changes. Threads may read it at once.
 *
 * What the functions below return belongs to it and is valid until bgl_task_free(). They answer NULL,
 * BGL_ABSENT or 0 for what is absent, and for a handle that is NULL or not open.
 */
typedef struct bgl_task bgl_task;

/**
 * Tasks one after the other: what bgl_list() or bgl_wait() found. Threads may share it; each task is handed out once.
 * In a forked child it answers BGL_MISUSE_BAD_HANDLE.
 */
typedef struct bgl_tasks bgl_tasks;

/**
 * How a ledger is opened. Begin with all zero and set `size` to sizeof(bgl_open_options): zero is the default of
 * every member.
 */
typedef struct bgl_open_options {
  /**
   * sizeof(bgl_open_options).
   */
  size_t size;
  /**
   * See and touch the records of this owner alone. NULL: the operator, who sees all and records under "local".
   */
  const char *owner;
  /**
   * The runtime of tasks that name none. NULL: "subagent".
   */
  const char *runtime;
  /**
   * Who does the work of starts that do not say: "self" (this process) or "external" (nothing to observe).
   * NULL: "self".
   */
  const char *executor;
  /**
   * "full" or "relaxed". NULL: as the ledger's own configuration says.
   */
  const char *durability;
  /**
   * How long a call waits for other writers, in milliseconds. 0: five seconds.
   */
  int64_t busy_timeout_ms;
  /**
   * 1: not at all; such a call answers BGL_ERROR_BUSY.
   */
  int64_t no_wait;
  /**
   * 1: never record.
   */
  int64_t readonly;
  /**
   * 1: use a ledger on a network file system all the same, without WAL.
   */
  int64_t allow_network_fs;
  /**
   * 1: for tests of bgledger itself. Every request must name the time ("now"), so that only bgl_call is of use; the
   * other calls answer BGL_ERROR_INVALID_REQUEST.
   */
  int64_t test_clock;
} bgl_open_options;

/**
 * How a task ended, by its executor's word. Begin with all zero and set `size` and `status`.
 */
typedef struct bgl_finish_options {
  /**
   * sizeof(bgl_finish_options).
   */
  size_t size;
  /**
   * BGL_STATUS_SUCCEEDED, _FAILED, _TIMED_OUT or _CANCELLED.
   */
  int64_t status;
  /**
   * The attempt that speaks. 0: the current one, whosever it is.
   */
  int64_t attempt;
  /**
   * The executor's nonce.
   */
  const char *nonce;
  /**
   * What a success amounts to: "ok" (the default), "blocked", "no_result".
   */
  const char *outcome;
  /**
   * Why it ended otherwise.
   */
  const char *reason;
  /**
   * What went wrong: its kind, such as an exception's class.
   */
  const char *error_type;
  /**
   * What went wrong, in words.
   */
  const char *error_message;
  /**
   * More, such as a traceback; cut to its end if long.
   */
  const char *error_detail;
  /**
   * The result in words.
   */
  const char *summary;
  /**
   * The result as one JSON value, kept as given.
   */
  const char *result_json;
  /**
   * A command's exit code.
   */
  const int64_t *exit_code;
  /**
   * The signal that ended a command.
   */
  const int64_t *signal;
  /**
   * The end of a command's output, as a JSON object: "tail", "bytes", "truncated".
   */
  const char *output_json;
  /**
   * Artifacts to add by name, as a JSON object.
   */
  const char *artifacts_json;
  /**
   * The attempt's total usage, as a JSON object.
   */
  const char *usage_json;
  /**
   * When it ended.
   */
  int64_t ended_at;
} bgl_finish_options;

/**
 * What a new task is. Begin with all zero and set `size`; `label` is needed, zero is the default of all others.
 * Spans are milliseconds, times milliseconds since 1970 UTC.
 */
typedef struct bgl_create_options {
  /**
   * sizeof(bgl_create_options).
   */
  size_t size;
  /**
   * A short title.
   */
  const char *label;
  /**
   * The work's text.
   */
  const char *task;
  /**
   * The caller's idempotency key: creating again with it finds the task that is there.
   */
  const char *key;
  /**
   * Who runs it: a lower-case word. NULL: as the handle was opened.
   */
  const char *runtime;
  /**
   * A finer kind inside the runtime.
   */
  const char *kind;
  /**
   * Its id in the source system, such as the cron job's.
   */
  const char *source_id;
  /**
   * The id of the run in the host: without `key` it is the idempotency key, together with the runtime.
   */
  const char *run_id;
  /**
   * The principal it belongs to. NULL: the handle's.
   */
  const char *owner;
  /**
   * The conversation that asked for the work.
   */
  const char *requester_session;
  /**
   * The conversation in which it runs.
   */
  const char *session;
  /**
   * The agent that does the work.
   */
  const char *agent;
  /**
   * The agent that asked for it.
   */
  const char *requester_agent;
  /**
   * The task that starts it, by any lookup.
   */
  const char *parent;
  /**
   * The flow that it belongs to: its number as text ("F3"), its id or its owner. NULL: its parent's.
   */
  const char *flow;
  /**
   * The task that it runs again, by any lookup.
   */
  const char *retry_of;
  /**
   * A flat JSON object of strings, numbers, booleans and nulls.
   */
  const char *metadata_json;
  /**
   * "done_only", "state_changes" or "silent". NULL: the ledger's default for the runtime.
   */
  const char *notify;
  /**
   * How long it may stay queued.
   */
  int64_t queue_timeout_ms;
  /**
   * How long an attempt may run.
   */
  int64_t timeout_ms;
  /**
   * An earlier time of creation.
   */
  int64_t created_at;
  /**
   * 1: start it at once; the five members below say how.
   */
  int64_t start;
  /**
   * "self" or "external". NULL: as the handle was opened.
   */
  const char *executor;
  /**
   * Another process of this machine does the work: its pid.
   */
  int64_t pid;
  /**
   * The process group of the command that it runs.
   */
  int64_t group;
  /**
   * How long a heartbeat keeps it alive.
   */
  int64_t lease_ms;
  /**
   * When it started.
   */
  int64_t started_at;
  /**
   * Record that it is over already, and how it ended; without `attempt` and `nonce`. NULL: it is not.
   */
  const struct bgl_finish_options *finish;
} bgl_create_options;

/**
 * How a task is claimed. NULL options: by this process (or as the handle was opened), without a lease.
 */
typedef struct bgl_start_options {
  /**
   * sizeof(bgl_start_options).
   */
  size_t size;
  /**
   * "self" or "external". NULL: as the handle was opened.
   */
  const char *executor;
  /**
   * Another process of this machine does the work: its pid.
   */
  int64_t pid;
  /**
   * The process group of the command that it runs.
   */
  int64_t group;
  /**
   * How long a heartbeat keeps it alive.
   */
  int64_t lease_ms;
  /**
   * When it started.
   */
  int64_t started_at;
  /**
   * What was not known when the task was created, as a JSON object: "run_id", "session", "agent",
   * "flow" (its id), ...
   */
  const char *fill_json;
} bgl_start_options;

/**
 * How far the work is. What is zero or NULL stays as it was.
 */
typedef struct bgl_progress_options {
  /**
   * sizeof(bgl_progress_options).
   */
  size_t size;
  /**
   * The attempt that speaks. 0: the current one, whosever it is.
   */
  int64_t attempt;
  /**
   * The executor's nonce.
   */
  const char *nonce;
  /**
   * In words.
   */
  const char *text;
  /**
   * Units done.
   */
  const int64_t *current;
  /**
   * Units in all.
   */
  const int64_t *total;
  /**
   * The unit's name.
   */
  const char *unit;
  /**
   * What it waits for: "input", "auth", "dependency", "timer", "external"; "" says that it waits no more.
   */
  const char *waiting_on;
  /**
   * The attempt's total usage, as a JSON object.
   */
  const char *usage_json;
  /**
   * Artifacts to add by name, as a JSON object.
   */
  const char *artifacts_json;
  /**
   * The lease's new length.
   */
  int64_t lease_ms;
  /**
   * What was not known when the task was created, as a JSON object.
   */
  const char *fill_json;
} bgl_progress_options;

/**
 * Who says that the work lives.
 */
typedef struct bgl_heartbeat_options {
  /**
   * sizeof(bgl_heartbeat_options).
   */
  size_t size;
  /**
   * The attempt that speaks. 0: the current one, whosever it is.
   */
  int64_t attempt;
  /**
   * The executor's nonce.
   */
  const char *nonce;
  /**
   * The lease's new length.
   */
  int64_t lease_ms;
} bgl_heartbeat_options;

/**
 * How a task ended, by an operator's or host's word. Begin with all zero and set `size` and `status`.
 */
typedef struct bgl_settle_options {
  /**
   * sizeof(bgl_settle_options).
   */
  size_t size;
  /**
   * Any end of bgl_status, BGL_STATUS_LOST too.
   */
  int64_t status;
  /**
   * What a success amounts to.
   */
  const char *outcome;
  /**
   * Why it ended otherwise. NULL: "forced", for BGL_STATUS_LOST "reported".
   */
  const char *reason;
  /**
   * Who says so.
   */
  const char *by;
  /**
   * And why.
   */
  const char *why;
  /**
   * What went wrong: its kind.
   */
  const char *error_type;
  /**
   * What went wrong, in words.
   */
  const char *error_message;
  /**
   * More about it.
   */
  const char *error_detail;
  /**
   * The result in words.
   */
  const char *summary;
  /**
   * The result as one JSON value.
   */
  const char *result_json;
  /**
   * When it ended.
   */
  int64_t ended_at;
} bgl_settle_options;

/**
 * Who asks to cancel, and why.
 */
typedef struct bgl_cancel_options {
  /**
   * sizeof(bgl_cancel_options).
   */
  size_t size;
  /**
   * Who asks.
   */
  const char *by;
  /**
   * And why.
   */
  const char *why;
} bgl_cancel_options;

/**
 * Which tasks: those that fit every member that is set. Begin with all zero and set `size`.
 */
typedef struct bgl_list_options {
  /**
   * sizeof(bgl_list_options).
   */
  size_t size;
  /**
   * 1: only queued and running ones.
   */
  int64_t active;
  /**
   * Only these statuses: the sum of 1 << BGL_STATUS_... of each.
   */
  int64_t statuses;
  /**
   * Only this runtime.
   */
  const char *runtime;
  /**
   * Only this kind.
   */
  const char *kind;
  /**
   * Only those that this session asked for or runs.
   */
  const char *session;
  /**
   * Only this agent's.
   */
  const char *agent;
  /**
   * Only this label.
   */
  const char *label;
  /**
   * Only this run id.
   */
  const char *run_id;
  /**
   * Only those with these metadata values: a flat JSON object.
   */
  const char *metadata_json;
  /**
   * Only those created at or after, in milliseconds since 1970 UTC.
   */
  int64_t since;
  /**
   * Only those created before.
   */
  int64_t until;
  /**
   * Only those with this text in label, task, summary or error.
   */
  const char *search;
  /**
   * Only the children of this task.
   */
  const char *parent;
  /**
   * Only the tasks of this flow: its number as text ("F3"), its id or its owner.
   */
  const char *flow;
  /**
   * At most so many. 0: all.
   */
  int64_t limit;
} bgl_list_options;

/**
 * How to wait. NULL options: until all have ended, however long that takes.
 */
typedef struct bgl_wait_options {
  /**
   * sizeof(bgl_wait_options).
   */
  size_t size;
  /**
   * 1: until one of the tasks has ended, not all.
   */
  int64_t any;
  /**
   * After so many milliseconds answer BGL_ERROR_WAIT_TIMED_OUT. 0: never.
   */
  int64_t give_up_after_ms;
  /**
   * 1: only look, and answer BGL_ERROR_WAIT_TIMED_OUT at once if they have not ended.
   */
  int64_t no_wait;
  /**
   * The recipient whose notices about those that ended are delivered by this answer: "session:KEY", "owner:NAME" or
   * "subscriber:NAME". NULL: nobody's.
   */
  const char *ack;
} bgl_wait_options;

/**
 * Which events.
 */
typedef struct bgl_watch_options {
  /**
   * sizeof(bgl_watch_options).
   */
  size_t size;
  /**
   * Only this task's. NULL: all.
   */
  const char *lookup;
  /**
   * Only those after this seq, 0 for all there are. NULL: only those that come.
   */
  const int64_t *after;
} bgl_watch_options;

/**
 * Which notices are taken, and for how long. NULL options: the ten oldest of whatever recipient, for a minute.
 */
typedef struct bgl_notices_claim_options {
  /**
   * sizeof(bgl_notices_claim_options).
   */
  size_t size;
  /**
   * For these recipients: "session:KEY", "owner:NAME" or "subscriber:NAME". NULL: everybody's.
   */
  const char *const *recipients;
  /**
   * How many recipients there are.
   */
  int64_t recipient_count;
  /**
   * Who takes them: a name for people.
   */
  const char *consumer;
  /**
   * How long until they return if nothing is said of them, in milliseconds. 0: a minute.
   */
  int64_t lease_ms;
  /**
   * At most so many, up to 1,000. 0: ten.
   */
  int64_t limit;
} bgl_notices_claim_options;

/**
 * What is called when cancel of a task is requested, on a thread of the library on which all signals are blocked.
 *
 * `task` is the task as it is then; it belongs to the library and is valid during the call. The callback may use the
 * library, bgl_subscription_free() and bgl_close() included. It must return: no longjmp, no exception.
 *
 * All callbacks of a handle share one thread: while one runs, the others wait. bgl_subscription_free() and
 * bgl_close() wait for a callback that runs: do not hold a lock meanwhile that the callback takes. A process that is
 * forked from within a callback must exec or _exit before the callback returns: there nobody serves callbacks, and
 * the thread that is left ends.
 */
typedef void (*bgl_cancel_callback)(void *user_data, const struct bgl_task *task);

/**
 * What a new flow is. Begin with all zero and set `size`; `goal` and `controller` are needed, or `mirrors` alone.
 */
typedef struct bgl_flow_create_options {
  /**
   * sizeof(bgl_flow_create_options).
   */
  size_t size;
  /**
   * What it is for.
   */
  const char *goal;
  /**
   * Who moves it: a name by which its host finds it again.
   */
  const char *controller;
  /**
   * The task that it follows, by any lookup: everything else is read from that task.
   */
  const char *mirrors;
  /**
   * The caller's idempotency key: creating again with it finds the flow that is there.
   */
  const char *key;
  /**
   * The principal it belongs to. NULL: the handle's.
   */
  const char *owner;
  /**
   * 1: its controller is at work already. It is queued otherwise.
   */
  int64_t running;
  /**
   * The step that it is at.
   */
  const char *step;
  /**
   * What its controller keeps of it, as one JSON value.
   */
  const char *state_json;
} bgl_flow_create_options;

/**
 * What a flow waits for. NULL keeps what is recorded, and "" clears it; so does null as JSON. NULL options: nothing
 * but that it waits.
 */
typedef struct bgl_flow_wait_options {
  /**
   * sizeof(bgl_flow_wait_options).
   */
  size_t size;
  /**
   * The step that it is at.
   */
  const char *step;
  /**
   * What its controller keeps of it, as one JSON value.
   */
  const char *state_json;
  /**
   * What it waits for, as one JSON value.
   */
  const char *wait_json;
  /**
   * The task that stands in its way, by any lookup: it is blocked. NULL: none does.
   */
  const char *blocked_task;
  /**
   * What stands in its way, in words: it is blocked. NULL: nothing does.
   */
  const char *blocked_summary;
} bgl_flow_wait_options;

/**
 * How a flow goes on. NULL keeps what is recorded, and "" clears it; so does null as JSON. NULL options: it is queued.
 */
typedef struct bgl_flow_resume_options {
  /**
   * sizeof(bgl_flow_resume_options).
   */
  size_t size;
  /**
   * 1: its controller is at work. It is queued otherwise.
   */
  int64_t running;
  /**
   * The step that it is at.
   */
  const char *step;
  /**
   * What its controller keeps of it, as one JSON value.
   */
  const char *state_json;
} bgl_flow_resume_options;

/**
 * How a flow succeeded. NULL keeps what is recorded, and "" clears it; so does null as JSON.
 */
typedef struct bgl_flow_finish_options {
  /**
   * sizeof(bgl_flow_finish_options).
   */
  size_t size;
  /**
   * The step that it ended at.
   */
  const char *step;
  /**
   * What its controller keeps of it, as one JSON value.
   */
  const char *state_json;
} bgl_flow_finish_options;

/**
 * How a flow failed. NULL keeps what is recorded, and "" clears it; so does null as JSON.
 */
typedef struct bgl_flow_fail_options {
  /**
   * sizeof(bgl_flow_fail_options).
   */
  size_t size;
  /**
   * The step that it ended at.
   */
  const char *step;
  /**
   * What its controller keeps of it, as one JSON value.
   */
  const char *state_json;
  /**
   * The task that stood in its way, by any lookup. NULL, and no summary: what is recorded stays.
   */
  const char *blocked_task;
  /**
   * What stood in its way, in words.
   */
  const char *blocked_summary;
} bgl_flow_fail_options;

/**
 * Which flows: those that fit every member that is set. Begin with all zero and set `size`.
 */
typedef struct bgl_flow_list_options {
  /**
   * sizeof(bgl_flow_list_options).
   */
  size_t size;
  /**
   * 1: only those that have not ended.
   */
  int64_t active;
  /**
   * Only these statuses: the sum of 1 << BGL_FLOW_STATUS_... of each.
   */
  int64_t statuses;
  /**
   * Only this controller's.
   */
  const char *controller;
  /**
   * At most so many. 0: all.
   */
  int64_t limit;
} bgl_flow_list_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library as text, such as "0.1.0". Never NULL; lives as long as the program. Thread-safe.
 */
const char *bgl_version(void);

/**
 * The ABI version of the library that is loaded. A program was built for another one if this is not its own
 * `BGL_ABI_VERSION`. Thread-safe.
 */
uint32_t bgl_abi_version(void);

/**
 * The stable word of a code, such as "not_found": the same as in JSON. "ok" for `BGL_OK`, "unknown_code" for a
 * number that is no code. Never NULL; lives as long as the program. Thread-safe.
 */
const char *bgl_strerror(int code);

/**
 * The class of a code, one of `bgl_class`: what to do about it. `BGL_CLASS_NONE` for `BGL_OK` and for numbers that
 * are no code. Thread-safe.
 */
int bgl_error_class(int code);

/**
 * Opens the ledger at a path and writes a handle to `*out`.
 *
 * `path` NULL means the default: $BGLEDGER_DB, else bgledger/ledger.db in the XDG state folder. `options` NULL means
 * the defaults. A missing file is no error: the first recorded task creates it. The strings are copied.
 *
 * Ownership: the caller ends the handle with bgl_close(). Thread-safe.
 * Errors: BGL_ERROR_BAD_PATH, _NOT_A_LEDGER, _NETWORK_FILE_SYSTEM, _UNREADABLE, _INVALID_VALUE (an owner, runtime or
 * option that cannot be, or text that is not UTF-8), _TOO_LARGE, _INTERNAL; BGL_MISUSE_NULL_POINTER (`out`),
 * BGL_MISUSE_BAD_SIZE. The message of a failed open is told by bgl_errmsg(NULL).
 */
int bgl_open(const char *path,
             const struct bgl_open_options *options,
             struct bgl_ledger **out);

/**
 * Carries out one Request given as `len` bytes of JSON, and writes one Response as JSON to `*out`: any command that
 * the ledger has. `bgledger schema` describes both.
 *
 * BGL_OK means that there is a Response: {"ok": ...}, or {"error": {"code", "class", "message", "hint", ...}}. The
 * request needs no NUL at its end. The response has one, which `*out_len` does not count; `out_len` may be NULL.
 *
 * Ownership: the caller ends `*out` with bgl_free(). Thread-safe; a "wait" or "watch" blocks only its own thread.
 * Errors, without a Response: BGL_ERROR_INVALID_REQUEST (not UTF-8), BGL_ERROR_UNKNOWN (no memory for the Response:
 * the request may have taken effect), BGL_ERROR_INTERNAL, BGL_MISUSE_NULL_POINTER (`request`, `out`, the handle),
 * BGL_MISUSE_BAD_HANDLE (also if the handle was closed during a "wait" or "watch"), BGL_MISUSE_BAD_LENGTH.
 */
int bgl_call(struct bgl_ledger *ledger,
             const char *request,
             size_t len,
             char **out,
             size_t *out_len);

/**
 * Frees what bgl_call() returned. NULL is fine. Like free(): once, and nothing else. Thread-safe.
 */
void bgl_free(void *memory);

/**
 * Ends a handle. This does not wait for calls that other threads have under way on it: they finish as if it was
 * open, but those that wait (bgl_wait(), bgl_events_next(), a "wait" or "watch" of bgl_call()) end within half a
 * second with BGL_MISUSE_BAD_HANDLE. Calls that begin later answer BGL_MISUSE_BAD_HANDLE.
 *
 * Its cancel callbacks are over when this returns, unless it is called from one of them: that one goes on, and no
 * other is called. So do not hold a lock that a callback takes. Tasks, events and notices that came from it live on;
 * its lists and watches answer BGL_MISUSE_BAD_HANDLE where they need it, and still want their own free.
 *
 * Thread-safe. Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE (closed already, or never open).
 */
int bgl_close(struct bgl_ledger *ledger);

/**
 * What the last failed call of this thread on this handle was refused for, in words for people. NULL for `ledger`
 * means the thread's last failed call on whatever handle, a failed bgl_open() included; failures on tasks, lists,
 * watches and notices are told by NULL, too. Calls that succeed leave it alone, and so does ending NULL, which
 * cleaning up may do. A thread remembers the eight handles on which a call failed last.
 *
 * Ownership: the library's. The text is valid until the next call of this thread that fails, or until the thread
 * ends. Never NULL; empty if nothing failed. Thread-safe: each thread has messages of its own.
 */
const char *bgl_errmsg(struct bgl_ledger *ledger);

/**
 * The same as JSON, with the fields that matter: {"error": {"code", "class", "message", "hint", ...}}. Lifetime and
 * thread-safety are those of bgl_errmsg().
 */
const char *bgl_errjson(struct bgl_ledger *ledger);

/**
 * Records a task, or finds that it is recorded: creating again with the same key (`key`, else `runtime` and
 * `run_id`) is no error and answers with the task that is there.
 *
 * `*flags` tells BGL_FLAG_CREATED if it was recorded now; `*task` is the task. Both may be NULL.
 * Ownership: strings are copied; the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_EXISTS_WITH_DIFFERENT (the key is taken by a task that says something else), _NOT_FOUND, _PRUNED,
 * _AMBIGUOUS (`parent`, `retry_of`), _NO_FLOW, _AMBIGUOUS_FLOW, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED (also that of the
 * parent), _FLOW_MIRRORED, _ANCESTOR_CANCELLED, _TREE_SHAPE (too deep), _FUTURE_TIME, _TIME_ORDER, and those of every
 * recording call.
 */
int bgl_create(struct bgl_ledger *ledger,
               const struct bgl_create_options *options,
               uint32_t *flags,
               struct bgl_task **task);

/**
 * Claims a queued task, or takes over a lost one: the next attempt. The same start again by the same executor
 * changes nothing.
 *
 * `lookup` is a task's number as text ("42"), its id, run id or session key. `options`, `flags` and `task` may be
 * NULL; bgl_task_attempt() tells the number to name in later calls.
 * Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _ALREADY_RUNNING, _ALREADY_ENDED, _CANCEL_REQUESTED, _ALREADY_SET,
 * _ANCESTOR_CANCELLED, _TREE_SHAPE (a parent filled in), _NO_FLOW, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED,
 * _FLOW_MIRRORED, _NOT_DUE (a flow filled in), _FUTURE_TIME, _TIME_ORDER, and those of every recording call.
 */
int bgl_start(struct bgl_ledger *ledger,
              const char *lookup,
              const struct bgl_start_options *options,
              uint32_t *flags,
              struct bgl_task **task);

/**
 * Reports how far the work is. `*flags` tells whether cancel is requested and whether the deadline passed.
 *
 * `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _NOT_STARTED, _FENCED (another attempt holds the task: stop
 * working), _ALREADY_ENDED, _ALREADY_SET, _ANCESTOR_CANCELLED, _TREE_SHAPE (a parent filled in), _NO_FLOW,
 * _FLOW_ENDED, _FLOW_CANCEL_REQUESTED, _FLOW_MIRRORED, _NOT_DUE (a flow filled in), and those of every recording call.
 */
int bgl_progress(struct bgl_ledger *ledger,
                 const char *lookup,
                 const struct bgl_progress_options *options,
                 uint32_t *flags,
                 struct bgl_task **task);

/**
 * Says that the work lives and renews its lease. `*flags` tells BGL_FLAG_CANCEL_REQUESTED if the work should stop:
 * that is how most executors learn of it.
 *
 * `options` and `flags` may be NULL. Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _NOT_STARTED, _FENCED (another attempt holds the task: stop
 * working), _ALREADY_ENDED, and those of every recording call.
 */
int bgl_heartbeat(struct bgl_ledger *ledger,
                  const char *lookup,
                  const struct bgl_heartbeat_options *options,
                  uint32_t *flags);

/**
 * Ends a task, by its executor's word. The same end again changes nothing; another end is refused.
 *
 * `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _FENCED (another attempt holds the task), _ALREADY_ENDED,
 * _FUTURE_TIME, _TIME_ORDER, and those of every recording call.
 */
int bgl_finish(struct bgl_ledger *ledger,
               const char *lookup,
               const struct bgl_finish_options *options,
               uint32_t *flags,
               struct bgl_task **task);

/**
 * Ends a task by an operator's or host's word, recorded with its author.
 *
 * `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _ALREADY_ENDED, _FUTURE_TIME, _TIME_ORDER, and those of every
 * recording call.
 */
int bgl_settle(struct bgl_ledger *ledger,
               const char *lookup,
               const struct bgl_settle_options *options,
               uint32_t *flags,
               struct bgl_task **task);

/**
 * Asks to cancel a task and all that descends from it. `*answer` is one of bgl_cancel_answer.
 *
 * `options`, `answer` and `task` may be NULL. Where an executor is dead and its process group is not, the group is
 * stopped first, which takes up to ten seconds.
 * Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every recording call.
 */
int bgl_request_cancel(struct bgl_ledger *ledger,
                       const char *task_lookup,
                       const struct bgl_cancel_options *options,
                       int32_t *answer,
                       struct bgl_task **task);

/**
 * Reads one task and writes it to `*out`.
 *
 * `lookup` is a task's number as text ("42"), its id, run id or session key.
 * Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS (several tasks with that run id), and those of every call on a
 * ledger.
 */
int bgl_get(struct bgl_ledger *ledger,
            const char *lookup,
            struct bgl_task **out);

/**
 * Reads one task and writes it to `*out`, as bgl_get() does, and says that by this answer `recipient` ("session:KEY",
 * "owner:NAME" or "subscriber:NAME") has heard of it: the notices about it that are owed to that recipient are
 * delivered, in the same transaction.
 *
 * Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _UNKNOWN_RECIPIENT, and those of every recording call.
 */
int bgl_task_read(struct bgl_ledger *ledger,
                  const char *lookup,
                  const char *recipient,
                  struct bgl_task **out);

/**
 * Lists tasks, newest first. `*out` hands them out with bgl_tasks_next(); it fetches them page by page, each page
 * as the ledger is then.
 *
 * `options` NULL means all tasks. Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS (the parent), _NO_FLOW, and those of every call on a ledger.
 */
int bgl_list(struct bgl_ledger *ledger,
             const struct bgl_list_options *options,
             struct bgl_tasks **out);

/**
 * Writes the next task to `*out`, or NULL when there are no more.
 *
 * Ownership: the caller ends each task with bgl_task_free(). Thread-safe.
 * Errors: those of every call on a ledger; BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more had to be
 * fetched. After an error it may be asked again: no task is skipped. BGL_ERROR_CORRUPT once, in place of the end, if
 * rows among them could not be read.
 */
int bgl_tasks_next(struct bgl_tasks *tasks,
                   struct bgl_task **out);

/**
 * Ends a list. Tasks that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was
 * freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_tasks_free(struct bgl_tasks *tasks);

/**
 * Blocks until every one of `count` tasks has ended (or any, says the option), and writes them to `*out` in the
 * order asked for, as they are then.
 *
 * A lost task counts as ended. What a session key or run id names is settled at the beginning. Another thread may go
 * on using the handle; bgl_close() from one ends the wait soon.
 * Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe; the signal mask is left alone, and a signal
 * does not end the wait.
 * Errors: BGL_ERROR_WAIT_TIMED_OUT, _NOT_FOUND, _PRUNED, _AMBIGUOUS, those of every call on a ledger and, where the
 * options name a recipient, _UNKNOWN_RECIPIENT and those of every recording call; BGL_MISUSE_BAD_HANDLE also if the
 * handle was closed meanwhile.
 */
int bgl_wait(struct bgl_ledger *ledger,
             const char *const *lookups,
             size_t count,
             const struct bgl_wait_options *options,
             struct bgl_tasks **out);

/**
 * Follows the ledger, or one task. `*out` hands events out with bgl_events_next(), oldest first.
 *
 * `options` NULL means all events that come from now on. Ownership: the caller ends `*out` with bgl_events_free().
 * Thread-safe. Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every call on a ledger.
 */
int bgl_watch(struct bgl_ledger *ledger,
              const struct bgl_watch_options *options,
              struct bgl_events **out);

/**
 * Writes the next event to `*out`, or NULL when none came in time. Waits up to `timeout_ms` milliseconds for it, as
 * poll() does: 0 not at all, -1 without end.
 *
 * Ownership: the caller ends each event with bgl_event_free(). Thread-safe; other threads that ask the same watch
 * wait for their turn.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED (the one task that it follows is no longer there), and those of every call on a
 * ledger; BGL_MISUSE_BAD_HANDLE also if the watch was freed or its ledger closed meanwhile. After an error it may be
 * asked again: no event is skipped.
 */
int bgl_events_next(struct bgl_events *events,
                    int64_t timeout_ms,
                    struct bgl_event **out);

/**
 * The seq of the last event that was handed out, or where the watch began: go on from here with
 * bgl_watch_options.after. 0 if the handle is not open. Thread-safe.
 */
uint64_t bgl_events_cursor(const struct bgl_events *events);

/**
 * Whether events after the place where the watch began went with tasks that were pruned before they were fetched: 1
 * or 0. If so, what bgl_events_next() has handed out by now is not all that happened: look at the tasks themselves.
 * Thread-safe.
 */
int bgl_events_truncated(const struct bgl_events *events);

/**
 * Ends a watch. Events that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was
 * freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_events_free(struct bgl_events *events);

/**
 * Ends a task's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
 * handle that was freed before with BGL_MISUSE_BAD_HANDLE; neither does any harm. Thread-safe.
 */
int bgl_task_free(struct bgl_task *task);

/**
 * Its number: 1, 2, 3 ... within its ledger, what people type. 0 if the handle is not open. Thread-safe.
 */
uint64_t bgl_task_number(const struct bgl_task *task);

/**
 * Where it stands, one of bgl_status. 0 if the handle is not open. Thread-safe.
 */
int bgl_task_status(const struct bgl_task *task);

/**
 * Whether cancel of it was requested: 1 or 0. Thread-safe.
 */
int bgl_task_cancel_requested(const struct bgl_task *task);

/**
 * Whether it has ended: 1 or 0. A lost task has, and may go on all the same. Thread-safe.
 */
int bgl_task_has_ended(const struct bgl_task *task);

/**
 * Its global id, a UUID. Thread-safe.
 */
const char *bgl_task_id(const struct bgl_task *task);

/**
 * The word of its status, such as "running". Thread-safe.
 */
const char *bgl_task_status_word(const struct bgl_task *task);

/**
 * What a success amounts to: "ok", "blocked", "no_result". Thread-safe.
 */
const char *bgl_task_outcome(const struct bgl_task *task);

/**
 * Why it ended otherwise. Thread-safe.
 */
const char *bgl_task_reason(const struct bgl_task *task);

/**
 * Its short title. Thread-safe.
 */
const char *bgl_task_label(const struct bgl_task *task);

/**
 * The work's text. Thread-safe.
 */
const char *bgl_task_text(const struct bgl_task *task);

/**
 * The caller's idempotency key. Thread-safe.
 */
const char *bgl_task_key(const struct bgl_task *task);

/**
 * Who runs it. Thread-safe.
 */
const char *bgl_task_runtime(const struct bgl_task *task);

/**
 * A finer kind inside the runtime. Thread-safe.
 */
const char *bgl_task_kind(const struct bgl_task *task);

/**
 * Its id in the source system. Thread-safe.
 */
const char *bgl_task_source_id(const struct bgl_task *task);

/**
 * The id of the run in the host. Thread-safe.
 */
const char *bgl_task_run_id(const struct bgl_task *task);

/**
 * The principal it belongs to. Thread-safe.
 */
const char *bgl_task_owner(const struct bgl_task *task);

/**
 * The conversation that asked for the work. Thread-safe.
 */
const char *bgl_task_requester_session(const struct bgl_task *task);

/**
 * The conversation in which it runs. Thread-safe.
 */
const char *bgl_task_session(const struct bgl_task *task);

/**
 * The agent that does the work. Thread-safe.
 */
const char *bgl_task_agent(const struct bgl_task *task);

/**
 * The agent that asked for it. Thread-safe.
 */
const char *bgl_task_requester_agent(const struct bgl_task *task);

/**
 * The id of the task that started it. Thread-safe.
 */
const char *bgl_task_parent(const struct bgl_task *task);

/**
 * The id of the task at the top of its tree; NULL if it is the top itself. Thread-safe.
 */
const char *bgl_task_root(const struct bgl_task *task);

/**
 * The id of the flow that it belongs to. Thread-safe.
 */
const char *bgl_task_flow(const struct bgl_task *task);

/**
 * The id of the task that it runs again. Thread-safe.
 */
const char *bgl_task_retry_of(const struct bgl_task *task);

/**
 * What running work waits for. Thread-safe.
 */
const char *bgl_task_waiting_on(const struct bgl_task *task);

/**
 * How far it is, in words. Thread-safe.
 */
const char *bgl_task_progress_text(const struct bgl_task *task);

/**
 * The name of the units of its progress. Thread-safe.
 */
const char *bgl_task_progress_unit(const struct bgl_task *task);

/**
 * The kind of what went wrong. Thread-safe.
 */
const char *bgl_task_error_type(const struct bgl_task *task);

/**
 * What went wrong, in words. Thread-safe.
 */
const char *bgl_task_error_message(const struct bgl_task *task);

/**
 * More about what went wrong. Thread-safe.
 */
const char *bgl_task_error_detail(const struct bgl_task *task);

/**
 * The result in words. Thread-safe.
 */
const char *bgl_task_summary(const struct bgl_task *task);

/**
 * The result as JSON, as it was given. Thread-safe.
 */
const char *bgl_task_result_json(const struct bgl_task *task);

/**
 * The end of a command's output. Thread-safe.
 */
const char *bgl_task_output_tail(const struct bgl_task *task);

/**
 * What it left behind, as a JSON object by name; "{}" if there is nothing. Thread-safe.
 */
const char *bgl_task_artifacts_json(const struct bgl_task *task);

/**
 * What it cost over all attempts, as a JSON object. Thread-safe.
 */
const char *bgl_task_usage_json(const struct bgl_task *task);

/**
 * What its creator wants to find again, as a flat JSON object; "{}" if there is nothing. Thread-safe.
 */
const char *bgl_task_metadata_json(const struct bgl_task *task);

/**
 * Whom its notices go out for: "done_only", "state_changes", "silent". Thread-safe.
 */
const char *bgl_task_notify(const struct bgl_task *task);

/**
 * What became of its notices: "pending", "failed", "delivered", "dismissed", "not_applicable". Thread-safe.
 */
const char *bgl_task_delivery(const struct bgl_task *task);

/**
 * Who asked to cancel it. Thread-safe.
 */
const char *bgl_task_cancel_by(const struct bgl_task *task);

/**
 * Why it should be cancelled. Thread-safe.
 */
const char *bgl_task_cancel_why(const struct bgl_task *task);

/**
 * When cancel of it was first requested. Thread-safe.
 */
int64_t bgl_task_cancel_requested_at(const struct bgl_task *task);

/**
 * When its executor learned of that. Thread-safe.
 */
int64_t bgl_task_cancel_told_at(const struct bgl_task *task);

/**
 * What is known of a running task's executor: "alive", "gone", "lease_expired", "unknown". Thread-safe.
 */
const char *bgl_task_liveness(const struct bgl_task *task);

/**
 * The whole task as JSON: what `bgledger show --json` has under "task". Thread-safe.
 */
const char *bgl_task_json(const struct bgl_task *task);

/**
 * Units done. Thread-safe.
 */
int64_t bgl_task_progress_current(const struct bgl_task *task);

/**
 * Units in all. Thread-safe.
 */
int64_t bgl_task_progress_total(const struct bgl_task *task);

/**
 * A command's exit code. Thread-safe.
 */
int64_t bgl_task_exit_code(const struct bgl_task *task);

/**
 * The signal that ended a command. Thread-safe.
 */
int64_t bgl_task_signal(const struct bgl_task *task);

/**
 * When it was recorded, in milliseconds since 1970 UTC; as are all times. Thread-safe.
 */
int64_t bgl_task_created_at(const struct bgl_task *task);

/**
 * The first attempt's start. Thread-safe.
 */
int64_t bgl_task_started_at(const struct bgl_task *task);

/**
 * When it ended. Thread-safe.
 */
int64_t bgl_task_ended_at(const struct bgl_task *task);

/**
 * The last write. Thread-safe.
 */
int64_t bgl_task_updated_at(const struct bgl_task *task);

/**
 * The last heartbeat. Thread-safe.
 */
int64_t bgl_task_heartbeat_at(const struct bgl_task *task);

/**
 * The last progress. Thread-safe.
 */
int64_t bgl_task_progress_at(const struct bgl_task *task);

/**
 * When its lease runs out. Thread-safe.
 */
int64_t bgl_task_lease_expires_at(const struct bgl_task *task);

/**
 * How long it may stay queued, in milliseconds. Thread-safe.
 */
int64_t bgl_task_queue_timeout_ms(const struct bgl_task *task);

/**
 * How long an attempt may run, in milliseconds. Thread-safe.
 */
int64_t bgl_task_timeout_ms(const struct bgl_task *task);

/**
 * The current attempt, from 1; 0 before the first. An executor names it in each call. Thread-safe.
 */
int64_t bgl_task_attempt(const struct bgl_task *task);

/**
 * Counts the writes of its row. Thread-safe.
 */
int64_t bgl_task_revision(const struct bgl_task *task);

/**
 * Ends an event's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
 * handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_event_free(struct bgl_event *event);

/**
 * Its place in the ledger's one order: 1, 2, 3 ... without gap. Thread-safe.
 */
uint64_t bgl_event_seq(const struct bgl_event *event);

/**
 * When it was recorded, in milliseconds since 1970 UTC. Thread-safe.
 */
int64_t bgl_event_at(const struct bgl_event *event);

/**
 * The task's number. Thread-safe.
 */
uint64_t bgl_event_number(const struct bgl_event *event);

/**
 * What happened: "created", "started", "progress", "cancel_requested", "finished", ... Thread-safe.
 */
const char *bgl_event_type(const struct bgl_event *event);

/**
 * The task's id. Thread-safe.
 */
const char *bgl_event_id(const struct bgl_event *event);

/**
 * The whole event as JSON: what `bgledger watch --json` prints. Thread-safe.
 */
const char *bgl_event_json(const struct bgl_event *event);

/**
 * Takes notices that are due, oldest first, under a lease, and writes them to `*out`. It does not wait: if nothing is
 * due there are none, and bgl_notices_token() is NULL.
 *
 * Deliver each one, recording its bgl_notice_key() with the effect, then say so by bgl_notices_ack(): whoever looks
 * for the key before acting has each effect once. What is neither acknowledged nor refused returns when the lease
 * runs out.
 * Ownership: the caller ends `*out` with bgl_notices_free(). Thread-safe.
 * Errors: BGL_ERROR_UNKNOWN_RECIPIENT, and those of every recording call.
 */
int bgl_notices_claim(struct bgl_ledger *ledger,
                      const struct bgl_notices_claim_options *options,
                      struct bgl_notices **out);

/**
 * Says that `count` notices of a claim were delivered: all or none of them. Asking again changes nothing.
 *
 * `claim` is the word of bgl_notices_token(), `ids` are those of bgl_notice_id(). `*changed`, which may be NULL,
 * tells how many were not acknowledged before. The strings are copied. Thread-safe.
 * Errors: BGL_ERROR_NO_NOTICE (withdrawn meanwhile, by a newer outcome), _STALE_CLAIM (the lease ran out and somebody
 * else has it, or it was refused or dismissed), and those of every recording call.
 */
int bgl_notices_ack(struct bgl_ledger *ledger,
                    const char *claim,
                    const char *const *ids,
                    size_t count,
                    uint64_t *changed);

/**
 * Says that `count` notices of a claim could not be delivered, and why: all or none of them. They are tried again
 * later, ever more seldom, and end as dead letters.
 *
 * As bgl_notices_ack() in all else. Thread-safe. Errors: BGL_ERROR_NO_NOTICE, _STALE_CLAIM, _NOTICE_SETTLED (it was
 * acknowledged), and those of every recording call.
 */
int bgl_notices_nack(struct bgl_ledger *ledger,
                     const char *claim,
                     const char *const *ids,
                     size_t count,
                     const char *reason,
                     uint64_t *changed);

/**
 * The word that names the claim in bgl_notices_ack() and bgl_notices_nack(). NULL if nothing was due, or if the
 * handle is not open; valid until bgl_notices_free(). Thread-safe.
 */
const char *bgl_notices_token(const struct bgl_notices *notices);

/**
 * Writes the next notice to `*out`, or NULL when there are no more.
 *
 * Ownership: the caller ends each notice with bgl_notice_free(). Thread-safe.
 * Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE; BGL_ERROR_INTERNAL if no more handles can be had. After an
 * error it may be asked again: no notice is skipped.
 */
int bgl_notices_next(struct bgl_notices *notices,
                     struct bgl_notice **out);

/**
 * Ends what a claim brought; the claim itself goes on. Notices that it handed out live on. NULL is answered with
 * BGL_MISUSE_NULL_POINTER, a handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_notices_free(struct bgl_notices *notices);

/**
 * Ends a notice's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
 * handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_notice_free(struct bgl_notice *notice);

/**
 * Writes the notice's task, as it was when the notice was claimed, to `*out`; NULL if it was pruned by then. What the
 * notice tells outlives its task: bgl_notice_message() and bgl_notice_number() go on to say what it was about.
 *
 * Ownership: the caller ends `*out` with bgl_task_free(); it outlives the notice. Thread-safe.
 * Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE; BGL_ERROR_INTERNAL if no more handles can be had.
 */
int bgl_notice_task(const struct bgl_notice *notice,
                    struct bgl_task **out);

/**
 * Its name within this ledger, such as "34/session:chat". Thread-safe.
 */
const char *bgl_notice_id(const struct bgl_notice *notice);

/**
 * Its name everywhere: recorded with the effect, it makes sure that there is one. Thread-safe.
 */
const char *bgl_notice_key(const struct bgl_notice *notice);

/**
 * What happened: the type of the event that owes it, such as "finished". Thread-safe.
 */
const char *bgl_notice_type(const struct bgl_notice *notice);

/**
 * Who gets it: "session:KEY", "owner:NAME" or "subscriber:NAME". Thread-safe.
 */
const char *bgl_notice_recipient(const struct bgl_notice *notice);

/**
 * What it says, in words for people. Thread-safe.
 */
const char *bgl_notice_message(const struct bgl_notice *notice);

/**
 * Where it stands: "claimed" as a claim brings it. Thread-safe.
 */
const char *bgl_notice_state(const struct bgl_notice *notice);

/**
 * Who took it. Thread-safe.
 */
const char *bgl_notice_consumer(const struct bgl_notice *notice);

/**
 * Why it was refused before. Thread-safe.
 */
const char *bgl_notice_reason(const struct bgl_notice *notice);

/**
 * The whole notice as JSON: what `bgledger notices claim --json` has under "notices". Thread-safe.
 */
const char *bgl_notice_json(const struct bgl_notice *notice);

/**
 * The seq of the event that owes it. 0 if the handle is not open. Thread-safe.
 */
uint64_t bgl_notice_seq(const struct bgl_notice *notice);

/**
 * The task's number. 0 if the handle is not open. Thread-safe.
 */
uint64_t bgl_notice_number(const struct bgl_notice *notice);

/**
 * The outcome it speaks of: each end and each recovery of a task opens another one. Thread-safe.
 */
int64_t bgl_notice_generation(const struct bgl_notice *notice);

/**
 * How often it was claimed, this time included. Thread-safe.
 */
int64_t bgl_notice_attempts(const struct bgl_notice *notice);

/**
 * When its lease ends, in milliseconds since 1970 UTC. Thread-safe.
 */
int64_t bgl_notice_due_at(const struct bgl_notice *notice);

/**
 * Calls `callback(user_data, task)` once, on a thread of the library, when cancel of a task is requested: for the
 * executor of its current attempt. If it is requested already, the callback is called soon.
 *
 * Before the call the ledger is told that the executor knows (as a heartbeat of that attempt does). If another
 * attempt holds the task by then, or the task is no longer there, the callback is not called. It is called in the
 * process that asked for it, not in its forked children. It may run, and be over, before this call has written
 * `*out`, which stays valid after the callback.
 * Ownership: the caller ends `*out` with bgl_subscription_free(); bgl_close() stops the callback, too. What
 * `user_data` points to must live until either has returned, or until this call has failed. Thread-safe.
 * Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every call on a ledger; BGL_ERROR_INTERNAL also if no
 * thread can be had.
 */
int bgl_on_cancel(struct bgl_ledger *ledger,
                  const char *lookup,
                  bgl_cancel_callback callback,
                  void *user_data,
                  struct bgl_subscription **out);

/**
 * Ends a cancel callback. When this returns it is not running and will not be called any more, unless this is called
 * from within it: then it will not be called again. So do not hold a lock that the callback takes.
 *
 * NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was freed before with BGL_MISUSE_BAD_HANDLE.
 * Thread-safe.
 */
int bgl_subscription_free(struct bgl_subscription *subscription);

/**
 * Records a flow, or finds that it is recorded: creating again with the same key is no error and answers with the
 * flow that is there, and so does mirroring a task that is mirrored already.
 *
 * `*flags` tells BGL_FLAG_CREATED if it was recorded now; `*flow` is the flow. Both may be NULL.
 * Ownership: strings are copied; the caller ends `*flow` with bgl_flow_free(). Thread-safe.
 * Errors: BGL_ERROR_FLOW_EXISTS_WITH_DIFFERENT (the key is taken by a flow that says something else), _NOT_FOUND,
 * _PRUNED, _AMBIGUOUS (`mirrors`), and those of every recording call.
 */
int bgl_flow_create(struct bgl_ledger *ledger,
                    const struct bgl_flow_create_options *options,
                    uint32_t *flags,
                    struct bgl_flow **flow);

/**
 * Has a flow wait; it is blocked where the options say what stands in its way.
 *
 * `lookup` is a flow's number as text ("F3"), its id, or an owner of whose flows exactly one goes on. `revision` is
 * that of the flow as the caller saw it: whoever has not seen the newest is refused and looks again. `options`,
 * `flags` and `flow` may be NULL. Ownership: strings are copied; the caller ends `*flow` with bgl_flow_free().
 * Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT (somebody else has moved it since), _FLOW_ENDED,
 * _FLOW_CANCEL_REQUESTED, _FLOW_MIRRORED, _NOT_FOUND, _PRUNED, _AMBIGUOUS (`blocked_task`), and those of every
 * recording call.
 */
int bgl_flow_wait(struct bgl_ledger *ledger,
                  const char *lookup,
                  int64_t revision,
                  const struct bgl_flow_wait_options *options,
                  uint32_t *flags,
                  struct bgl_flow **flow);

/**
 * Has a flow go on: what it waited for and what stood in its way are cleared.
 *
 * As bgl_flow_wait() in all else. Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED,
 * _FLOW_MIRRORED, and those of every recording call.
 */
int bgl_flow_resume(struct bgl_ledger *ledger,
                    const char *lookup,
                    int64_t revision,
                    const struct bgl_flow_resume_options *options,
                    uint32_t *flags,
                    struct bgl_flow **flow);

/**
 * Ends a flow that did what it was for. The same end again changes nothing, whatever the revision; another end is
 * refused.
 *
 * As bgl_flow_wait() in all else. Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_MIRRORED, and those of every
 * recording call.
 */
int bgl_flow_finish(struct bgl_ledger *ledger,
                    const char *lookup,
                    int64_t revision,
                    const struct bgl_flow_finish_options *options,
                    uint32_t *flags,
                    struct bgl_flow **flow);

/**
 * Ends a flow that did not do what it was for. The same end again changes nothing, whatever the revision; another end
 * is refused.
 *
 * As bgl_flow_wait() in all else. Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_MIRRORED, _NOT_FOUND, _PRUNED,
 * _AMBIGUOUS (`blocked_task`), and those of every recording call.
 */
int bgl_flow_fail(struct bgl_ledger *ledger,
                  const char *lookup,
                  int64_t revision,
                  const struct bgl_flow_fail_options *options,
                  uint32_t *flags,
                  struct bgl_flow **flow);

/**
 * Asks to cancel a flow, its tasks and all that descends from them. `*answer` is one of bgl_cancel_answer:
 * BGL_CANCEL_ANSWER_REQUESTED while one of its tasks is active; it is cancelled when the last of them has settled.
 *
 * `lookup` is as in bgl_flow_wait(). `options`, `answer` and `flow` may be NULL. It may take as long as
 * bgl_request_cancel() of its tasks.
 * Ownership: the caller ends `*flow` with bgl_flow_free(). Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _NOT_FOUND, _PRUNED (the task that it mirrors is gone), and those of
 * every recording call.
 */
int bgl_flow_cancel(struct bgl_ledger *ledger,
                    const char *lookup,
                    const struct bgl_cancel_options *options,
                    int32_t *answer,
                    struct bgl_flow **flow);

/**
 * Reads one flow, with what its tasks come to, and writes it to `*out`.
 *
 * `lookup` is a flow's number as text ("F3"), its id, or an owner, whose newest flow that goes on is meant, else the
 * newest. Ownership: the caller ends `*out` with bgl_flow_free(). Thread-safe.
 * Errors: BGL_ERROR_NO_FLOW, and those of every call on a ledger.
 */
int bgl_flow_get(struct bgl_ledger *ledger,
                 const char *lookup,
                 struct bgl_flow **out);

/**
 * Lists flows, newest first. `*out` hands them out with bgl_flows_next(); it fetches them page by page, each page as
 * the ledger is then. The tasks of a flow are listed by bgl_list_options.flow.
 *
 * `options` NULL means all flows. Ownership: the caller ends `*out` with bgl_flows_free(). Thread-safe.
 * Errors: those of every call on a ledger.
 */
int bgl_flow_list(struct bgl_ledger *ledger,
                  const struct bgl_flow_list_options *options,
                  struct bgl_flows **out);

/**
 * Writes the next flow to `*out`, or NULL when there are no more.
 *
 * Ownership: the caller ends each flow with bgl_flow_free(). Thread-safe.
 * Errors: those of every call on a ledger; BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more had to be
 * fetched. After an error it may be asked again: no flow is skipped.
 */
int bgl_flows_next(struct bgl_flows *flows,
                   struct bgl_flow **out);

/**
 * Ends a list of flows. Flows that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle
 * that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
 */
int bgl_flows_free(struct bgl_flows *flows);

/**
 * Ends a flow's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
 * handle that was freed before with BGL_MISUSE_BAD_HANDLE; neither does any harm. Thread-safe.
 */
int bgl_flow_free(struct bgl_flow *flow);

/**
 * Its number: 1, 2, 3 ... of the flows of its ledger; people type it as F3. 0 if the handle is not open. Thread-safe.
 */
uint64_t bgl_flow_number(const struct bgl_flow *flow);

/**
 * Where it stands, one of enum bgl_flow_status. 0 if the handle is not open. Thread-safe.
 */
int bgl_flow_status(const struct bgl_flow *flow);

/**
 * Whether cancel of it was requested: 1 or 0. Thread-safe.
 */
int bgl_flow_cancel_requested(const struct bgl_flow *flow);

/**
 * Whether it has ended: 1 or 0. Thread-safe.
 */
int bgl_flow_has_ended(const struct bgl_flow *flow);

/**
 * Its global id, a UUID. Thread-safe.
 */
const char *bgl_flow_id(const struct bgl_flow *flow);

/**
 * The word of its status, such as "waiting". Thread-safe.
 */
const char *bgl_flow_status_word(const struct bgl_flow *flow);

/**
 * The principal it belongs to. Thread-safe.
 */
const char *bgl_flow_owner(const struct bgl_flow *flow);

/**
 * The caller's idempotency key. Thread-safe.
 */
const char *bgl_flow_key(const struct bgl_flow *flow);

/**
 * The id of the task that it follows; NULL if it is moved by a controller. Thread-safe.
 */
const char *bgl_flow_mirrors(const struct bgl_flow *flow);

/**
 * Who moves it. Thread-safe.
 */
const char *bgl_flow_controller(const struct bgl_flow *flow);

/**
 * What it is for. Thread-safe.
 */
const char *bgl_flow_goal(const struct bgl_flow *flow);

/**
 * The step that it is at. Thread-safe.
 */
const char *bgl_flow_step(const struct bgl_flow *flow);

/**
 * What its controller keeps of it as JSON, as it was given. Thread-safe.
 */
const char *bgl_flow_state_json(const struct bgl_flow *flow);

/**
 * What it waits for as JSON, as it was given. Thread-safe.
 */
const char *bgl_flow_wait_json(const struct bgl_flow *flow);

/**
 * The id of the task that stands in its way. Thread-safe.
 */
const char *bgl_flow_blocked_task(const struct bgl_flow *flow);

/**
 * What stands in its way, in words. Thread-safe.
 */
const char *bgl_flow_blocked_summary(const struct bgl_flow *flow);

/**
 * Who asked to cancel it. Thread-safe.
 */
const char *bgl_flow_cancel_by(const struct bgl_flow *flow);

/**
 * Why somebody asked to cancel it. Thread-safe.
 */
const char *bgl_flow_cancel_why(const struct bgl_flow *flow);

/**
 * How far its tasks are, summed by unit: a JSON list of "unit", "current" and "total"; "[]" if none says so.
 * Thread-safe.
 */
const char *bgl_flow_tasks_progress_json(const struct bgl_flow *flow);

/**
 * What its tasks cost, as a JSON object. Thread-safe.
 */
const char *bgl_flow_tasks_usage_json(const struct bgl_flow *flow);

/**
 * The whole flow as JSON: what `bgledger flow show --json` has under "flow". Thread-safe.
 */
const char *bgl_flow_json(const struct bgl_flow *flow);

/**
 * Counts its writes: a move names the one that it saw. Thread-safe.
 */
int64_t bgl_flow_revision(const struct bgl_flow *flow);

/**
 * When it was recorded, in milliseconds since 1970 UTC; as are all times. Thread-safe.
 */
int64_t bgl_flow_created_at(const struct bgl_flow *flow);

/**
 * The last write. Thread-safe.
 */
int64_t bgl_flow_updated_at(const struct bgl_flow *flow);

/**
 * When it ended. Thread-safe.
 */
int64_t bgl_flow_ended_at(const struct bgl_flow *flow);

/**
 * When cancel of it was requested. Thread-safe.
 */
int64_t bgl_flow_cancel_requested_at(const struct bgl_flow *flow);

/**
 * How many tasks it has. Thread-safe.
 */
int64_t bgl_flow_tasks_total(const struct bgl_flow *flow);

/**
 * How many of its tasks are queued or running. Thread-safe.
 */
int64_t bgl_flow_tasks_active(const struct bgl_flow *flow);

/**
 * How many of its tasks have this status, one of bgl_status. BGL_ABSENT for a number that is none. Thread-safe.
 */
int64_t bgl_flow_tasks_with_status(const struct bgl_flow *flow,
                                   int status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BGLEDGER_H */
