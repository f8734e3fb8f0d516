//! Threads under ThreadSanitizer: what a host in C reads of the library's answers from sixteen threads, and what a
//! callback shares with it. Only the host is instrumented.

use bgledger_tests::native::{Linked, Program, run};
use std::fs;
use std::process::Command;

const SOURCES: [&str; 5] = ["threads.c", "callback.c", "endings.c", "notices.c", "flows.c"];

fn passes(command: &mut Command, suppressions: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("suppressions");
    fs::write(&list, suppressions).expect("a list");
    command.env("TSAN_OPTIONS", format!("suppressions={} halt_on_error=1", list.display()));
    let ledger = folder.path().join("ledger");
    fs::create_dir(&ledger).expect("a folder");
    let output = run(command.arg(ledger));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
}

#[test]
fn hosts_of_many_threads_read_no_half_written_answer() {
    for source in SOURCES {
        let program = Program::new(source, Linked::Shared, &["-fsanitize=thread"]);
        // The sanitizer does not see the locks of a library that it did not instrument.
        passes(&mut program.command(), "called_from_lib:libbgledger.so\n");
    }
}
