//! Each call that SQLite makes of the file system fails, for each kind of request, once and for good: the answer is the
//! right one or a clear error; an error changed nothing; when the disk is well again the same handle goes on, and asking
//! again does what was asked, once.
//!
//! All of it: `cargo run --release -p bgledger-tests --bin soak -- io-faults`.

mod disk_full;

use bgledger_store::Ledger;
use bgledger_tests::content::{content, integrity, reader};
use bgledger_tests::dice::count;
use bgledger_tests::disk::put_into;
use bgledger_tests::operations::{Kind, OPERATIONS, Template, WARM, ask, at, handle, later, nameless};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vfs::{Call, Fault, Watch, in_parts};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One ledger, the handle that will meet a fault, and who watches.
struct Stage {
    ledger: Option<Ledger>,
    path: PathBuf,
    watch: Arc<Watch>,
    line: String,
    _scratch: Scratch,
}

/// What it came to without a fault: the first time and the second.
#[derive(Debug, PartialEq)]
struct Baseline {
    before: String,
    first: Told,
    second: Told,
}

/// An answer and what was recorded then.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    answer: String,
    after: String,
}

impl Stage {
    /// `warm`: the connections are open already. Without an image there is no ledger.
    fn new(template: Option<&Template>, line: &str, warm: bool) -> Stage {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let folder = path.parent().expect("a folder");
        if let Some(template) = template {
            put_into(folder, &template.image);
        }
        let line = template.map_or_else(|| at(line, later()), |template| template.line(line));
        let line = line.replace("COPY", &folder.join("copy.db").display().to_string());
        let watch = Watch::over(folder);
        let ledger = handle(&path);
        if warm {
            for line in WARM {
                let answer = ask(&ledger, &at(line, later()));
                assert!(answer["ok"].is_object(), "{line}: {answer}");
            }
        }
        Stage { ledger: Some(ledger), path, watch, line, _scratch: scratch }
    }

    fn ask(&self) -> Value {
        ask(self.ledger.as_ref().expect("a handle"), &self.line)
    }

    fn state(&self) -> String {
        match self.path.exists() {
            true => nameless(&content(&reader(&self.path).expect("a reader")).expect("a content")),
            false => "no ledger".to_owned(),
        }
    }

    /// An answer without what is random in it.
    fn plain(&self, answer: &Value) -> String {
        let folder = self.path.parent().expect("a folder").display().to_string();
        let mut answer = answer.clone();
        if let Some(task) = answer.pointer_mut("/ok/task").and_then(Value::as_object_mut) {
            // What is owed is looked for when nobody is in the way.
            task.remove("delivery");
        }
        nameless(&answer.to_string().replace(&folder, "FOLDER"))
    }

    fn tell(&self) -> Told {
        let answer = self.plain(&self.ask());
        Told { answer, after: self.state() }
    }
}

fn baseline(template: Option<&Template>, line: &str, warm: bool) -> Baseline {
    let stage = Stage::new(template, line, warm);
    let before = stage.state();
    Baseline { before, first: stage.tell(), second: stage.tell() }
}

/// One kind of request meets one fault.
struct Meeting<'a> {
    template: Option<&'a Template>,
    line: &'a str,
    kind: Kind,
    warm: bool,
    fault: Fault,
    lasting: bool,
    baseline: &'a Baseline,
}

