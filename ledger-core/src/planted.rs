//! Planted bugs, for the tests: what the harnesses must find (`tests/src/mutants.rs`).

/// The one that was compiled in. Only where debug assertions are on, so that no release has any.
const PLANTED: Option<&str> = if cfg!(debug_assertions) { option_env!("BGLEDGER_PLANTED") } else { None };

/// Whether this bug was compiled in.
#[doc(hidden)]
pub const fn planted(bug: &str) -> bool {
    match PLANTED {
        Some(name) => is_same(name.as_bytes(), bug.as_bytes()),
        None => false,
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([first, rest @ ..], [second, others @ ..]) => *first == *second && is_same(rest, others),
        ([..], [..]) => false,
    }
}
