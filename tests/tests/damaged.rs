//! A damaged ledger is never taken for a smaller one: it answers as it was, or says what is wrong; reading leaves it as
//! it is; and what is saved of it comes with a true account of what is not.

use bgledger_tests::binary;
use bgledger_tests::damage::{Damage, Files};
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::json;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const TASKS: u64 = 80;

/// A ledger that has a bit of everything: as it lies there with a `-wal`, and without.
fn ledgers(name: &str, tasks: u64) -> (Files, Files) {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let mut writer = Piped::on(&ledger);
    writer.ok(r#"{"flow_create": {"goal": "all of it", "controller": "c"}}"#);
    for task in 1..=tasks {
        let (session, text) = (task % 7, "what is to be done ".repeat(usize::try_from(task % 9 * 40).expect("few")));
        writer.ok(&format!(
            r#"{{"create": {{"label": "{name} {task}", "task": "{text}", "runtime": "subagent", "run_id": "r{task}",
                "session": "s{session}", "owner": "o{}", "metadata": {{"n": {task}}}, "start": {{}}}}}}"#,
            task % 3
        )
        .replace('\n', " "));
        for current in 1..=task % 4 {
            writer.ok(&format!(
                r#"{{"progress": {{"lookup": {task}, "current": {current}, "total": 4, "text": "on"}}}}"#
            ));
        }
        if task % 10 > 0 {
            let status = if task % 3 == 0 { "failed" } else { "succeeded" };
            writer.ok(&format!(
                r#"{{"finish": {{"lookup": {task}, "status": "{status}", "summary": "said {text}", "result": {{"n": {task}}}}}}}"#
            ));
        }
    }
    let with_wal = Files::of(&ledger);
    writer.end();
    let without = Files { wal: Vec::new(), shm: Vec::new(), ..Files::of(&ledger) };
    assert!(!with_wal.wal.is_empty() && without.database.len() > with_wal.database.len());
    (with_wal, without)
}

/// What a process answers to some requests, each a line; it must neither die nor hang.
fn ask(ledger: &Path, requests: &[Value]) -> Vec<Value> {
    let mut command = Command::new("timeout");
    let (name, nowhere) = binary::NO_PREFERENCES;
    command.env(name, nowhere);
    command.args(["--signal=KILL", "60"]).arg(binary::bgledger()).arg("--ledger").arg(ledger).arg("call");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    // A ledger that cannot be one is told before anything is read.
    let _ = child.stdin.take().expect("a pipe").write_all(lines.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 8)), "{}: {said}", output.status);
    assert!(!said.contains("panicked"), "{said}");
    let answers: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| json::parse(line).expect("an answer")).collect();
    match output.status.code() {
        Some(0) => assert_eq!(answers.len(), requests.len()),
        _ => assert!(answers.is_empty() && said.contains("error: "), "{said}"),
    }
    answers
}

/// What no event and no count repeats, so that nothing proves it: SQLite has no checksum of its pages.
const UNPROVED: [&str; 7] = ["revision", "updated_at", "heartbeat_at", "lease", "lease_expires_at", "key", "delivery"];

/// The fields in which tasks differ from what they were, among those that are in both.
fn differing(told: &BTreeMap<u64, Value>, truth: &BTreeMap<u64, Value>) -> BTreeSet<String> {
    let both = told.iter().filter_map(|(number, told)| Some((told.as_object()?, truth.get(number)?)));
    let fields = both.flat_map(|(told, truth)| told.iter().filter(|(name, value)| truth[*name] != **value));
    fields.map(|(name, _)| name.clone()).collect()
}

/// Tasks by number, as they are told, apart from what a look at this machine says.
fn tasks(answer: &Value) -> Option<BTreeMap<u64, Value>> {
    let tasks = answer["ok"]["tasks"].as_array()?;
    let told = tasks.iter().cloned().map(|mut task| {
        task["liveness"] = Value::Null;
        (task["number"].as_u64().expect("a number"), task)
    });
    Some(told.collect())
}

fn list() -> Value {
    json!({"list": {"limit": 10_000}})
}

/// Everything that happened, in order.
fn everything() -> Value {
    json!({"watch": {"after": 0, "limit": 10_000, "timeout": 0}})
}

/// How much there is of what has no numbers of its own, and of events.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counts {
    events: u64,
    notices: u64,
    flows: u64,
}

