//! Waiting for something that must come about.

use bgledger_store::platform::monotonic_ms;
use std::thread::sleep;
use std::time::Duration;

/// Long enough for any machine; whoever waits this long waits for ever.
const PATIENCE_MS: i64 = 120_000;

/// Looks again and again until it holds; panics with `what` if it never does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = monotonic_ms();
    while !holds() {
        assert!(monotonic_ms() - began < PATIENCE_MS, "it never came about that {what}");
        sleep(Duration::from_millis(10));
    }
}
