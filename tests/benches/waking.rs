//! How long it takes from one process's commit until another has read what it recorded, beside a bare bell: a row that is
//! written by hand with FULL, one byte in a file after that, and a watcher that hears of the byte by inotify.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench waking
//! ```
//!
//! The writer's call is answered after its commit; the time is counted from that answer, or from the return of COMMIT by
//! hand, to the moment at which the watcher, in another process, has read the row. Nothing is polled: the writes come some
//! milliseconds apart, so that the watcher is asleep each time. Then the ledger's watcher is left alone and its
//! wake-ups are counted.

use bgledger_core::{Create, Seq, Span, Watch};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::bench::{Goal, Table, in_turns, load_average, now, number, quantile, wanted};
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use rustix::fs::inotify;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Write};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const WRITES: usize = 100;
/// How long the watcher is left alone.
const IDLE: Duration = Duration::from_secs(3);

/// A process that says when it has read each row.
struct Watcher {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    fn start(how: &str, path: &Path) -> Watcher {
        let own = std::env::current_exe().expect("this program");
        let mut process =
            Command::new(own).arg(how).arg(path).stdout(Stdio::piped()).spawn().expect("a process that starts");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Watcher { process, lines }
    }

    fn next(&mut self) -> u64 {
        self.lines.next().expect("a line").expect("text").parse().expect("a time")
    }

    /// How often its threads have been put to sleep.
    fn sleeps(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("a process");
        let of = |status: String| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a count");
            line.trim().parse().expect("a number")
        };
        threads
            .map(|thread| of(fs::read_to_string(thread.expect("a thread").path().join("status")).expect("a text")))
            .sum()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("it ends");
    }
}

/// The times from the answers to a number of writes to their reading, in nanoseconds.
fn block(watcher: &mut Watcher, mut write: impl FnMut() -> u64) -> Vec<f64> {
    let one = |place| {
        sleep(Duration::from_millis(2 + place as u64 % 3));
        let answered = write();
        watcher.next().saturating_sub(answered) as f64
    };
    (0..WRITES).map(one).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "--ledger", path] => return listen(Path::new(path)),
        [_, "--bare", path] => return listen_bare(Path::new(path)),
        _ => {}
    }
    let Some(size) = wanted() else { return };
    let (scratch, beside) = (Scratch::new(), Scratch::new());
    let ledger = open(&scratch.ledger());
    create(&ledger);
    let bare = Bare::make(&beside.ledger());
    let mut watchers = (Watcher::start("--ledger", &scratch.ledger()), Watcher::start("--bare", &beside.ledger()));
    watchers.0.next();
    watchers.1.next();
    let ours = || {
        block(&mut watchers.0, || {
            create(&ledger);
            now()
        })
    };
    let pairs = in_turns(size.pairs(), ours, || block(&mut watchers.1, || bare.write()));
    let mut table = Table::new(&format!("Commit to wake-up (load {})", load_average()), "ledger, µs", "bare bell, µs");
    for (name, share, most) in [("p50", 0.5, 1.5), ("p99", 0.99, 3.0)] {
        let of = |times: &Vec<f64>| quantile(times, share) / 1e3;
        let pairs: Vec<(f64, f64)> = pairs.iter().map(|(ours, theirs)| (of(ours), of(theirs))).collect();
        table.pairs(name, &pairs, |ours, theirs| ours / theirs, Goal::AtMost(most));
    }
    let before = watchers.0.sleeps();
    sleep(IDLE);
    let woken = watchers.0.sleeps() - before;
    let row = format!("wake-ups of an idle watcher in {} s", IDLE.as_secs());
    table.row(&row, &number(woken as f64), "", &[woken as f64], Goal::AtMost(0.0));
    table.print();
}

// ---- the ledger ---------------------------------------------------------------------------------------------

fn open(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("a ledger")
}

fn create(ledger: &Ledger) {
    ledger.call(Create { label: "fetch the report".into(), ..Create::default() }).expect("a task");
}

/// Prints when it saw each event.
fn listen(path: &Path) {
    let ledger = open(path);
    let mut after = Seq(0);
    loop {
        let timeout = Some(Span::from_secs(3_600));
        let seen = ledger.call(Watch { after: Some(after), timeout, ..Watch::default() }).expect("events");
        let at = now();
        seen.events.iter().for_each(|_| say(at));
        after = seen.next;
    }
}

fn say(at: u64) {
    let mut out = std::io::stdout();
    writeln!(out, "{at}").and_then(|()| out.flush()).expect("a reader");
}

// ---- the bare bell ------------------------------------------------------------------------------------------

/// A table, and a file that a byte is written to after each commit.
struct Bare {
    sql: Connection,
    bell: File,
}

fn bell(path: &Path) -> PathBuf {
    path.with_extension("bell")
}

impl Bare {
    fn make(path: &Path) -> Bare {
        let sql = Connection::open(path).expect("a database");
        let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE row (number INTEGER PRIMARY KEY, label TEXT NOT NULL); INSERT INTO row (label) VALUES ('first')";
        sql.execute_batch(set_up).expect("a table");
        Bare { sql, bell: File::create(bell(path)).expect("a file") }
    }

    fn write(&self) -> u64 {
        let insert = "INSERT INTO row (label) VALUES ('fetch the report')";
        self.sql.prepare_cached(insert).and_then(|mut insert| insert.execute([])).expect("a row");
        let committed = now();
        std::os::unix::fs::FileExt::write_at(&self.bell, b"!", 0).expect("a byte");
        committed
    }
}

/// Prints when it read each row.
fn listen_bare(path: &Path) {
    let sql = Connection::open(path).expect("a database");
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&inotify, bell(path), inotify::WatchFlags::MODIFY).expect("a watch");
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    let mut last = 0_i64;
    loop {
        let newer = "SELECT number, label FROM row WHERE number > ?1 ORDER BY number";
        let mut newer = sql.prepare_cached(newer).expect("a statement");
        let rows = newer.query_map([last], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).expect("rows");
        let rows: Vec<(i64, String)> = rows.map(|row| row.expect("a row")).collect();
        let at = now();
        for (number, _) in rows {
            last = number;
            say(at);
        }
        events.next().expect("an event");
    }
}