fn counting() -> [Value; 3] {
    [everything(), json!({"notices": {"limit": 10_000}}), json!({"flow_list": {"limit": 10_000}})]
}

impl Counts {
    fn of(answers: &[Value]) -> Option<Counts> {
        let [events, notices, flows] = answers else { return None };
        let count = |answer: &Value, of: &str| answer["ok"][of].as_array().map(|list| list.len() as u64);
        Some(Counts {
            events: count(events, "events")?,
            notices: count(notices, "notices")?,
            flows: count(flows, "flows")?,
        })
    }
}

/// What became of a damaged ledger.
#[derive(Debug, Default, Clone, Copy)]
struct Outcomes {
    all: u64,
    /// The listing failed.
    refused: u64,
    /// It was as before, and the doctor found nothing or something.
    same: u64,
    same_and_told: u64,
    /// It differs, and the doctor says that the ledger is damaged.
    differs_and_told: u64,
    /// Of those, it has fewer tasks than there were.
    fewer_and_told: u64,
    /// It is an earlier state, as a damaged `-wal` leaves it.
    earlier: u64,
    /// Texts differ that no event repeats, and nothing tells.
    text_differs: u64,
    /// Tasks that were there, that were saved, and that were reported lost.
    there: u64,
    saved: u64,
    reported_lost: u64,
    /// Recoveries that are complete.
    complete: u64,
}

struct Corpus {
    with_wal: Files,
    without: Files,
    foreign: Files,
    truth: BTreeMap<u64, Value>,
    counts: Counts,
    events: Vec<Value>,
}

