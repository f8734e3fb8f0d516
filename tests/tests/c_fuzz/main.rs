//! Random bytes, arguments and handles through the exported functions: every answer is a code that the comment of the
//! call names, and none of them is a fault of ours, which is what a panic would become.
//!
//! `BGLEDGER_FUZZ=1000000 cargo test --release -p bgledger-tests --test c_fuzz` does more of it; `BGLEDGER_FUZZ_SEED`
//! says which.

mod arguments;
mod bytes;
mod flows;
mod handles;
mod typed;

use bgledger::code::{BGL_OK, bgl_error_class, bgl_strerror};
use bgledger::ledger::{Ledger, OpenOptions, bgl_close, bgl_errjson, bgl_errmsg, bgl_open};
use bgledger_tests::native::documented;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_int};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;

fn times() -> u64 {
    std::env::var("BGLEDGER_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(30_000)
}

fn open(path: &Path, test_clock: bool) -> *mut Ledger {
    let path = CString::new(path.display().to_string()).expect("a path");
    let mut options: OpenOptions = blank();
    options.size = size_of::<OpenOptions>();
    options.durability = c"relaxed".as_ptr();
    options.test_clock = test_clock.into();
    let mut ledger = null_mut();
    // SAFETY: every pointer is one.
    assert_eq!(unsafe { bgl_open(path.as_ptr(), &raw const options, &raw mut ledger) }, BGL_OK);
    ledger
}

/// An option struct with nothing set.
fn blank<T: Copy>() -> T {
    // SAFETY: zero is a value of each member of every option struct.
    unsafe { std::mem::zeroed() }
}

fn close(ledger: *mut Ledger) {
    // SAFETY: it is open.
    assert_eq!(unsafe { bgl_close(ledger) }, BGL_OK);
}

/// A code that the comment of the call names, and no fault of ours.
fn judge(call: &str, code: c_int, what: &dyn std::fmt::Debug) -> c_int {
    static DOCUMENTED: OnceLock<BTreeMap<String, BTreeSet<String>>> = OnceLock::new();
    if code == BGL_OK {
        return code;
    }
    // SAFETY: texts that live until the next failure, and for ever.
    let (message, json, word) = unsafe {
        let any = null_mut();
        (CStr::from_ptr(bgl_errmsg(any)), CStr::from_ptr(bgl_errjson(any)), CStr::from_ptr(bgl_strerror(code)))
    };
    assert!(json.is_empty() || serde_json::from_slice::<serde_json::Value>(json.to_bytes()).is_ok(), "{json:?}");
    let class = bgl_error_class(code);
    assert!(class > 0 && class < 900, "{call}: {code} {message:?} after {what:?}");
    let word = word.to_str().expect("a word").to_uppercase();
    let name = if class == 800 { format!("BGL_MISUSE_{word}") } else { format!("BGL_ERROR_{word}") };
    let documented = DOCUMENTED.get_or_init(documented);
    assert!(documented[call].contains(&name), "{call} answered {name}, which its comment does not name: {message:?}");
    code
}

#[test]
fn every_function_of_the_header_is_called() {
    let sources =
        [include_str!("bytes.rs"), include_str!("flows.rs"), include_str!("handles.rs"), include_str!("typed.rs")];
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let named: BTreeSet<&str> = sources.iter().flat_map(|source| source.split(|letter| !is_word(letter))).collect();
    let all = documented();
    let missing: Vec<&str> = all.keys().map(String::as_str).filter(|call| !named.contains(call)).collect();
    // The two versions take nothing; the others are called above, with every input.
    let above = ["bgl_errjson", "bgl_errmsg", "bgl_error_class", "bgl_open", "bgl_strerror"];
    assert_eq!(missing, [&["bgl_abi_version"], &above[..], &["bgl_version"]].concat());
}
