//! A life recorded from Python, beside what others do in its place: queues, workflow engines, a database server, and the
//! same tables by hand with the standard library.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench peers
//! ```
//!
//! `tests/python/peers/peer.py` is one process of one of them; `tests/python/peers/requirements.txt` pins them. They are
//! installed once, into an environment of their own under the target folder. PostgreSQL is measured where it is
//! installed. In each round everybody has a turn on files of its own, in another order; ratios are those of one round.
//! Afterwards each is asked how many lives it has.
//!
//! Huey, litequeue and persist-queue keep one small row of a life, without history or lookups; Celery keeps the last
//! state alone.

use bgledger_tests::bench::load::Load;
use bgledger_tests::bench::{Goal, Size, Table, load_average, median, wanted};
use bgledger_tests::binary::workspace;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::wheel::{must, pythons, target, wheel};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const OURS: &str = "bgledger";
const OTHERS: [&str; 7] = ["by-hand", "huey", "huey-unsynced", "litequeue", "persist-queue", "celery", "dbos"];

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Lives of a second, of all processes.
    rate: f64,
    /// Processor time of a life, in microseconds.
    cpu: f64,
    /// The p50 of a life, in microseconds.
    life: f64,
    /// The p50 of a read, in microseconds.
    read: f64,
}

/// The interpreter that has them all.
fn environment() -> PathBuf {
    let folder = target().join("bench/peers");
    let program = folder.join("bin/python");
    let requirements = workspace().join("tests/python/peers/requirements.txt");
    let (wanted, mark) = (fs::read_to_string(&requirements).expect("what is wanted"), folder.join("prepared"));
    let pip = || {
        let mut pip = Command::new(&program);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    };
    if fs::read_to_string(&mark).ok().as_ref() != Some(&wanted) {
        let python = pythons().into_iter().find(|python| python.version == "3.11").or_else(|| pythons().pop());
        let python = python.expect("a CPython from 3.10 to 3.13");
        must(Command::new(python.program).args(["-m", "venv", "--clear"]).arg(&folder), "python -m venv");
        must(pip().arg("--requirement").arg(requirements), "pip install");
        fs::write(mark, wanted).expect("a mark");
    }
    must(pip().args(["--no-index", "--no-deps", "--force-reinstall"]).arg(wheel()), "pip install");
    program
}

struct Peers {
    python: PathBuf,
}

impl Peers {
    fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(workspace().join("tests/python/peers/peer.py")).arg(name).arg(folder);
        command
    }

    /// So many processes that record lives for a while, in a folder that is prepared.
    fn turn(&self, name: &str, folder: &Path, processes: usize, seconds: f64) -> Turn {
        must(self.command(name, folder).arg("prepare"), name);
        let spawn = |process: usize| {
            let mut command = self.command(name, folder);
            command.args(["run", &seconds.to_string(), &((process + 1) * 10_000_000).to_string()]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process")
        };
        let mut children: Vec<Child> = (0..processes).map(spawn).collect();
        let mut outputs: Vec<_> =
            children.iter_mut().map(|child| BufReader::new(child.stdout.take().expect("a pipe"))).collect();
        for output in &mut outputs {
            let mut line = String::new();
            output.read_line(&mut line).expect("a process that is ready");
            assert_eq!(line, "ready\n", "{name} did not come up");
        }
        for child in &mut children {
            child.stdin.take().expect("a pipe").write_all(b"go\n").expect("a process that listens");
        }
        let mut told: Vec<[f64; 4]> = Vec::new();
        for (child, output) in children.iter_mut().zip(&mut outputs) {
            let mut text = String::new();
            output.read_to_string(&mut text).expect("what it came to");
            assert!(child.wait().expect("a process").success(), "{name}: {text}");
            let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            told.push(numbers.try_into().expect("four numbers"));
        }
        let lives: f64 = told.iter().map(|told| told[0]).sum();
        let there = must(self.command(name, folder).arg("count"), name);
        let there: f64 = there.trim().parse().expect("a number");
        // Three of each process are not counted.
        let recorded = lives + 3.0 * processes as f64;
        assert!(name != OURS || (there - recorded).abs() < 0.5, "{name} has {there} lives of {recorded}");
        if (there - recorded).abs() > 0.5 {
            println!("{name} has {there} lives of {recorded} that it acknowledged ({processes} processes)");
        }
        let middle = |place: usize| median(&told.iter().map(|told| told[place]).collect::<Vec<_>>()) / 1e3;
        Turn {
            rate: lives / seconds,
            cpu: told.iter().map(|told| told[1]).sum::<f64>() / lives / 1e3,
            life: middle(2),
            read: middle(3),
        }
    }

    /// Rounds in which everybody has a turn.
    fn rounds(
        &self,
        names: &[&'static str],
        rounds: usize,
        processes: usize,
        seconds: f64,
        in_memory: bool,
    ) -> BTreeMap<&'static str, Vec<Turn>> {
        let mut all: BTreeMap<&'static str, Vec<Turn>> = BTreeMap::new();
        for round in 0..rounds {
            for place in 0..names.len() {
                let name = names[(place + round) % names.len()];
                let scratch = if in_memory { Scratch::in_memory() } else { Scratch::new() };
                let folder = scratch.ledger().parent().expect("a folder").to_owned();
                let server = (name == "postgres").then(|| Postgres::start(&folder));
                all.entry(name).or_default().push(self.turn(name, &folder, processes, seconds));
                drop(server);
            }
        }
        all
    }
}