impl Corpus {
    fn one(&self, seed: u64, case: usize) -> Result<(Damage, Outcomes), String> {
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(case as u64));
        let damage = Damage::ALL[case % Damage::ALL.len()];
        let whole = match damage.is_of_wal() || damage == Damage::ForeignWal || dice.below(4) == 0 {
            true => &self.with_wal,
            false => &self.without,
        };
        let files = whole.clone().damaged(damage, &self.foreign, &mut dice);
        let mut outcomes = Outcomes { all: 1, there: self.truth.len() as u64, ..Outcomes::default() };
        self.read(damage, &files, &mut outcomes)?;
        self.recover(damage, &files, &mut outcomes)?;
        Ok((damage, outcomes))
    }

    fn read(&self, damage: Damage, files: &Files, outcomes: &mut Outcomes) -> Result<(), String> {
        let scratch = Scratch::in_memory();
        let ledger = scratch.ledger();
        files.put(&ledger);
        let requests = [
            list(),
            everything(),
            json!({"show": {"lookup": 1}}),
            json!({"history": {"lookup": 7}}),
            json!({"audit": {}}),
            json!({"stats": {}}),
            json!({"verify": {}}),
            json!({"doctor": {}}),
        ];
        let answers = ask(&ledger, &requests);
        let after = Files::of(&ledger);
        if (&after.database, &after.wal) != (&files.database, &files.wal) {
            return Err("reading changed the files".into());
        }
        let (Some(listing), Some(doctor)) = (answers.first(), answers.last()) else {
            outcomes.refused += 1;
            return Ok(());
        };
        let healthy = doctor["ok"]["healthy"] == true;
        let Some(told) = tasks(listing) else {
            outcomes.refused += 1;
            return if healthy { Err(format!("{listing} of a healthy ledger: {doctor}")) } else { Ok(()) };
        };
        let missing: Vec<u64> = self.truth.keys().filter(|task| !told.contains_key(*task)).copied().collect();
        let fewer = !missing.is_empty();
        let says_so = listing["ok"]["unreadable"].as_array().is_some_and(|odd| !odd.is_empty());
        if fewer && !says_so && !damage.is_of_wal() {
            return Err(format!("the listing has not {missing:?}, and does not say so; healthy: {healthy}"));
        }
        match (told == self.truth, healthy) {
            (true, true) => outcomes.same += 1,
            (true, false) => outcomes.same_and_told += 1,
            (false, false) => {
                outcomes.differs_and_told += 1;
                outcomes.fewer_and_told += u64::from(fewer);
            }
            // The doctor has proved every row by its history, and found no gap: it is a state that there was.
            (false, true) if damage.is_of_wal() => {
                let events = answers[1]["ok"]["events"].as_array().cloned().unwrap_or_default();
                if !self.events.starts_with(&events) {
                    return Err(format!("{} events that are not the first of all", events.len()));
                }
                outcomes.earlier += 1;
            }
            (false, true) => {
                let fields = differing(&told, &self.truth);
                if fewer || fields.iter().any(|field| !UNPROVED.contains(&field.as_str())) {
                    return Err(format!("{fields:?} differ, {missing:?} are missing, and nothing tells"));
                }
                outcomes.text_differs += 1;
            }
        }
        Ok(())
    }

    fn recover(&self, damage: Damage, files: &Files, outcomes: &mut Outcomes) -> Result<(), String> {
        let scratch = Scratch::in_memory();
        let ledger = scratch.ledger();
        files.put(&ledger);
        let to = ledger.with_file_name("saved");
        let output = pipe::command(&ledger).args(["--json", "recover", "--to"]).arg(&to).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !matches!(output.status.code(), Some(0 | 8)) || !said.is_empty() {
            return Err(format!("recover: {} {said}", output.status));
        }
        if Files::of(&ledger) != *files || Files::of(&to.join("as-found/ledger.db")) != *files {
            return Err("recovering changed the files, or kept others".into());
        }
        let own = damage != Damage::ForeignWal;
        let report = json::parse(&String::from_utf8_lossy(&output.stdout))?;
        let mut requests = vec![list(), json!({"verify": {}})];
        requests.extend(counting());
        let answers = ask(&to.join("ledger.db"), &requests);
        let counts = Counts::of(&answers[2..]).ok_or_else(|| {
            let errors = answers.iter().filter(|answer| answer["error"].is_object());
            format!("what was saved cannot be counted: {:?}", errors.collect::<Vec<_>>())
        })?;
        let mut saved = tasks(&answers[0]).ok_or_else(|| format!("{} of {report}", answers[0]))?;
        let notices_lost = report["notices"]["unknown"] == true || report["notices"]["lost"] != 0;
        for (number, told) in saved.iter_mut().filter(|_| notices_lost) {
            // The report says that there may be more: of a notice there is no other trace.
            told["delivery"] = self.truth.get(number).map_or(Value::Null, |truth| truth["delivery"].clone());
        }
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or(u64::MAX);
        if number("/tasks/recovered") != saved.len() as u64 {
            return Err(format!("{} tasks are saved: {report}", saved.len()));
        }
        let complete = report["complete"] == true;
        if complete && !own {
            return Err(format!("another ledger is taken for this one: {report}"));
        }
        if answers[0]["ok"]["unreadable"] != json!([]) {
            return Err(format!("what was saved is listed with {}", answers[0]["ok"]["unreadable"]));
        }
        let missing = self.truth.keys().filter(|task| !saved.contains_key(*task)).count() as u64;
        if own {
            self.counted(damage, &report, missing, &counts)?;
        }
        outcomes.saved += self.truth.len() as u64 - missing;
        outcomes.reported_lost += number("/tasks/lost");
        outcomes.complete += u64::from(complete);
        if complete && own && !damage.is_of_wal() {
            let fields = differing(&saved, &self.truth);
            let proved = fields.iter().any(|field| !UNPROVED.contains(&field.as_str()));
            if missing > 0 || proved || (!fields.is_empty() && !damage.is_fine()) {
                return Err(format!(
                    "{missing} tasks are missing, or {fields:?} differ, of what is said to be complete"
                ));
            }
        }
        let invented = saved.keys().filter(|task| !self.truth.contains_key(*task)).count();
        if invented > 0 && own && !damage.is_fine() {
            return Err(format!("{invented} tasks are invented"));
        }
        // What nothing proves is named; everything else is sound.
        let known = |list: &str, task: u64| report[list].as_array().is_some_and(|list| list.contains(&task.into()));
        for (task, told) in saved.iter().filter(|_| own && !damage.is_of_wal()) {
            let one = |tasks: Option<&Value>| tasks.map(|told| (*task, told.clone())).into_iter().collect();
            let fields = differing(&one(Some(told)), &one(self.truth.get(task)));
            let unproved = |field: &String| damage.is_fine() && UNPROVED.contains(&field.as_str());
            if !fields.iter().all(unproved) && !known("mended", *task) && !known("unproved", *task) {
                let named = format!("#{task}:");
                let problems = report["problems"].as_array().cloned().unwrap_or_default();
                let is_told = |text: &str| text.starts_with(&named) || text.contains("not as they were");
                if !problems.iter().any(|problem| problem.as_str().is_some_and(is_told)) {
                    let was: Vec<&Value> = fields.iter().map(|field| &self.truth[task][field]).collect();
                    return Err(format!(
                        "#{task} differs in {fields:?}, which were {was:?}, and nothing says so: {told}"
                    ));
                }
            }
        }
        let unproved = report["unproved"].as_array().map_or(0, Vec::len);
        if unproved == 0 && answers[1]["ok"]["ok"] != true {
            return Err(format!("what was saved does not agree: {} {report}", answers[1]));
        }
        Ok(())
    }
}

