//! What C hands in, checked before it is used: texts, numbers, option structs.

use crate::boundary::Fault;
use crate::code::Misuse;
use bgledger_core::{Error, ExecutorSpec, FlowLookup, Json, Lookup, Millis, Span, Status};
use serde::de::DeserializeOwned;
use std::ffi::{CStr, c_char};

/// More bytes than any option struct will ever have: a size above is a variable that nobody set.
const MOST_OPTIONS: usize = 4096;

/// An option struct: begins with its size, has members of eight bytes only, and zero means the default in each.
///
/// # Safety
///
/// It is `repr(C)`, its first member is a `usize`, and all its bytes may be zero.
pub(crate) unsafe trait Options: Copy {
    /// Its name in C.
    const NAME: &'static str;
}

macro_rules! options {
    ($($type:ty = $name:literal;)*) => {
        $(
            // SAFETY: a `repr(C)` struct of integers and pointers that begins with its size.
            unsafe impl $crate::argument::Options for $type {
                const NAME: &'static str = $name;
            }
        )*
    };
}
pub(crate) use options;

/// Reads an option struct of whatever size the caller's header gave it; NULL means the defaults.
///
/// # Safety
///
/// NULL, or it points to as many readable bytes as its first member says.
pub(crate) unsafe fn read<T: Options>(given: *const T) -> Result<T, Fault> {
    // SAFETY: all its bytes may be zero, says the trait.
    let mut options: T = unsafe { std::mem::zeroed() };
    if given.is_null() {
        return Ok(options);
    }
    // SAFETY: the caller's struct begins with its size.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    let bad = |problem: &str| Fault::Misuse(Misuse::BadSize, format!("{}.size: {size} {problem}", T::NAME));
    if size < size_of::<usize>() || size > MOST_OPTIONS || !size.is_multiple_of(size_of::<usize>()) {
        return Err(bad("is no size of this struct; set it to sizeof"));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: the caller vouches for `size` bytes, of which the ones that this version knows are copied.
    unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut options).cast::<u8>(), known) };
    let mut beyond = known..size;
    // SAFETY: still within the bytes that the caller vouches for.
    match beyond.all(|at| unsafe { given.cast::<u8>().add(at).read() } == 0) {
        true => Ok(options),
        false => Err(bad("has options set that this version of the library does not know")),
    }
}

/// A NULL where something is needed.
pub(crate) fn null(name: &str) -> Fault {
    Fault::Misuse(Misuse::NullPointer, format!("{name}: NULL"))
}

/// Refuses an output that is NULL.
pub(crate) fn needed<T>(name: &str, out: *mut T) -> Result<(), Fault> {
    if out.is_null() { Err(null(name)) } else { Ok(()) }
}

/// Writes an output that may be NULL.
///
/// # Safety
///
/// NULL, or it may be written.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL, and the caller vouches for the rest.
        unsafe { out.write(value) };
    }
}

/// A text that may be NULL.
///
/// # Safety
///
/// NULL, or it ends with a NUL and lives as long as `'a`.
pub(crate) unsafe fn text<'a>(name: &str, given: *const c_char) -> Result<Option<&'a str>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller vouches for it.
    match unsafe { CStr::from_ptr(given) }.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let problem = format!("not valid UTF-8 at byte {}", error.valid_up_to());
            Err(Error::invalid(name, problem, "UTF-8").into())
        }
    }
}

/// The same, owned.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn owned(name: &str, given: *const c_char) -> Result<Option<String>, Fault> {
    // SAFETY: the caller vouches for it.
    unsafe { text(name, given) }.map(|text| text.map(str::to_owned))
}

/// A text that is needed.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn required<'a>(name: &str, given: *const c_char) -> Result<&'a str, Fault> {
    // SAFETY: the caller vouches for it.
    unsafe { text(name, given) }?.ok_or_else(|| null(name))
}

/// A list of texts, each of which is needed.
///
/// # Safety
///
/// NULL, or `count` texts of which the same holds as of [`text`].
pub(crate) unsafe fn list<'a>(
    name: &str,
    given: *const *const c_char,
    count: usize,
    most: usize,
) -> Result<Vec<&'a str>, Fault> {
    if count > most {
        return Err(Error::TooLarge { field: name.into(), actual: count as u64, limit: most as u64 }.into());
    }
    if count > 0 && given.is_null() {
        return Err(null(name));
    }
    let mut texts = Vec::with_capacity(count);
    for at in 0..count {
        // SAFETY: the caller vouches for `count` texts.
        texts.push(unsafe { required(&format!("{name}[{at}]"), given.add(at).read())? });
    }
    Ok(texts)
}

/// The name of a task that is needed.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn lookup(given: *const c_char) -> Result<Lookup, Fault> {
    // SAFETY: the caller vouches for it.
    Ok(Lookup::parse(unsafe { required("lookup", given) }?)?)
}

/// The name of a task that may be NULL.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn optional_lookup(name: &str, given: *const c_char) -> Result<Option<Lookup>, Fault> {
    // SAFETY: the caller vouches for it.
    unsafe { text(name, given) }?.map(|text| Ok(Lookup::parse(text)?)).transpose()
}

/// The name of a flow that is needed.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn flow_lookup(given: *const c_char) -> Result<FlowLookup, Fault> {
    // SAFETY: the caller vouches for it.
    Ok(FlowLookup::parse(unsafe { required("lookup", given) }?)?)
}

/// The name of a flow that may be NULL.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn optional_flow(given: *const c_char) -> Result<Option<FlowLookup>, Fault> {
    // SAFETY: the caller vouches for it.
    unsafe { text("flow", given) }?.map(|text| Ok(FlowLookup::parse(text)?)).transpose()
}

