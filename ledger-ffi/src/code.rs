//! Numbers of the C library: its version, its own codes, the classes of all codes.

use crate::boundary::exported;
use bgledger_core::{Cancelled, ErrorClass, ErrorCode};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::OnceLock;

/// The call did what it says.
pub const BGL_OK: c_int = 0;

/// Counts the changes of this interface that break programs: the number in the shared library's soname.
pub const BGL_ABI_VERSION: u32 = 0;

/// Codes for mistakes in the calling program that the C library notices itself. Every other code is a
/// `bgl_error`. Numbers are kept for ever.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// A pointer that is needed is NULL.
    NullPointer = 800,
    /// The handle is not open: closed, freed, of another type, or never given out by this process.
    BadHandle = 801,
    /// A struct's `size` is none that this library knows, or what lies beyond the part it knows is not zero.
    BadSize = 802,
    /// A length is larger than any object can be.
    BadLength = 803,
}

impl Misuse {
    const ALL: [Misuse; 4] = [Misuse::NullPointer, Misuse::BadHandle, Misuse::BadSize, Misuse::BadLength];

    /// The stable word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Misuse::NullPointer => "null_pointer",
            Misuse::BadHandle => "bad_handle",
            Misuse::BadSize => "bad_size",
            Misuse::BadLength => "bad_length",
        }
    }
}

/// What a caller does about an error: the hundreds of its code.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// There is no error, or no such code.
    None = 0,
    /// Correct the request.
    Invalid = 100,
    /// There is no such thing.
    NotFound = 200,
    /// The rules say no; the message names what is recorded.
    Refused = 300,
    /// Ask again later.
    Busy = 400,
    /// The ledger itself needs attention.
    Ledger = 500,
    /// It failed and changed nothing.
    Failed = 600,
    /// It may have taken effect; ask again.
    Unknown = 700,
    /// Correct the calling program.
    Misuse = 800,
    /// A fault of bgledger; report it.
    Internal = 900,
}

/// What a request to cancel came to.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// The intent is recorded; the executor will be told.
    Requested = 1,
    /// The task is cancelled.
    Cancelled = 2,
    /// The task had ended already.
    Already = 3,
    /// The executor was dead; the task is settled.
    ExecutorGone = 4,
}

impl From<Cancelled> for CancelAnswer {
    fn from(answer: Cancelled) -> CancelAnswer {
        match answer {
            Cancelled::Requested => CancelAnswer::Requested,
            Cancelled::Cancelled => CancelAnswer::Cancelled,
            Cancelled::Already => CancelAnswer::Already,
            Cancelled::ExecutorGone => CancelAnswer::ExecutorGone,
        }
    }
}

const fn class_of(class: ErrorClass) -> Class {
    match class {
        ErrorClass::Invalid => Class::Invalid,
        ErrorClass::NotFound => Class::NotFound,
        ErrorClass::Refused => Class::Refused,
        ErrorClass::Busy => Class::Busy,
        ErrorClass::Ledger => Class::Ledger,
        ErrorClass::Failed => Class::Failed,
        ErrorClass::Unknown => Class::Unknown,
        ErrorClass::Internal => Class::Internal,
    }
}

/// Every code's word, for C.
fn words() -> &'static BTreeMap<c_int, CString> {
    static WORDS: OnceLock<BTreeMap<c_int, CString>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let core = ErrorCode::ALL.into_iter().map(|code| (c_int::from(code as u16), code.as_str()));
        let own = Misuse::ALL.into_iter().map(|code| (code as c_int, code.as_str()));
        let all = core.chain(own).chain([(BGL_OK, "ok")]);
        all.filter_map(|(code, word)| Some((code, CString::new(word).ok()?))).collect()
    })
}

/// The version of the library as text, such as "0.1.0". Never NULL; lives as long as the program. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bgl_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// The ABI version of the library that is loaded. A program was built for another one if this is not its own
/// `BGL_ABI_VERSION`. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bgl_abi_version() -> u32 {
    BGL_ABI_VERSION
}

/// The stable word of a code, such as "not_found": the same as in JSON. "ok" for `BGL_OK`, "unknown_code" for a
/// number that is no code. Never NULL; lives as long as the program. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bgl_strerror(code: c_int) -> *const c_char {
    exported!(value or c"unknown_code".as_ptr(), words().get(&code).map(|word| word.as_ptr()))
}

/// The class of a code, one of `bgl_class`: what to do about it. `BGL_CLASS_NONE` for `BGL_OK` and for numbers that
/// are no code. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bgl_error_class(code: c_int) -> c_int {
    exported!(value or Class::None as c_int, {
        let core = ErrorCode::ALL.into_iter().find(|known| c_int::from(*known as u16) == code);
        let own = Misuse::ALL.into_iter().find(|known| *known as c_int == code);
        core.map(|code| class_of(code.class())).or(own.map(|_| Class::Misuse)).map(|class| class as c_int)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_core_and_of_the_c_library_do_not_meet() {
        for code in ErrorCode::ALL {
            let (number, class) = (code as u16 as c_int, class_of(code.class()) as c_int);
            assert_eq!(number / 100 * 100, class, "{code:?}");
            assert_ne!(class, Class::Misuse as c_int);
            assert_eq!(bgl_error_class(number), class);
        }
        for code in Misuse::ALL {
            assert_eq!(bgl_error_class(code as c_int), Class::Misuse as c_int);
        }
        assert_eq!(words().len(), ErrorCode::ALL.len() + Misuse::ALL.len() + 1);
    }
}
