//! Whoever comes from OpenClaw finds every task and flow again, by the ids that they know; their old database does not
//! notice.

mod comparing;

use bgledger_core::{
    Audit, ErrorCode, ImportFinding, ImportReport, Maintenance, Notices, Prune, Show, Span, Status, TaskId, Verify,
};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::history::assert_sound;
use bgledger_tests::openclaw::{ALL, Generation, LONG_AGO, add, empty, flow, flow_id, full, set, task_id};
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use comparing::assert_whole;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A database that is to be imported, beside a ledger.
struct Scene {
    scratch: Scratch,
}

impl Scene {
    fn new() -> Scene {
        Scene { scratch: Scratch::in_memory() }
    }

    fn source(&self) -> PathBuf {
        let folder = self.scratch.ledger().with_file_name("openclaw");
        fs::create_dir_all(&folder).expect("a folder");
        folder.join("openclaw.sqlite")
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.scratch.ledger(), OpenOptions::default()).expect("a ledger")
    }

    fn import(&self) -> ImportReport {
        self.ledger().import_openclaw(&self.source(), false).expect("an import")
    }

    fn id(&self, number: usize) -> TaskId {
        TaskId::parse(&task_id(number)).expect("a UUID")
    }

    fn show(&self, number: usize) -> bgledger_core::TaskView {
        self.ledger().call(Show { lookup: self.id(number).into(), ack: None }).expect("a task").task
    }
}

/// Everything in a folder: names, bytes, times.
fn everything(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
    let look = |entry: fs::DirEntry| {
        let modified = entry.metadata().expect("a look").modified().expect("a time");
        (entry.file_name().to_string_lossy().into_owned(), (fs::read(entry.path()).expect("its bytes"), modified))
    };
    entries.map(look).collect()
}

#[test]
fn every_generation_comes_over_whole_and_only_once() {
    for generation in ALL {
        let scene = Scene::new();
        let (tasks, flows) = full(&scene.source(), generation);
        comes_over_whole(&scene, tasks, flows, 0);
    }
}

/// The same with a real database, if there is one: `BGLEDGER_OPENCLAW_SAMPLE` names it.
#[test]
fn a_real_database_comes_over_whole_and_only_once() {
    let Some(sample) = std::env::var_os("BGLEDGER_OPENCLAW_SAMPLE") else { return };
    let scene = Scene::new();
    fs::copy(sample, scene.source()).expect("a copy");
    let count = |query: &str| comparing::rows(&scene.source(), query).len() as u64;
    let (tasks, flows) = (count("SELECT 1 FROM task_runs"), count("SELECT 1 FROM flow_runs"));
    let dangling = "SELECT 1 FROM flow_runs WHERE blocked_task_id IS NOT NULL AND sync_mode = 'managed'
        AND blocked_task_id NOT IN (SELECT task_id FROM task_runs)";
    comes_over_whole(&scene, tasks, flows, count(dangling));
}

fn comes_over_whole(scene: &Scene, tasks: u64, flows: u64, findings: u64) {
    let before = everything(scene.source().parent().expect("a folder"));
    let rehearsed = scene.ledger().import_openclaw(&scene.source(), true).expect("a rehearsal");
    assert!(!scene.scratch.ledger().exists(), "a rehearsal records nothing");
    let report = scene.import();
    assert_eq!(ImportReport { applied: true, ..rehearsed }, report);
    assert_eq!((report.tasks.imported, report.flows.imported), (tasks, flows), "{report:#?}");
    assert_eq!(report.findings_total, findings, "{:#?}", report.findings);
    assert_whole(&scene.source(), &scene.ledger(), &report);
    assert_sound(&scene.scratch.ledger());

    let again = scene.import();
    assert_eq!((again.tasks.imported, again.tasks.existed), (0, tasks));
    assert_eq!((again.flows.imported, again.flows.existed), (0, flows));
    assert_eq!((again.by_status, again.findings_total), (report.by_status.clone(), 0));
    let rehearsed = scene.ledger().import_openclaw(&scene.source(), true).expect("a rehearsal");
    assert_eq!((rehearsed.tasks.imported, rehearsed.tasks.existed, rehearsed.findings_total), (0, tasks, 0));
    assert_eq!(everything(scene.source().parent().expect("a folder")), before);

    let ledger = scene.ledger();
    let pruned = ledger.call(Prune { older_than: None, dry_run: false }).expect("a pruning");
    assert_eq!((pruned.tasks, pruned.flows), (0, 0), "how long it stays is counted from the import");
    let notices = ledger.call(Notices::default()).expect("notices").notices;
    assert!(notices.is_empty(), "{notices:?}");
    ledger.call(Maintenance { apply: true, ..Maintenance::default() }).expect("maintenance");
    let codes = ledger.call(Audit::default()).expect("an audit").summary.by_code;
    let count = |code: &str| codes.get(code).copied().unwrap_or(0);
    for code in ["unknown_word", "times_out_of_order", "row_differs", "executor_gone", "undelivered"] {
        assert_eq!(count(code), 0, "{code}");
    }
    let of = |status: Status| report.by_status.get(status.as_str()).copied().unwrap_or(0);
    assert_eq!((count("lost"), count("stale_queued")), (of(Status::Lost), of(Status::Queued)));
    assert_eq!(count("unobserved"), of(Status::Running), "that it was brought here is no sign of life");
    assert!(ledger.call(Verify {}).expect("a verification").ok);
}

