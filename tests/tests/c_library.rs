//! The C library through real C and C++ programs: typed calls, misuse, threads, forks, callbacks.

use bgledger_tests::native::{Linked, Program, run};
use std::process::Command;

/// "Possibly lost" is what a hash map that lives as long as the program looks like from outside.
const VALGRIND: [&str; 6] = [
    "valgrind",
    "--quiet",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect",
    "--errors-for-leak-kinds=definite,indirect",
    "--error-exitcode=9",
];
const SANITIZED: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// A program that is given a folder of its own and says that it is done.
fn passes(mut command: Command) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = run(command.arg(folder.path()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
}

/// As it is, with either library; under valgrind; and with the sanitizers.
fn passes_everywhere(source: &str) {
    // Only the library of a debug build has a fault that can be ordered.
    let flags: &[&str] = if cfg!(debug_assertions) { &["-DFAULTS_ON_ORDER"] } else { &[] };
    passes(Program::new(source, Linked::Static, flags).command());
    let plain = Program::new(source, Linked::Shared, flags);
    passes(plain.command());
    passes(plain.under(&VALGRIND));
    passes(Program::new(source, Linked::Shared, &[flags, &SANITIZED].concat()).command());
}

#[test]
fn a_task_lives_through_the_typed_calls() {
    passes_everywhere("calls.c");
}

#[test]
fn a_cancel_calls_back() {
    passes_everywhere("callback.c");
}

#[test]
fn every_misuse_is_answered_with_a_code() {
    passes_everywhere("misuse.c");
}

#[test]
fn every_member_and_every_accessor_means_what_it_says() {
    passes_everywhere("members.c");
}

#[test]
fn notices_are_claimed_and_answered() {
    passes_everywhere("notices.c");
}

#[test]
fn flows_live_and_group_tasks() {
    passes_everywhere("flows.c");
}

#[test]
fn what_is_pruned_is_told_apart_from_what_never_was() {
    passes_everywhere("pruned.c");
}

/// As it is: under valgrind and the sanitizers a program sleeps and wakes by their rules.
#[cfg(target_os = "linux")]
#[test]
fn callbacks_that_wait_cost_nothing() {
    passes(Program::new("idle.c", Linked::Shared, &[]).command());
}

/// Only the library of a debug build runs full on order.
#[cfg(debug_assertions)]
#[test]
fn nothing_is_done_or_lost_for_want_of_a_handle() {
    passes_everywhere("full.c");
}

#[test]
fn what_is_ended_while_it_is_under_way_ends_in_order() {
    passes_everywhere("endings.c");
}

#[test]
fn a_child_that_a_callback_forked_calls_nobody_back() {
    passes_in_both_processes("fork_in_callback.c");
}

#[test]
fn sixteen_threads_share_a_handle() {
    passes_everywhere("threads.c");
}

#[test]
fn both_sides_of_a_fork_go_on() {
    passes_in_both_processes("forks.c");
}

fn passes_in_both_processes(source: &str) {
    passes(Program::new(source, Linked::Static, &[]).command());
    let plain = Program::new(source, Linked::Shared, &[]);
    passes(plain.command());
    // What the parent's other threads had in hand is lost in every forked child. And no AddressSanitizer: a child
    // inherits the locks of its allocator as other threads left them, and waits for ever.
    passes(plain.under(&["valgrind", "--quiet", "--error-exitcode=9"]));
}
