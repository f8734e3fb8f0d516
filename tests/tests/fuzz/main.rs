//! Whatever comes in from outside is answered: requests, exports, databases of another program, ledgers that somebody
//! wrote, and words of the command line. The short run is of seconds; `BGLEDGER_INPUTS` says how many inputs of each,
//! `BGLEDGER_INPUT_SEED` which.

mod arguments;
mod databases;
mod exports;
mod ledgers;
mod requests;

use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::fuzz::judged;
use std::path::Path;

fn open(path: &Path, options: OpenOptions) -> Option<Ledger> {
    match Ledger::open(path, options) {
        Ok(ledger) => Some(ledger),
        Err(error) => {
            assert_ne!(error.code().class(), bgledger_core::ErrorClass::Internal, "{error}");
            None
        }
    }
}

/// Whether an operation succeeded; that it failed by a fault of ours is a panic.
fn done<T>(result: Result<T, bgledger_core::Error>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(error) => {
            assert_ne!(error.code().class(), bgledger_core::ErrorClass::Internal, "{error}");
            None
        }
    }
}

/// What was taken in agrees with itself, and can be told in every way.
fn assert_whole(ledger: &Ledger) {
    let verified = ledger.answer(r#"{"verify": {}}"#);
    assert!(verified.starts_with(r#"{"ok":{"ok":true"#), "{verified}");
    let looks = [
        r#"{"list": {"limit": 10000}}"#,
        r#"{"watch": {"after": 0, "timeout": "0s"}}"#,
        r#"{"stats": {}}"#,
        r#"{"audit": {}}"#,
        r#"{"notices": {}}"#,
        r#"{"flow_list": {}}"#,
        r#"{"config": {}}"#,
    ];
    for look in looks {
        let answer = ledger.answer(look);
        assert!(judged(&answer), "{look}: {answer}");
    }
}
