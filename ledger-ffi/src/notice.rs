//! Notices: what the ledger owes somebody about a task, claimed and answered.

use crate::argument::{self, needed, options, owned, put, required, span};
use crate::boundary::{Fault, c_text, exported};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::list::{lock, own};
use crate::task::{Task, TaskBox};
use bgledger_core::{Call, NoticeId, NoticeList, NoticeView, NoticesAck, NoticesClaim, NoticesNack, bounds};
use bgledger_store::{Ledger as Store, platform};
use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, Mutex, OnceLock};

/// Notices that were claimed together. Threads may share it; each notice is handed out once. In a forked child it
/// answers BGL_MISUSE_BAD_HANDLE.
pub struct Notices {
    _opaque: [u8; 0],
}

/// A message that the ledger owes somebody about a task, as it was when it was claimed. Threads may read it at once.
///
/// What the functions below return belongs to it and is valid until bgl_notice_free(). They answer NULL, BGL_ABSENT
/// or 0 for what is absent, and for a handle that is NULL or not open.
pub struct Notice {
    _opaque: [u8; 0],
}

/// Which notices are taken, and for how long. NULL options: the ten oldest of whatever recipient, for a minute.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NoticesClaimOptions {
    /// sizeof(bgl_notices_claim_options).
    pub size: usize,
    /// For these recipients: "session:KEY", "owner:NAME" or "subscriber:NAME". NULL: everybody's.
    pub recipients: *const *const c_char,
    /// How many recipients there are.
    pub recipient_count: i64,
    /// Who takes them: a name for people.
    pub consumer: *const c_char,
    /// How long until they return if nothing is said of them, in milliseconds. 0: a minute.
    pub lease_ms: i64,
    /// At most so many, up to 1,000. 0: ten.
    pub limit: i64,
}

options! { NoticesClaimOptions = "bgl_notices_claim_options"; }

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct NoticesBox {
    pid: u32,
    token: Option<CString>,
    ready: Mutex<VecDeque<NoticeView>>,
}

/// What a handle stands for. Texts are made for C when they are first asked for.
#[derive(Debug)]
pub(crate) struct NoticeBox {
    view: NoticeView,
    texts: [OnceLock<Option<CString>>; TEXTS],
}

/// The texts of a notice.
#[derive(Debug, Clone, Copy)]
enum Text {
    Id,
    Key,
    Type,
    Recipient,
    Message,
    State,
    Consumer,
    Reason,
    Json,
}
const TEXTS: usize = Text::Json as usize + 1;

// ---- claiming and answering ---------------------------------------------------------------------------------

/// Takes notices that are due, oldest first, under a lease, and writes them to `*out`. It does not wait: if nothing is
/// due there are none, and bgl_notices_token() is NULL.
///
/// Deliver each one, recording its bgl_notice_key() with the effect, then say so by bgl_notices_ack(): whoever looks
/// for the key before acting has each effect once. What is neither acknowledged nor refused returns when the lease
/// runs out.
/// Ownership: the caller ends `*out` with bgl_notices_free(). Thread-safe.
/// Errors: BGL_ERROR_UNKNOWN_RECIPIENT, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_claim(
    ledger: *mut Ledger,
    options: *const NoticesClaimOptions,
    out: *mut *mut Notices,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let claim = unsafe { claim_request(argument::read(options)?)? };
        let place = handle::reserve()?;
        let claimed = open.store.call(claim)?;
        let (token, ready) = (claimed.claim.map(c_text), Mutex::new(claimed.notices.into()));
        // SAFETY: C's promise.
        unsafe { put(out, place.fill(NoticesBox { pid: platform::own_pid(), token, ready })) };
    })
}

unsafe fn claim_request(given: NoticesClaimOptions) -> Result<NoticesClaim, Fault> {
    let count = argument::fit("recipient_count", given.recipient_count, "a number that is not negative")?;
    // SAFETY: C's promise: so many texts, each of which ends with a NUL.
    unsafe {
        let recipients = argument::list("recipients", given.recipients, count, bounds::NOTICES)?;
        Ok(NoticesClaim {
            recipients: recipients.into_iter().map(str::to_owned).collect(),
            consumer: owned("consumer", given.consumer)?,
            lease: span("lease_ms", given.lease_ms)?,
            limit: match given.limit {
                0 => None,
                limit => Some(argument::fit("limit", limit, "a number that is not negative")?),
            },
        })
    }
}