impl Meeting<'_> {
    /// The fault comes after so many calls; answers what it struck, if it struck at all.
    fn at(&self, after: u64) -> Option<Call> {
        let mut stage = Stage::new(self.template, self.line, self.warm);
        stage.watch.order(self.fault, after, self.lasting);
        let answer = stage.ask();
        let (_, struck) = stage.watch.relent();
        struck?;
        let (found, plain) = (stage.state(), stage.plain(&answer));
        let first = &self.baseline.first;
        let is_unknown = answer["error"]["class"] == "unknown";
        if plain == first.answer {
            // What only reads is right or it is an error; what records is there.
            assert_eq!(found, first.after, "an answer without what it answers: {answer}");
        } else {
            self.assert_error(&answer, &plain);
            let is_whole = found == self.baseline.before || (is_unknown && found == first.after);
            assert!(
                is_whole || self.kind == Kind::Steps,
                "{answer} left a part:\n{}",
                differ(&self.baseline.before, &found)
            );
        }
        self.assert_well_again(&mut stage, &found);
        struck
    }

    /// The error says that it failed, and nothing that is not so.
    fn assert_error(&self, answer: &Value, plain: &str) {
        if self.kind == Kind::Looks && answer["ok"]["healthy"].is_boolean() {
            // It tells what it could see, of which the fault is a part.
            return;
        }
        let code = answer["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("a wrong answer: {plain}\ninstead of {}", self.baseline.first.answer));
        let full = self.fault == Fault::Full && code == "disk_full";
        let read_only = self.fault == Fault::ReadOnly && code == "read_only";
        assert!(full || read_only || ["io", "unknown", "unreadable"].contains(&code), "no such error: {answer}");
        if code == "unknown" {
            assert!([Kind::Records, Kind::Steps].contains(&self.kind), "a reader is told of no doubt: {answer}");
        }
    }

    /// The same handle goes on, and asking again does what was asked, once.
    fn assert_well_again(&self, stage: &mut Stage, found: &str) {
        let again = stage.tell();
        match self.kind {
            Kind::Steps => assert!(
                [&self.baseline.first.after, &self.baseline.second.after].contains(&&again.after),
                "asked again: {}\n{}",
                again.answer,
                differ(&self.baseline.first.after, &again.after)
            ),
            Kind::Reads | Kind::Records | Kind::Looks if found == self.baseline.before => {
                assert_eq!(again, self.baseline.first, "asked again after nothing was done");
            }
            Kind::Reads | Kind::Records | Kind::Looks => {
                assert_eq!(again, self.baseline.second, "asked again after it was done");
            }
        }
        let ledger = stage.ledger.take().expect("a handle");
        if stage.path.exists() {
            let verified = ask(&ledger, &at(r#"{"verify": {}}"#, later()));
            assert_eq!(verified["ok"]["ok"], true, "{verified}");
        }
        drop(ledger);
        if stage.path.exists() {
            assert_eq!(integrity(&reader(&stage.path).expect("a reader")).expect("a look"), "ok");
            assert_eq!(stage.state(), again.after, "closed, it holds something else");
        }
    }
}

fn differ(one: &str, other: &str) -> String {
    let lines = |text: &str, than: &str, sign: &str| -> String {
        let of: std::collections::BTreeSet<&str> = than.lines().collect();
        text.lines().filter(|line| !of.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    lines(one, other, "-") + &lines(other, one, "+")
}

/// How often each kind of call was struck.
type Struck = BTreeMap<Call, usize>;

/// A request meets a fault at each call that it makes, or at each so many-th.
fn at_each_call(meeting: &Meeting<'_>, stride: u64, first: u64, struck: &mut Struck) {
    for step in 0..20_000 {
        let after = first % stride + step * stride;
        let met = catch_unwind(AssertUnwindSafe(|| meeting.at(after)));
        let Meeting { line, fault, lasting, warm, .. } = meeting;
        match met {
            Ok(Some(call)) => *struck.entry(call).or_default() += 1,
            Ok(None) => return,
            Err(_) => panic!("{line}: {fault:?} after {after} calls, lasting: {lasting}, warm: {warm}"),
        }
    }
    panic!("calls without end: {}", meeting.line);
}

/// Every stride-th position; all of them where the environment says 1.
fn stride() -> u64 {
    count("BGLEDGER_FAULT_STRIDE", 7) as u64
}

/// Does something for each of several, on both processors.
fn each<T: Sync>(of: &[T], work: impl Fn(usize, &T, &mut Struck) + Sync) -> Struck {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Struck::new()));
    let worker = || {
        let mut struck = Struck::new();
        while let Some((place, item)) = of.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            work(place, item, &mut struck);
        }
        let mut sum = sum.lock().expect("a sum");
        struck.into_iter().for_each(|(call, many)| *sum.entry(call).or_default() += many);
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        scope.spawn(worker);
    });
    sum.into_inner().expect("a sum")
}

#[test]
fn a_fault_changes_nothing_or_is_told() {
    let template = Template::new();
    let stride = stride();
    let struck = each(&OPERATIONS, |place, (line, kind), struck| {
        for warm in [true, false] {
            let baseline = baseline(Some(&template), line, warm);
            let is_answered = baseline.first.answer.contains(r#""ok":"#) || line.contains("99");
            assert!(is_answered, "{line}: {}", baseline.first.answer);
            for fault in [Fault::Io, Fault::Full, Fault::ReadOnly] {
                for lasting in [false, true] {
                    let template = Some(&template);
                    let meeting = Meeting { template, line, kind: *kind, warm, fault, lasting, baseline: &baseline };
                    at_each_call(&meeting, stride, place as u64 + u64::from(warm), struck);
                }
            }
        }
    });
    let sum: usize = struck.values().sum();
    println!("{sum} faults: {struck:?}");
    let usual = [Call::Open, Call::Read, Call::Write, Call::Sync, Call::Size, Call::Map, Call::MapLock];
    assert!(usual.iter().all(|call| struck.contains_key(call)), "some calls were never struck: {struck:?}");
}

/// The first task makes the ledger: whatever fails, there is a whole one afterwards or none.
#[test]
fn a_fault_while_the_ledger_is_made_leaves_none() {
    let line = r#"{"create": {"label": "first", "key": "k"}}"#;
    let baseline = baseline(None, line, false);
    assert_eq!(baseline.before, "no ledger");
    let stride = stride().min(3);
    let orders = [(Fault::Io, false), (Fault::Io, true), (Fault::Full, false), (Fault::Full, true)];
    let struck = each(&orders, |place, (fault, lasting), struck| {
        let (fault, lasting) = (*fault, *lasting);
        let meeting =
            Meeting { template: None, line, kind: Kind::Steps, warm: false, fault, lasting, baseline: &baseline };
        at_each_call(&meeting, stride, place as u64, struck);
    });
    println!("{} faults while a ledger is made: {struck:?}", struck.values().sum::<usize>());
    assert!(struck.contains_key(&Call::Sync) && struck.contains_key(&Call::Write), "{struck:?}");
}

/// Reads and writes that do less than they were asked for, as the system may, are gone on with.
#[test]
fn reads_and_writes_in_parts_are_whole() {
    let template = Template::new();
    let whole: Vec<Baseline> = OPERATIONS.iter().map(|(line, _)| baseline(Some(&template), line, false)).collect();
    in_parts(17);
    let parts: Vec<Baseline> = OPERATIONS.iter().map(|(line, _)| baseline(Some(&template), line, false)).collect();
    let cut = in_parts(0);
    assert!(cut > 1_000, "only {cut} reads and writes were cut");
    for ((line, _), (whole, parts)) in OPERATIONS.iter().zip(whole.iter().zip(&parts)) {
        assert_eq!(whole, parts, "{line}");
    }
}
