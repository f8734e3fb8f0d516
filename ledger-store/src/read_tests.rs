//! What reading costs, counted in steps of SQLite's virtual machine: the same for a small ledger and a large one.

use crate::caller::Caller;
use crate::connection;
use crate::{Ledger, OpenOptions};
use bgledger_core::config::Durability;
use bgledger_core::{Create, Envelope, Lookup, TaskNumber, Tree};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps that a request takes, once its statements are prepared.
fn steps(path: &Path, owner: Option<&str>, request: &str) -> u64 {
    let request = Envelope::parse(request).request.expect("a request");
    let mut sql = Connection::open(path).expect("a connection");
    connection::guard(&sql).expect("the settings of every connection");
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let one_step = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    sql.progress_handler(1, Some(one_step)).expect("a handler");
    let run = || super::execute(&sql, &request, &Caller::of(owner)).expect("an answer");
    run();
    count.store(0, Ordering::Relaxed);
    run();
    count.load(Ordering::Relaxed)
}

#[test]
fn the_cost_of_reading_does_not_grow_with_the_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = |owner: &str| {
        let owner = Some(owner.to_owned());
        let options = OpenOptions { owner, durability: Some(Durability::Relaxed), ..OpenOptions::default() };
        Ledger::open(&path, options).expect("the ledger opens")
    };
    let (local, other) = (ledger("local"), ledger("other"));
    let fill = |from: u64, to: u64| {
        for task in from..to {
            let ledger = if task % 2 == 0 { &local } else { &other };
            ledger.call(Create { label: format!("task {task}"), ..Create::default() }).expect("created");
            let number = task + 1;
            if task >= 60 {
                let finish = format!(r#"{{"finish": {{"lookup": {number}, "status": "succeeded"}}}}"#);
                ledger.request(Envelope::parse(&finish).request.expect("a request")).expect("finished");
            }
        }
    };
    let requests = [
        (None, r#"{"list": {}}"#),
        (Some("local"), r#"{"list": {}}"#),
        (Some("other"), r#"{"list": {}}"#),
        (None, r#"{"list": {"active": true}}"#),
        (None, r#"{"list": {"status": ["failed", "lost"]}}"#),
        (None, r#"{"show": {"lookup": 7}}"#),
        (None, r#"{"history": {"lookup": 70}}"#),
        (None, r#"{"stats": {}}"#),
        (None, r#"{"audit": {}}"#),
        (None, r#"{"maintenance": {}}"#),
    ];
    let measure = || requests.map(|(owner, request)| steps(&path, owner, request));
    fill(0, 400);
    let small = measure();
    fill(400, 3_000);
    let large = measure();
    for (((owner, request), small), large) in requests.iter().zip(small).zip(large) {
        assert!(small > 0, "{request}: no step was counted");
        assert!(large <= small + small / 10, "{owner:?} {request}: {small} steps grew to {large}");
    }
}

#[test]
fn a_tree_that_is_cut_says_so_and_counts_what_its_reader_may_see() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let operator = Ledger::open(&path, OpenOptions::default()).expect("the ledger opens");
    for (label, owner, parent) in [
        ("top", "ada", None),
        ("a", "ada", Some(1)),
        ("x", "bob", Some(1)),
        ("y", "bob", Some(1)),
        ("b", "ada", Some(1)),
    ] {
        let parent = parent.map(|number| Lookup::Number(TaskNumber(number)));
        let create = Create { label: label.into(), owner: Some(owner.into()), parent, ..Create::default() };
        operator.call(create).expect("created");
    }
    let sql = Connection::open(&path).expect("a connection");
    let told = |owner: Option<&str>, most: u32| {
        let (request, caller) = (Tree { lookup: Lookup::Number(TaskNumber(1)) }, Caller::of(owner));
        let report = super::tree(&sql, &request, most, &caller, &caller.world.moment()).expect("a tree");
        let labels: Vec<String> = report.top.children.into_iter().map(|child| child.task.task.label).collect();
        (labels.join(" "), report.truncated)
    };
    assert_eq!(told(None, 4), ("a x y b".into(), false));
    assert_eq!(told(None, 3), ("a x y".into(), true));
    assert_eq!(told(Some("ada"), 2), ("a b".into(), false));
    assert_eq!(told(Some("ada"), 1), ("a".into(), true));
}