/// Says that `count` notices of a claim were delivered: all or none of them. Asking again changes nothing.
///
/// `claim` is the word of bgl_notices_token(), `ids` are those of bgl_notice_id(). `*changed`, which may be NULL,
/// tells how many were not acknowledged before. The strings are copied. Thread-safe.
/// Errors: BGL_ERROR_NO_NOTICE (withdrawn meanwhile, by a newer outcome), _STALE_CLAIM (the lease ran out and somebody
/// else has it, or it was refused or dismissed), and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_ack(
    ledger: *mut Ledger,
    claim: *const c_char,
    ids: *const *const c_char,
    count: usize,
    changed: *mut u64,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise: `count` texts, each of which ends with a NUL.
        unsafe {
            let (claim, notices) = (required("claim", claim)?.to_owned(), named(ids, count)?);
            settled(&open.store, NoticesAck { claim, notices }, changed)?;
        }
    })
}

/// Says that `count` notices of a claim could not be delivered, and why: all or none of them. They are tried again
/// later, ever more seldom, and end as dead letters.
///
/// As bgl_notices_ack() in all else. Thread-safe. Errors: BGL_ERROR_NO_NOTICE, _STALE_CLAIM, _NOTICE_SETTLED (it was
/// acknowledged), and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_nack(
    ledger: *mut Ledger,
    claim: *const c_char,
    ids: *const *const c_char,
    count: usize,
    reason: *const c_char,
    changed: *mut u64,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise: `count` texts, each of which ends with a NUL.
        unsafe {
            let (claim, notices) = (required("claim", claim)?.to_owned(), named(ids, count)?);
            let reason = required("reason", reason)?.to_owned();
            settled(&open.store, NoticesNack { claim, notices, reason }, changed)?;
        }
    })
}

unsafe fn named(ids: *const *const c_char, count: usize) -> Result<Vec<NoticeId>, Fault> {
    // SAFETY: C's promise.
    let ids = unsafe { argument::list("ids", ids, count, bounds::NOTICES)? };
    Ok(ids.into_iter().map(NoticeId::parse).collect::<Result<_, _>>()?)
}

unsafe fn settled(store: &Store, request: impl Call<Reply = NoticeList>, changed: *mut u64) -> Result<(), Fault> {
    let reply = store.call(request)?;
    // SAFETY: C's promise.
    unsafe { put(changed, reply.changed) };
    Ok(())
}

// ---- what was claimed ---------------------------------------------------------------------------------------

/// The word that names the claim in bgl_notices_ack() and bgl_notices_nack(). NULL if nothing was due, or if the
/// handle is not open; valid until bgl_notices_free(). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_token(notices: *const Notices) -> *const c_char {
    exported!(value or std::ptr::null(), {
        handle::look(notices, |found: &NoticesBox| found.token.as_ref().map(|token| token.as_ptr()))
    })
}

/// Writes the next notice to `*out`, or NULL when there are no more.
///
/// Ownership: the caller ends each notice with bgl_notice_free(). Thread-safe.
/// Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE; BGL_ERROR_INTERNAL if no more handles can be had. After an
/// error it may be asked again: no notice is skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_next(notices: *mut Notices, out: *mut *mut Notice) -> c_int {
    exported!(notices, {
        let claimed: Arc<NoticesBox> = handle::get(notices)?;
        needed("out", out)?;
        own(claimed.pid)?;
        let place = handle::reserve()?;
        let next = match lock(&claimed.ready).pop_front() {
            Some(view) => place.fill(NoticeBox { view, texts: [const { OnceLock::new() }; TEXTS] }),
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, next) };
    })
}

/// Ends what a claim brought; the claim itself goes on. Notices that it handed out live on. NULL is answered with
/// BGL_MISUSE_NULL_POINTER, a handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notices_free(notices: *mut Notices) -> c_int {
    exported!(end notices, {
        let _ended: Arc<NoticesBox> = handle::close(notices)?;
    })
}

// ---- one notice ---------------------------------------------------------------------------------------------

