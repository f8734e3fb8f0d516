//! What random arguments are drawn from.

use bgledger::ledger::Ledger;
use bgledger_tests::dice::Dice;
use std::ffi::{CString, c_char};
use std::ptr::{self, null, null_mut};

/// The source of all arguments.
pub(crate) struct Arguments {
    pub(crate) dice: Dice,
    texts: Vec<CString>,
    numbers: Vec<i64>,
    /// Handles of every type that were given out and ended.
    ended: Vec<usize>,
    /// How many notices and events were handed out, how many callbacks were made, how many flows told.
    pub(crate) met: [u64; 4],
}

impl Arguments {
    pub(crate) fn new(seed: u64) -> Arguments {
        let texts: [&[u8]; 21] = [
            b"1",
            b"2",
            b"#3",
            b"17",
            b"run-1",
            b"",
            b" ",
            b"self",
            b"external",
            b"full",
            b"silent",
            b"ok",
            b"{}",
            b"caf\xe9",
            b"{\"a\": 1, \"run_id\": \"run-1\", \"tokens_in\": 1}",
            b"\xf0\x9f\xa6\x80 a label",
            b"session:run-1",
            b"owner:local",
            b"3/owner:local",
            b"F1",
            b"null",
        ];
        let mut texts: Vec<CString> = texts.iter().map(|text| CString::new(*text).expect("no NUL")).collect();
        texts.push(CString::new("x".repeat(700)).expect("no NUL"));
        Arguments {
            dice: Dice::new(seed),
            texts,
            numbers: vec![0, 0, 0, 1, 1, 2, 3, 7, -1, 50, i64::MAX, i64::MIN],
            ended: Vec::new(),
            met: [0; 4],
        }
    }

    pub(crate) fn text(&mut self) -> *const c_char {
        match self.dice.below(3) {
            0 => null(),
            _ => self.dice.pick(&self.texts).as_ptr(),
        }
    }

    pub(crate) fn number(&mut self) -> i64 {
        *self.dice.pick(&self.numbers)
    }

    pub(crate) fn optional_number(&mut self) -> *const i64 {
        match self.dice.below(2) {
            0 => null(),
            _ => ptr::from_ref(self.dice.pick(&self.numbers)),
        }
    }

    /// Mostly the right one.
    pub(crate) fn size<T>(&mut self) -> usize {
        match self.dice.below(8) {
            0 => usize::try_from(self.dice.below(size_of::<T>() as u64)).expect("a size"),
            _ => size_of::<T>(),
        }
    }

    /// Mostly the open one.
    pub(crate) fn ledger(&mut self, open: *mut Ledger) -> *mut Ledger {
        match self.dice.below(20) {
            0 => self.no_handle(),
            _ => open,
        }
    }

    /// What is no handle of its type: NULL, any number, one of any type that was ended.
    pub(crate) fn no_handle<T>(&mut self) -> *mut T {
        let last = self.ended.len().saturating_sub(1000);
        match (self.dice.below(4), self.ended.is_empty()) {
            (0, _) => null_mut(),
            (1, _) | (_, true) => {
                ptr::without_provenance_mut(usize::try_from(self.dice.below(1 << 47)).expect("an address"))
            }
            (_, false) => ptr::without_provenance_mut(*self.dice.pick(&self.ended[last..])),
        }
    }

    /// Remembers a handle that was ended.
    pub(crate) fn has_ended<T>(&mut self, handle: *mut T) {
        self.ended.push(handle.addr());
    }
}

/// Fills every member of an option struct: `random!(arguments, Type { text: …; number: …; pointer: …; })`.
macro_rules! random {
    ($from:ident, $type:ident { text: $($text:ident)*; number: $($number:ident)*; pointer: $($pointer:ident)*; }) => {{
        let mut options: $type = $crate::blank();
        options.size = $from.size::<$type>();
        $(if $from.dice.below(12) == 0 { options.$text = $from.text(); })*
        $(if $from.dice.below(12) == 0 { options.$number = $from.number(); })*
        $(if $from.dice.below(12) == 0 { options.$pointer = $from.optional_number(); })*
        options
    }};
}
pub(crate) use random;