#[test]
fn what_is_still_in_the_journal_comes_over_and_nothing_is_written_beside_it() {
    let scene = Scene::new();
    let sql = empty(&scene.source(), Generation::Third);
    sql.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("WAL");
    (1..=300).for_each(|number| add(&sql, number, "cli", "succeeded"));
    let folder = scene.source().with_file_name("");
    assert!(fs::metadata(folder.join("openclaw.sqlite-wal")).expect("a WAL").len() > 0);
    let before = everything(&folder);
    assert_eq!(scene.import().tasks.imported, 300);
    assert_eq!(everything(&folder), before);
    let (link, elsewhere) = (scene.scratch.ledger().with_file_name("link"), Scene::new());
    std::os::unix::fs::symlink(scene.source(), &link).expect("a link");
    assert_eq!(elsewhere.ledger().import_openclaw(&link, false).expect("an import").tasks.imported, 300);
    // Its owner goes on undisturbed.
    add(&sql, 301, "cli", "succeeded");
    let report = scene.import();
    assert_eq!((report.tasks.imported, report.tasks.existed), (1, 300));
    assert_sound(&scene.scratch.ledger());
}

#[test]
fn what_the_rules_do_not_allow_is_told_and_stays_in_the_origin() {
    let scene = Scene::new();
    let sql = empty(&scene.source(), Generation::Third);
    let odd = [
        ("succeeded", "started_at = created_at - 5000"),
        ("succeeded", "ended_at = started_at - 5000"),
        ("succeeded", "ended_at = NULL"),
        ("running", "ended_at = created_at + 200"),
        ("running", "started_at = NULL, progress_summary = NULL"),
        ("failed", "created_at = 9000000000000000"),
        ("failed", "label = hex(zeroblob(5000))"),
        ("failed", "error = 'a' || char(0) || 'b'"),
        ("succeeded", "runtime = 'Strange Host!'"),
        ("succeeded", "status = 'exploded'"),
        ("running", "status = 'awaiting_approval'"),
        ("running", "terminal_summary = 'too early'"),
        ("queued", "progress_summary = 'too early'"),
        ("running", "parent_task_id = 'nobody'"),
        ("running", "parent_flow_id = 'nothing'"),
        ("succeeded", "task = hex(zeroblob(700000)), detail_json = 'no JSON'"),
        ("lost", "error = hex(zeroblob(3000)), terminal_summary = 'words of the lost'"),
        ("succeeded", "terminal_outcome = 'So-so'"),
    ];
    for (place, (status, what)) in odd.iter().enumerate() {
        add(&sql, place + 1, "cli", status);
        set(&sql, place + 1, what);
    }
    // A task is its own grandparent; neither is lost for it.
    for (number, parent) in [(40, 41), (41, 40)] {
        add(&sql, number, "cli", "running");
        set(&sql, number, &format!("parent_task_id = '{}'", task_id(parent)));
    }
    // An id that is none of ours, and a policy of another time.
    add(&sql, 50, "cli", "running");
    set(&sql, 50, "task_id = 'not a UUID', notify_policy = 'whisper'");
    flow(&sql, 1, "managed", "blocked", "ended_at = updated_at");
    flow(&sql, 2, "managed", "succeeded", "ended_at = NULL, wait_json = '{}', state_json = '{oops'");
    flow(&sql, 3, "managed", "meditating", "updated_at = created_at - 1");
    flow(&sql, 4, "task_mirrored", "running", "");
    let report = scene.import();
    assert_eq!((report.tasks.imported, report.flows.imported), (odd.len() as u64 + 3, 4));
    assert_sound(&scene.scratch.ledger());
    let found = |subject: String| -> Vec<&ImportFinding> {
        report.findings.iter().filter(|finding| finding.subject == subject).collect()
    };
    let fields = [
        vec!["created_at"],
        vec!["ended_at"],
        vec!["ended_at"],
        vec!["ended_at"],
        vec!["started_at"],
        vec!["created_at", "created_at"],
        vec!["label"],
        vec!["error"],
        vec!["runtime"],
        vec!["status", "terminal_summary"],
        vec!["status"],
        vec!["terminal_summary"],
        vec!["progress_summary"],
        vec!["parent_task_id"],
        vec!["parent_flow_id"],
        vec!["task"],
        vec!["error", "terminal_summary"],
        vec!["terminal_outcome"],
    ];
    for (place, expected) in fields.iter().enumerate() {
        let told: Vec<&str> =
            found(format!("task {}", task_id(place + 1))).iter().map(|one| one.field.as_str()).collect();
        assert_eq!(told, *expected, "{:?}", odd[place]);
    }
    let was = &found(format!("task {}", task_id(2)))[0];
    let (at, started) = (LONG_AGO + 2_000, LONG_AGO + 2_100);
    assert_eq!(
        (was.was.as_str(), was.now.as_str()),
        ((started - 5_000).to_string().as_str(), started.to_string().as_str())
    );
    let task = scene.show(2).task;
    assert_eq!((task.created_at.get(), task.ended_at.map(|ended| ended.get())), (at, Some(started)));
    assert!(task.origin.expect("an origin").as_str().contains(&format!("\"ended_at\":{}", started - 5_000)));
    assert_eq!(scene.show(7).task.label.len(), bgledger_core::bounds::LABEL_BYTES);
    assert_eq!(scene.show(9).task.runtime, "strange_host_");
    assert_eq!(scene.show(10).task.status, Status::Lost);
    assert_eq!(
        (scene.show(11).task.status, scene.show(11).task.waiting_on.as_deref()),
        (Status::Running, Some("auth"))
    );
    let big = scene.show(16).task;
    assert_eq!(big.task.map(|text| text.len()), Some(bgledger_core::bounds::TASK_BYTES));
    assert!(big.origin.expect("an origin").as_str().len() > 1_400_000);
    assert_eq!(scene.show(41).task.parent, Some(scene.id(40)).filter(|_| scene.show(40).task.parent.is_none()));
    for (number, expected) in [
        (1, vec!["status"]),
        (2, vec!["ended_at", "wait_json", "state_json"]),
        (3, vec!["status", "updated_at"]),
        (4, vec!["status", "ended_at", "sync_mode"]),
    ] {
        let told: Vec<&str> = found(format!("flow {}", flow_id(number))).iter().map(|one| one.field.as_str()).collect();
        assert_eq!(told, expected, "flow {number}");
    }
    // They can be found again: of each record, all but what was decided of its links.
    let again = scene.import();
    assert_eq!((again.tasks.imported, again.tasks.existed), (0, odd.len() as u64 + 3));
    let links = ["parent_task_id", "parent_flow_id", "blocked_task_id"];
    let own = |finding: &&ImportFinding| !links.contains(&finding.field.as_str());
    let subjects = |report: &ImportReport| -> Vec<(String, String)> {
        let mut told: Vec<_> =
            report.findings.iter().filter(own).map(|one| (one.subject.clone(), one.field.clone())).collect();
        told.sort();
        told
    };
    assert_eq!(subjects(&again), subjects(&report));
}

