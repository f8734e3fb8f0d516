//! What a list costs, whatever it asks for: which way it goes, and how many steps of SQLite's virtual machine that takes.

use super::{Filter, Way};
use crate::caller::Caller;
use crate::connection;
use crate::world::World;
use crate::{Ledger, OpenOptions};
use bgledger_core::config::Durability;
use bgledger_core::{Envelope, List, Request, TaskPage};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every filter, each with what the newest have and with what only the oldest have; and the index that is followed.
const FILTERS: [(&str, &str); 23] = [
    (r#""active": true"#, "task_status"),
    (r#""status": "running""#, "task_status"),
    (r#""status": "failed""#, "task_status"),
    (r#""status": ["succeeded", "failed"]"#, ""),
    (r#""runtime": "cli""#, ""),
    (r#""runtime": "legacy""#, "one by one"),
    (r#""kind": "common""#, "task_kind"),
    (r#""kind": "legacy""#, "task_kind"),
    (r#""agent": "common""#, "task_agent"),
    (r#""agent": "legacy""#, "task_agent"),
    (r#""label": "a task""#, ""),
    (r#""label": "legacy""#, ""),
    (r#""session": "common""#, "one by one"),
    (r#""session": "legacy""#, "one by one"),
    (r#""run_id": "run-7""#, "task_run"),
    (r#""metadata": {"team": "common"}"#, ""),
    (r#""metadata": {"team": "legacy"}"#, ""),
    (r#""search": "a task""#, ""),
    (r#""search": "needle""#, ""),
    (r#""parent": 1"#, "task_parent"),
    (r#""flow": "F1""#, "task_flow"),
    (r#""since": 253402300799000"#, "one by one"),
    (r#""until": 1"#, ""),
];

/// A ledger of twenty odd old tasks and as many common ones as are wanted, and its folder.
fn ledger(common: i64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let options =
        OpenOptions { durability: Some(Durability::Relaxed), runtime: "cli".into(), ..OpenOptions::default() };
    let ledger = Ledger::open(&path, options).expect("the ledger opens");
    let ask = |request: &str| {
        let request = Envelope::parse(request).request.expect("a request");
        ledger.request(request).expect("recorded");
    };
    ask(r#"{"flow_create": {"goal": "old", "controller": "legacy"}}"#);
    for number in 1..=20 {
        let parent = if number > 1 { r#""parent": 1,"# } else { "" };
        ask(&format!(
            r#"{{"create": {{"label": "legacy", "runtime": "legacy", "kind": "legacy", "agent": "legacy", {parent}
                "session": "legacy", "metadata": {{"team": "legacy"}}, "task": "a needle", "flow": "F1",
                "run_id": "run-{number}"}}}}"#
        ));
        ask(&format!(r#"{{"finish": {{"lookup": {number}, "status": "failed"}}}}"#));
    }
    ask(r#"{"create": {"label": "a task", "kind": "common", "agent": "common", "session": "common", "owner": "ada",
        "metadata": {"team": "common"}, "run_id": "common-21"}}"#);
    ask(r#"{"finish": {"lookup": 21, "status": "succeeded"}}"#);
    drop(ledger);
    let sql = Connection::open(&path).expect("a connection");
    let columns: Vec<String> = {
        let mut statement = sql.prepare("SELECT name FROM pragma_table_info('task')").expect("a query");
        let names = statement.query_map([], |row| row.get(0)).expect("columns");
        names.map(|name| name.expect("a name")).collect()
    };
    let values: Vec<&str> = columns
        .iter()
        .map(|column| match column.as_str() {
            "number" => "at.value",
            "id" => "randomblob(16)",
            "run_id" => "'common-' || at.value",
            other => other,
        })
        .collect();
    let copy = format!(
        "INSERT INTO task ({}) SELECT {} FROM task, generate AS at WHERE number = 21",
        columns.join(", "),
        values.join(", ")
    );
    let copy = copy.replacen(
        "INSERT",
        "WITH generate (value) AS (SELECT 22 UNION ALL SELECT value + 1 FROM generate WHERE value < ?1) INSERT",
        1,
    );
    sql.execute(&copy, [21 + common]).expect("copied");
    (folder, path)
}

fn open(path: &Path) -> Connection {
    let sql = Connection::open(path).expect("a connection");
    connection::guard(&sql).expect("the settings of every connection");
    sql
}

fn request(filters: &str) -> List {
    match Envelope::parse(&format!(r#"{{"list": {{{filters}}}}}"#)).request {
        Ok(Request::List(list)) => list,
        other => panic!("{filters}: {other:?}"),
    }
}

/// Two filters of one name cannot stand together.
fn pairs() -> impl Iterator<Item = String> {
    let name = |filter: &str| filter.split(':').next().map(str::to_owned);
    FILTERS.iter().flat_map(move |(one, _)| {
        let others = FILTERS.iter().filter(move |(other, _)| name(one) < name(other));
        others.map(move |(other, _)| format!("{one}, {other}"))
    })
}

fn page(sql: &Connection, list: &List, owner: Option<&str>) -> TaskPage {
    let caller = Caller::of(owner);
    super::list(sql, list, &caller, &caller.world.moment()).expect("a page")
}

#[test]
fn every_filter_takes_its_narrowest_way() {
    let (_folder, path) = ledger(8_000);
    let sql = open(&path);
    let way = |filters: &str| {
        let filter = Filter::of(&sql, &request(filters), &Caller::of(None)).expect("a filter");
        filter.way(&sql, i64::MAX, 50).expect("a way")
    };
    let plan = |text: &str, values: &[rusqlite::types::Value]| -> String {
        let mut statement = sql.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect("a plan");
        let values = rusqlite::params_from_iter(values);
        let steps = statement.query_map(values, |row| row.get::<_, String>(3)).expect("steps");
        steps.map(|step| step.expect("a step")).collect::<Vec<_>>().join("; ")
    };
    let assert_straight = |filters: &str, plan: &str| {
        assert!(!plan.contains("SCAN task"), "{filters}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filters}: {plan}");
    };
    for (filters, wanted) in FILTERS {
        match way(filters) {
            Way::Rows { text, values, .. } => {
                let plan = plan(&text, &values);
                assert_straight(filters, &plan);
                let index = if wanted.is_empty() { "PRIMARY KEY" } else { wanted };
                assert!(plan.contains(index), "{filters}: {plan}");
            }
            // The active ones are of two statuses.
            Way::Numbers { .. } => assert!(wanted == "one by one" || filters.contains("active"), "{filters}"),
        }
    }
    // Of two the one that leads to less; never the statuses where there is a narrower one.
    for (filters, wanted) in [
        (r#""kind": "common", "agent": "legacy""#, "task_agent"),
        (r#""kind": "legacy", "agent": "common""#, "task_kind"),
        (r#""kind": "legacy", "status": "failed""#, "task_kind"),
        (r#""status": "failed", "run_id": "run-7""#, "task_run"),
        (r#""status": "running", "kind": "common""#, "task_status"),
        (r#""label": "legacy", "kind": "legacy""#, "task_kind"),
        (r#""flow": "F1", "status": "failed""#, "task_flow"),
    ] {
        let Way::Rows { text, values, .. } = way(filters) else { panic!("{filters}: one by one") };
        let plan = plan(&text, &values);
        assert_straight(filters, &plan);
        assert!(plan.contains(wanted), "{filters}: {plan}");
    }
}

/// A host that asks for a rare label in a ledger of a million tasks is not kept for a second: each page has its bound.
#[test]
fn no_filter_and_no_pair_of_filters_costs_more_in_a_larger_ledger() {
    let ledgers = [ledger(6_000), ledger(24_000)];
    let steps = |path: &Path, list: &List, owner: Option<&str>| {
        let mut sql = open(path);
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let one_step = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        page(&sql, list, owner);
        sql.progress_handler(1, Some(one_step)).expect("a handler");
        page(&sql, list, owner);
        count.load(Ordering::Relaxed)
    };
    let singles = FILTERS.iter().map(|(filter, _)| (*filter).to_owned());
    for filters in singles.chain(pairs()).chain([String::new()]) {
        let list = request(&filters);
        for owner in [None, Some("local"), Some("ada")] {
            // Who sees no such task is told that there is none.
            if owner == Some("ada") && (filters.contains("parent") || filters.contains("flow")) {
                continue;
            }
            let [small, large] = [0, 1].map(|place: usize| steps(&ledgers[place].1, &list, owner));
            assert!(small > 0, "{filters}: no step was counted");
            assert!(large <= small + small / 5 + 200, "{owner:?} {filters}: {small} steps grew to {large}");
        }
    }
}

#[test]
fn pages_together_tell_every_task_that_fits_once() {
    let (_folder, path) = ledger(7_000);
    let sql = open(&path);
    let all: Vec<u64> = (1..=7_021).rev().collect();
    let old: Vec<u64> = (1..=20).rev().collect();
    for (filters, limit, wanted) in [
        ("", 1_000, all.clone()),
        (r#""label": "legacy""#, 50, old.clone()),
        (r#""label": "legacy""#, 7, old.clone()),
        (r#""search": "needle""#, 50, old.clone()),
        (r#""metadata": {"team": "legacy"}"#, 3, old.clone()),
        (r#""until": 1"#, 50, Vec::new()),
        (r#""kind": "common", "label": "legacy""#, 50, Vec::new()),
        (r#""session": "common""#, 300, (21..=7_021).rev().collect()),
        (r#""session": "common", "label": "a task""#, 300, (21..=7_021).rev().collect()),
        (r#""status": ["failed", "succeeded"]"#, 999, all),
        (r#""status": ["failed", "lost"], "label": "legacy""#, 6, old.clone()),
        (r#""runtime": "legacy""#, 6, old.clone()),
        (r#""since": 1, "runtime": "legacy""#, 6, old),
    ] {
        let mut list = request(filters);
        list.limit = Some(limit);
        let (mut told, mut pages) = (Vec::new(), 0);
        loop {
            let page = page(&sql, &list, None);
            assert!(page.tasks.len() <= limit as usize, "{filters}");
            told.extend(page.tasks.iter().map(|view| view.task.number.0));
            list.after = page.next;
            pages += 1;
            if list.after.is_none() {
                break;
            }
            assert!(pages < 1_200, "{filters}: the pages have no end");
        }
        assert_eq!(told, wanted, "{filters}");
    }
}

/// A queue that nobody empties does not make the next notice dearer.
#[test]
fn notices_cost_no_more_where_there_are_many() {
    let steps = |common: i64| {
        let (_folder, path) = ledger(common);
        let mut sql = open(&path);
        sql.execute_batch(
            "UPDATE task SET notify = 'done_only';
            INSERT INTO event (seq, task, prev, at, kind) SELECT number + 1000, number, 0, 1, 4 FROM task WHERE number > 21;
            INSERT INTO notice (task, seq, recipient, kind, generation, state, owed_at, due_at, known)
                SELECT number, number + 1000, iif(number = 5000, 'owner:eve', 'owner:ada'), 6, generation, 1,
                    (unixepoch() - 5) * 1000, (unixepoch() - 5) * 1000, 0
                FROM task WHERE number > 21",
        )
        .expect("notices");
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let one_step = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        sql.progress_handler(1, Some(one_step)).expect("a handler");
        let ask = |request: &str| {
            let request = Envelope::parse(request).request.expect("a request");
            count.store(0, Ordering::Relaxed);
            if let Request::NoticesClaim(claim) = &request {
                let claimed = crate::notices::claim(&sql, claim, &Caller::of(None), &at()).expect("a claim");
                assert!(format!("{claimed:?}").contains("owner:eve"), "{claimed:?}");
            } else if let Request::Notices(notices) = &request {
                crate::notices::list(&sql, notices, &Caller::of(None), &at()).expect("a list");
            }
            count.load(Ordering::Relaxed)
        };
        [
            ask(r#"{"notices": {}}"#),
            ask(r#"{"notices": {"state": ["pending"]}}"#),
            ask(r#"{"notices_claim": {"recipients": ["owner:eve"]}}"#),
        ]
    };
    let (small, large) = (steps(7_000), steps(21_000));
    for (small, large) in small.iter().zip(&large) {
        assert!(*large <= small + small / 5 + 200, "{small} steps grew to {large}");
    }
}

fn at() -> bgledger_core::Moment {
    World::Real.moment()
}