// ---- PostgreSQL ---------------------------------------------------------------------------------------------

/// A server of its own, with its default settings, reached through a socket in the folder.
struct Postgres {
    server: Child,
}

impl Postgres {
    /// Where its programs are, if it is installed.
    fn programs() -> Option<PathBuf> {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        versions.map(|entry| entry.path().join("bin")).find(|path| path.join("initdb").exists())
    }

    /// It refuses to run as root.
    fn command(program: &str, folder: &Path) -> Command {
        let program = Postgres::programs().expect("PostgreSQL").join(program);
        match fs::metadata("/proc/self").expect("a process").uid() {
            0 => {
                chown(folder, Some(65_534), Some(65_534)).expect("a folder of nobody");
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
                command
            }
            _ => Command::new(program),
        }
    }

    fn start(folder: &Path) -> Postgres {
        let data = folder.join("data");
        let mut initdb = Postgres::command("initdb", folder);
        must(initdb.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres"]).current_dir(folder), "initdb");
        let log = fs::File::create(folder.join("log")).expect("a file");
        let mut server = Postgres::command("postgres", folder);
        server.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c"]);
        server.arg(format!("unix_socket_directories={}", folder.display())).current_dir(folder);
        let server = server.stderr(log.try_clone().expect("a file")).stdout(log).spawn().expect("a server");
        bgledger_tests::until::until("the server listens", || folder.join(".s.PGSQL.5432").exists());
        Postgres { server }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fast shutdown.
        let pid = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a server that runs");
        self.server.wait().expect("a server that ends");
    }
}

// ---- the tables ---------------------------------------------------------------------------------------------

/// What one peer should come to beside the ledger, at least.
type Goals = &'static [(&'static str, f64)];

fn table(title: &str, all: &BTreeMap<&str, Vec<Turn>>, unit: &str, of: fn(&Turn) -> f64, is_rate: bool, goals: Goals) {
    let mut table = Table::new(&format!("{title} (load {})", load_average()), &format!("ledger, {unit}"), unit);
    let ours = &all[OURS];
    for (name, theirs) in all.iter().filter(|(name, _)| **name != OURS) {
        let pairs: Vec<(f64, f64)> = ours.iter().zip(theirs).map(|(ours, theirs)| (of(ours), of(theirs))).collect();
        let goal = goals.iter().find(|(peer, _)| peer == name).map_or(Goal::None, |(_, least)| Goal::AtLeast(*least));
        table.pairs(name, &pairs, |ours, theirs| if is_rate { ours / theirs } else { theirs / ours }, goal);
    }
    table.print();
}

const ONE: Goals =
    &[("huey", 2.5), ("by-hand", 1.4), ("litequeue", 1.3), ("persist-queue", 1.8), ("dbos", 40.0), ("celery", 120.0)];
const FOUR_QUIET: Goals = &[("huey", 1.5), ("by-hand", 1.4), ("dbos", 14.0), ("celery", 20.0), ("postgres", 2.0)];
const FOUR_LOADED: Goals = &[("huey", 7.0), ("by-hand", 5.0), ("dbos", 45.0), ("celery", 30.0), ("postgres", 1.5)];

fn main() {
    let Some(size) = wanted() else { return };
    let peers = Peers { python: environment() };
    let mut names: Vec<&'static str> = [OURS].into_iter().chain(OTHERS).collect();
    let rounds = size.of(1, 7);
    let all = peers.rounds(&names, rounds, 1, size.of(0.3, 0.5), true);
    table("A life, one process, in memory, processor time", &all, "µs", |turn| turn.cpu, false, ONE);
    table(
        "Reading one back, in memory",
        &all,
        "µs",
        |turn| turn.read,
        false,
        &[("by-hand", 2.0), ("celery", 100.0), ("dbos", 100.0)],
    );
    match Postgres::programs() {
        Some(_) => names.push("postgres"),
        None => println!("PostgreSQL is not installed: it is left out."),
    }
    let (rounds, seconds) = if size == Size::Quick { (1, 0.5) } else { (3, 2.0) };
    let all = peers.rounds(&names, rounds, 1, seconds / 2.0, false);
    table("A life, one process, durable, on the disk, p50", &all, "µs", |turn| turn.life, false, &[("huey", 1.5)]);
    let all = peers.rounds(&names, rounds, 4, seconds, false);
    table("Lives of four processes, durable, quiet", &all, "lives/s", |turn| turn.rate, true, FOUR_QUIET);
    let load = Load::start();
    let all = peers.rounds(&names, rounds, 4, seconds, false);
    table("Lives of four processes, durable, loaded", &all, "lives/s", |turn| turn.rate, true, FOUR_LOADED);
    drop(load);
}