impl Corpus {
    /// What is said to be lost is what is lost; less only where the report says that there may be more.
    fn counted(&self, damage: Damage, report: &Value, tasks: u64, saved: &Counts) -> Result<(), String> {
        let lost = [
            ("tasks", tasks),
            ("events", self.counts.events.saturating_sub(saved.events)),
            ("notices", self.counts.notices.saturating_sub(saved.notices)),
            ("flows", self.counts.flows.saturating_sub(saved.flows)),
        ];
        for (what, lost) in lost {
            let said = report[what]["lost"].as_u64().unwrap_or(u64::MAX);
            let unknown = report[what]["unknown"] == true;
            // A damaged page may show rows that never were, and hide such as have no number.
            let numbered = matches!(what, "tasks" | "events");
            let (over, under) = (said > lost && !damage.is_fine(), said < lost && !unknown);
            if over || (under && (numbered || !damage.is_fine())) {
                return Err(format!("{lost} {what} are lost, and {said} said to be, unknown: {unknown}: {report}"));
            }
        }
        Ok(())
    }
}

#[test]
fn damage_is_told_or_does_no_harm() {
    let seed = Dice::seed("BGLEDGER_DAMAGE_SEED", 1);
    let cases = count("BGLEDGER_DAMAGED", 506);
    let (with_wal, without) = ledgers("task", TASKS);
    let (foreign, _) = ledgers("stranger", 40);
    let scratch = Scratch::in_memory();
    without.put(&scratch.ledger());
    let truth = tasks(&ask(&scratch.ledger(), &[list()])[0]).expect("tasks");
    assert_eq!(truth.len() as u64, TASKS);
    let answers = ask(&scratch.ledger(), &counting());
    let counts = Counts::of(&answers).expect("counts");
    let events = answers[0]["ok"]["events"].as_array().cloned().expect("events");
    assert!(counts.events > TASKS && counts.notices > 0 && counts.flows > 0, "{counts:?}");
    let corpus = Corpus { with_wal, without, foreign, truth, counts, events };
    let (next, failed, sums) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= cases {
                        return;
                    }
                    match corpus.one(seed, case) {
                        Ok((damage, outcomes)) => {
                            let mut sums = sums.lock().expect("sums");
                            let sum = sums.entry(damage).or_insert_with(Outcomes::default);
                            add(sum, &outcomes);
                        }
                        Err(problem) => {
                            let damage = Damage::ALL[case % Damage::ALL.len()];
                            failed.lock().expect("a list").push(format!("case {case}, {damage:?}: {problem}"));
                        }
                    }
                }
            });
        }
    });
    for (damage, sum) in sums.into_inner().expect("sums") {
        eprintln!("{damage:?}: {sum:?}");
    }
    let failed = failed.into_inner().expect("a list");
    assert!(failed.is_empty(), "{} of {cases}:\n{}", failed.len(), failed.join("\n"));
}

fn add(sum: &mut Outcomes, one: &Outcomes) {
    sum.all += one.all;
    sum.refused += one.refused;
    sum.same += one.same;
    sum.same_and_told += one.same_and_told;
    sum.differs_and_told += one.differs_and_told;
    sum.fewer_and_told += one.fewer_and_told;
    sum.earlier += one.earlier;
    sum.text_differs += one.text_differs;
    sum.there += one.there;
    sum.saved += one.saved;
    sum.reported_lost += one.reported_lost;
    sum.complete += one.complete;
}