#[test]
fn work_that_goes_on_is_told_of_when_it_ends_here() {
    let scene = Scene::new();
    full(&scene.source(), Generation::Third);
    scene.import();
    let ledger = scene.ledger();
    let running = scene.show(2);
    assert_eq!((running.liveness, running.task.executor), (Some("unknown"), None));
    assert!(running.task.heartbeat_at.is_none(), "nobody has been heard of");
    let finish = format!(r#"{{"finish": {{"lookup": "{}", "status": "succeeded"}}}}"#, task_id(2));
    assert!(ledger.answer(&finish).starts_with(r#"{"ok""#));
    let notices = ledger.call(Notices::default()).expect("notices").notices;
    assert_eq!(
        notices.iter().map(|notice| notice.notice.recipient.as_deref().unwrap_or_default()).collect::<Vec<_>>(),
        ["session:agent:main:main"]
    );
    // What was imported is never changed by importing again.
    assert_eq!(scene.import().tasks.existed, 28);
    assert_eq!(scene.show(2).task.status, Status::Succeeded);
}

#[test]
fn what_was_pruned_does_not_come_back() {
    let scene = Scene::new();
    let (tasks, _) = full(&scene.source(), Generation::First);
    scene.import();
    let pruned = scene.ledger().call(Prune { older_than: Some(Span::ZERO), dry_run: false }).expect("a pruning").tasks;
    assert!(pruned > 10, "{pruned}");
    let report = scene.import();
    assert_eq!((report.tasks.imported, report.tasks.existed, report.tasks.pruned), (0, tasks - pruned, pruned));
    assert!(scene.ledger().call(Verify {}).expect("a verification").ok);
}

#[test]
fn an_id_that_is_taken_is_not_taken_away() {
    let (scene, other) = (Scene::new(), Scene::new());
    let sql = empty(&scene.source(), Generation::First);
    add(&sql, 1, "cli", "running");
    scene.import();
    // The same id under another owner.
    let sql = empty(&other.source(), Generation::First);
    add(&sql, 1, "cli", "running");
    set(&sql, 1, "owner_key = 'agent:other:main'");
    let report = scene.ledger().import_openclaw(&other.source(), false).expect("an import");
    assert_eq!(report.tasks.imported, 1);
    assert_eq!(scene.show(1).task.owner, "agent:main:main");
    assert_sound(&scene.scratch.ledger());
}

#[test]
fn what_is_no_database_of_openclaw_is_refused_and_makes_no_ledger() {
    let scene = Scene::new();
    let source = scene.source();
    let refused = || scene.ledger().import_openclaw(&source, false).expect_err("a refusal").code();
    assert_eq!(refused(), ErrorCode::InvalidValue);
    fs::write(&source, "").expect("a file");
    assert_eq!(refused(), ErrorCode::InvalidValue);
    fs::write(&source, "no database at all, but long enough to look like one").expect("a file");
    assert_eq!(refused(), ErrorCode::InvalidValue);
    fs::remove_file(&source).expect("a file");
    rusqlite::Connection::open(&source).expect("a database").execute_batch("CREATE TABLE other (a)").expect("a table");
    assert_eq!(refused(), ErrorCode::InvalidValue);
    assert!(!scene.scratch.ledger().exists());
    bgledger_tests::pipe::Piped::on(&scene.scratch.ledger()).ok(r#"{"create": {"label": "own"}}"#);
    for import in [
        scene.ledger().import_openclaw(&scene.scratch.ledger(), false),
        scene.ledger().import(&scene.scratch.ledger(), false),
    ] {
        assert_eq!(import.expect_err("not the ledger itself").code(), ErrorCode::InvalidValue);
    }
    let options = OpenOptions { owner: Some("somebody".into()), ..OpenOptions::default() };
    let owners = Ledger::open(&scene.scratch.ledger(), options).expect("a ledger");
    assert_eq!(owners.import_openclaw(&source, false).expect_err("a refusal").code(), ErrorCode::NotAvailable);
}

#[test]
fn the_verb_tells_people_and_programs_what_it_did() {
    let scene = Scene::new();
    full(&scene.source(), Generation::Third);
    let import = |arguments: &[&str]| {
        let mut command = pipe::command(&scene.scratch.ledger());
        let output =
            command.args(arguments).args(["import", "openclaw"]).arg(scene.source()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let text = import(&[]);
    assert!(text.contains("28  tasks, 28 new") && text.contains("13  flows, 13 new"), "{text}");
    let report: serde_json::Value = serde_json::from_str(&import(&["--json"])).expect("JSON");
    assert_eq!((&report["tasks"]["existed"], &report["by_status"]["lost"]), (&28.into(), &4.into()));
}