/// A text that keeps what is recorded if it is NULL, and clears it if it is empty.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn clearable(name: &str, given: *const c_char) -> Result<Option<Option<String>>, Fault> {
    // SAFETY: the caller vouches for it.
    Ok(unsafe { owned(name, given) }?.map(|text| Some(text).filter(|text| !text.is_empty())))
}

/// A JSON text that keeps what is recorded if it is NULL, and clears it if it is empty or JSON's null.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn clearable_json(name: &str, given: *const c_char) -> Result<Option<Option<Json>>, Fault> {
    // SAFETY: the caller vouches for it.
    match unsafe { text(name, given) }?.map(str::trim) {
        None => Ok(None),
        Some("" | "null") => Ok(Some(None)),
        // SAFETY: as above.
        Some(_) => unsafe { raw_json(name, given) }.map(Some),
    }
}

/// A JSON text that may be NULL, read as a part of a request.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn json<T: DeserializeOwned>(name: &str, given: *const c_char) -> Result<Option<T>, Fault> {
    // SAFETY: the caller vouches for it.
    let Some(text) = unsafe { text(name, given) }? else { return Ok(None) };
    let read = serde_json::from_str(text).map(Some);
    read.map_err(|error| Error::invalid(name, error.to_string(), "the JSON that `bgledger schema` describes").into())
}

/// A JSON text that may be NULL, kept as it is.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn raw_json(name: &str, given: *const c_char) -> Result<Option<Json>, Fault> {
    // SAFETY: the caller vouches for it.
    let Some(text) = unsafe { text(name, given) }? else { return Ok(None) };
    Json::parse(text).map(Some).map_err(|problem| Error::invalid(name, problem, "one JSON value").into())
}

/// A number that may be NULL.
///
/// # Safety
///
/// NULL, or it may be read.
pub(crate) unsafe fn number(name: &str, given: *const i64) -> Result<Option<u64>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    let value = unsafe { given.read() };
    let out_of_range = || Error::invalid(name, value.to_string(), "a number that is not negative");
    Ok(Some(u64::try_from(value).map_err(|_| out_of_range())?))
}

/// A count that fits another type.
pub(crate) fn fit<T: TryFrom<i64>>(name: &str, given: i64, expected: &str) -> Result<T, Fault> {
    T::try_from(given).map_err(|_| Error::invalid(name, given.to_string(), expected).into())
}

/// A span in milliseconds; 0 means none.
pub(crate) fn span(name: &str, ms: i64) -> Result<Option<Span>, Fault> {
    match ms {
        0 => Ok(None),
        _ => Ok(Some(Span::from_ms(ms).ok_or_else(|| Error::invalid(name, ms.to_string(), Span::EXPECTED))?)),
    }
}

/// A time in milliseconds since 1970 UTC; 0 means none.
pub(crate) fn time(name: &str, ms: i64) -> Result<Option<Millis>, Fault> {
    match ms {
        0 => Ok(None),
        _ => Ok(Some(Millis::new(ms).ok_or_else(|| Error::invalid(name, ms.to_string(), Millis::EXPECTED))?)),
    }
}

/// A yes or no.
pub(crate) fn flag(name: &str, given: i64) -> Result<bool, Fault> {
    match given {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::invalid(name, given.to_string(), "0 or 1").into()),
    }
}

/// A status by its number.
pub(crate) fn status(given: i64) -> Result<Status, Fault> {
    let known = u8::try_from(given).ok().and_then(Status::from_code);
    known.ok_or_else(|| Error::invalid("status", given.to_string(), "one of bgl_status").into())
}

/// Some statuses, as the sum of one bit for each: the one that its number says.
pub(crate) fn statuses<T: Copy>(given: i64, all: &[T], number: impl Fn(T) -> u8) -> Result<Vec<T>, Fault> {
    let bit = |status: T| 1_i64 << number(status);
    let known: i64 = all.iter().copied().map(bit).sum();
    match given & !known {
        0 => Ok(all.iter().copied().filter(|status| given & bit(*status) != 0).collect()),
        _ => Err(Error::invalid("statuses", given.to_string(), "the sum of 1 << its number for each status").into()),
    }
}

/// How many a list hands out at most; 0 means all.
pub(crate) fn at_most(limit: i64) -> Result<u64, Fault> {
    match limit {
        0 => Ok(u64::MAX),
        limit => fit("limit", limit, "a number that is not negative"),
    }
}

/// Who does the work: "self", "external", or a process by its pid.
///
/// # Safety
///
/// See [`text`].
pub(crate) unsafe fn executor(word: *const c_char, pid: i64, group: i64) -> Result<Option<ExecutorSpec>, Fault> {
    // SAFETY: the caller vouches for it.
    let word = unsafe { text("executor", word) }?;
    let group = if group == 0 { None } else { Some(fit("group", group, "a process group")?) };
    match (word, pid, group) {
        (None, 0, None) => Ok(None),
        (Some("self"), 0, None) => Ok(Some(ExecutorSpec::This)),
        (Some("external"), 0, None) => Ok(Some(ExecutorSpec::External)),
        (Some("self" | "external"), _, _) => {
            Err(Error::invalid("executor", "a word beside a pid or group", "one of the two").into())
        }
        (Some(word), _, _) => Err(Error::invalid("executor", format!("{word:?}"), "\"self\" or \"external\"").into()),
        (None, 0, Some(_)) => Err(Error::invalid("group", "a group without a pid", "the executor's pid").into()),
        (None, pid, group) => Ok(Some(ExecutorSpec::Process { pid: fit("pid", pid, "a process id")?, group })),
    }
}