fn text(notice: *const Notice, which: Text, of: impl FnOnce(&NoticeView) -> Option<String>) -> *const c_char {
    exported!(value or std::ptr::null(), {
        handle::look(notice, |found: &NoticeBox| {
            let text = found.texts.get(which as usize)?.get_or_init(|| of(&found.view).map(c_text));
            text.as_ref().map(|text| text.as_ptr())
        })
    })
}

fn integer(notice: *const Notice, otherwise: i64, of: impl FnOnce(&NoticeView) -> i64) -> i64 {
    exported!(value or otherwise, handle::look(notice, |found: &NoticeBox| Some(of(&found.view))))
}

/// Ends a notice's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
/// handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_free(notice: *mut Notice) -> c_int {
    exported!(end notice, {
        let _ended: Arc<NoticeBox> = handle::close(notice)?;
    })
}

/// Writes the notice's task, as it was when the notice was claimed, to `*out`; NULL if it was pruned by then. What the
/// notice tells outlives its task: bgl_notice_message() and bgl_notice_number() go on to say what it was about.
///
/// Ownership: the caller ends `*out` with bgl_task_free(); it outlives the notice. Thread-safe.
/// Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE; BGL_ERROR_INTERNAL if no more handles can be had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_task(notice: *const Notice, out: *mut *mut Task) -> c_int {
    exported!(notice, {
        let found: Arc<NoticeBox> = handle::get(notice)?;
        needed("out", out)?;
        let task = match &found.view.task {
            Some(view) => handle::open(TaskBox::new(view.clone()))?,
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, task) };
    })
}

/// Its name within this ledger, such as "34/session:chat". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_id(notice: *const Notice) -> *const c_char {
    text(notice, Text::Id, |view| Some(view.notice.to_string()))
}

/// Its name everywhere: recorded with the effect, it makes sure that there is one. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_key(notice: *const Notice) -> *const c_char {
    text(notice, Text::Key, |view| Some(view.key.clone()))
}

/// What happened: the type of the event that owes it, such as "finished". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_type(notice: *const Notice) -> *const c_char {
    text(notice, Text::Type, |view| Some(view.kind.clone()))
}

/// Who gets it: "session:KEY", "owner:NAME" or "subscriber:NAME". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_recipient(notice: *const Notice) -> *const c_char {
    text(notice, Text::Recipient, |view| Some(view.state.recipient.clone()))
}

/// What it says, in words for people. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_message(notice: *const Notice) -> *const c_char {
    text(notice, Text::Message, |view| Some(view.message.clone()))
}

/// Where it stands: "claimed" as a claim brings it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_state(notice: *const Notice) -> *const c_char {
    text(notice, Text::State, |view| Some(view.state.state.as_str().into()))
}

/// Who took it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_consumer(notice: *const Notice) -> *const c_char {
    text(notice, Text::Consumer, |view| view.state.claim.as_ref()?.consumer.clone())
}

/// Why it was refused before. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_reason(notice: *const Notice) -> *const c_char {
    text(notice, Text::Reason, |view| view.state.reason.clone())
}

/// The whole notice as JSON: what `bgledger notices claim --json` has under "notices". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_json(notice: *const Notice) -> *const c_char {
    text(notice, Text::Json, |view| serde_json::to_string(view).ok())
}

/// The seq of the event that owes it. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_seq(notice: *const Notice) -> u64 {
    integer(notice, 0, |view| view.state.seq.0.try_into().unwrap_or(0)).try_into().unwrap_or(0)
}

/// The task's number. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_number(notice: *const Notice) -> u64 {
    integer(notice, 0, |view| view.state.number.0.try_into().unwrap_or(0)).try_into().unwrap_or(0)
}

/// The outcome it speaks of: each end and each recovery of a task opens another one. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_generation(notice: *const Notice) -> i64 {
    integer(notice, i64::MIN, |view| view.state.generation.into())
}

/// How often it was claimed, this time included. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_attempts(notice: *const Notice) -> i64 {
    integer(notice, i64::MIN, |view| view.state.attempts.into())
}

/// When its lease ends, in milliseconds since 1970 UTC. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_notice_due_at(notice: *const Notice) -> i64 {
    integer(notice, i64::MIN, |view| view.state.due_at.get())
}
