//! What the whole program costs: start, work, end. And the memory that it takes at most.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench startup
//! ```
//!
//! Programs are started in turns, one of each a round. `pueue` is installed into the target folder once; where that
//! cannot be done (it needs the network) it is left out and said so. Its tasks are stashed: it only records them.

use bgledger_tests::bench::by_hand::ByHand;
use bgledger_tests::bench::guard::assert_honest;
use bgledger_tests::bench::{Goal, Size, Table, grown, load_average, median, number, quantile, timed, wanted};
use bgledger_tests::binary::bgledger;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use bgledger_tests::wheel::target;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PUEUE: &str = "4.0.4";

/// A program that is started again and again, and how long it took, in milliseconds.
struct Program<'a> {
    name: &'static str,
    command: Box<dyn Fn(usize) -> Command + 'a>,
    times: Vec<f64>,
}

impl<'a> Program<'a> {
    fn new(name: &'static str, command: impl Fn(usize) -> Command + 'a) -> Program<'a> {
        Program { name, command: Box::new(command), times: Vec::new() }
    }
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn rounds(programs: &mut [Program<'_>], rounds: usize) {
    for round in 0..=rounds {
        for program in &mut *programs {
            let mut command = quiet((program.command)(round));
            let (status, took) = timed(|| command.status());
            assert!(status.is_ok_and(|status| status.success()), "{}", program.name);
            // The first round only warms up.
            if round > 0 {
                program.times.push(took as f64 / 1e6);
            }
        }
    }
}

fn ours(path: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(bgledger());
    command.arg("--ledger").arg(path).args(words);
    command
}

/// One line: this program beside that one.
fn row(table: &mut Table, programs: &[Program<'_>], name: &str, beside: &str, goal: Goal) {
    let find = |name: &str| programs.iter().find(|program| program.name == name);
    let (Some(ours), Some(theirs)) = (find(name), find(beside)) else { return };
    let ratio = |share: f64| quantile(&ours.times, share) / quantile(&theirs.times, share);
    // The ratio of the medians, and those of the quarters as spread.
    let ratios = [ratio(0.25), median(&ours.times) / median(&theirs.times), ratio(0.75)];
    let told = (number(median(&ours.times)), number(median(&theirs.times)));
    table.row(&format!("{name} / {beside}"), &told.0, &told.1, &ratios, goal);
}

fn is_there(program: &str) -> bool {
    quiet(Command::new(program)).arg("--version").status().is_ok_and(|status| status.success())
}

fn listing(size: Size) {
    let many = if size == Size::Quick { 100_000 } else { 1_000_000 };
    let (large, small) = (grown::ledger(many), grown::ledger(10_000));
    let list_large: &'static str = if size == Size::Quick { "list, of 100,000" } else { "list, of 1,000,000" };
    let mut programs = vec![
        Program::new("/bin/true", |_| Command::new("/bin/true")),
        Program::new("bgledger --version", |_| ours(&large, &["--version"])),
        Program::new(list_large, |_| ours(&large, &["list"])),
        Program::new("list, of 10,000", |_| ours(&small, &["list"])),
        Program::new("list --json", |_| ours(&large, &["list", "--json"])),
        Program::new("show", |_| ours(&large, &["show", "4711"])),
        Program::new("python -I -S -c pass", |_| {
            let mut command = Command::new("python3");
            command.args(["-I", "-S", "-c", "pass"]);
            command
        }),
    ];
    if is_there("node") {
        programs.push(Program::new("node -e 0", |_| {
            let mut command = Command::new("node");
            command.args(["-e", "0"]);
            command
        }));
    }
    rounds(&mut programs, size.of(7, 25));
    let mut table = Table::new(&format!("Whole processes (load {})", load_average()), "ms", "beside, ms");
    row(&mut table, &programs, list_large, "/bin/true", Goal::AtMost(2.2));
    row(&mut table, &programs, list_large, "bgledger --version", Goal::AtMost(1.6));
    row(&mut table, &programs, list_large, "list, of 10,000", Goal::AtMost(1.2));
    row(&mut table, &programs, list_large, "python -I -S -c pass", Goal::AtMost(0.2));
    row(&mut table, &programs, list_large, "node -e 0", Goal::AtMost(0.025));
    row(&mut table, &programs, "list --json", "/bin/true", Goal::None);
    row(&mut table, &programs, "show", "/bin/true", Goal::None);
    table.print();
}

// ---- create beside pueue ------------------------------------------------------------------------------------

/// pueue's programs, if they can be had.
fn pueue() -> Option<PathBuf> {
    let root = target().join("bench/pueue");
    let client = root.join("bin/pueue");
    if !client.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut install = Command::new(cargo);
        install.args(["install", "pueue", "--version", PUEUE, "--locked", "--quiet", "--root"]).arg(&root);
        install.arg("--target-dir").arg(target().join("bench/pueue-build"));
        if !install.status().is_ok_and(|status| status.success()) {
            return None;
        }
    }
    Some(root.join("bin"))
}

/// Its daemon, in a folder of its own.
struct Daemon {
    child: Child,
    config: PathBuf,
}

impl Daemon {
    fn start(programs: &Path, folder: &Path) -> Daemon {
        let config = folder.join("pueue.yml");
        let state = folder.display();
        std::fs::write(
            &config,
            format!(
                "shared:\n  pueue_directory: {state}\n  runtime_directory: {state}\n  use_unix_socket: true\n  \
                 unix_socket_path: {state}/pueue.socket\nclient: {{}}\ndaemon: {{}}\n"
            ),
        )
        .expect("its settings");
        let child =
            quiet(Command::new(programs.join("pueued"))).arg("--config").arg(&config).stderr(Stdio::null()).spawn();
        let child = child.expect("its daemon");
        until("pueue's daemon listens", || folder.join("pueue.socket").exists());
        Daemon { child, config }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it ends");
    }
}

fn creating(size: Size) {
    let (scratch, others) = (Scratch::new(), Scratch::new());
    let path = scratch.ledger();
    ByHand::lay_out(&path);
    let folder = others.ledger().parent().expect("a folder").to_owned();
    let programs_at = pueue();
    let daemon = programs_at.as_ref().map(|programs| Daemon::start(programs, &folder));
    let create = |level: &'static str| {
        let path = &path;
        move |_: usize| ours(path, &["--durability", level, "create", "--label", "fetch the report", "--quiet"])
    };
    let mut programs = vec![
        Program::new("create, full", create("full")),
        Program::new("create, relaxed", create("relaxed")),
        Program::new("list, of these", |_| ours(&path, &["list"])),
    ];
    if let (Some(at), Some(daemon)) = (&programs_at, &daemon) {
        let pueue = move |words: &'static [&'static str]| {
            move |_: usize| {
                let mut command = Command::new(at.join("pueue"));
                command.arg("--config").arg(&daemon.config).args(words);
                command
            }
        };
        programs.push(Program::new("pueue add", pueue(&["add", "--stashed", "true"])));
        programs.push(Program::new("pueue status", pueue(&["status"])));
    } else {
        println!("pueue {PUEUE} could not be installed: it is left out.");
    }
    let count = size.of(7, 25);
    rounds(&mut programs, count);
    let mut table = Table::new(&format!("Recording from a shell (load {})", load_average()), "ms", "beside, ms");
    row(&mut table, &programs, "create, full", "pueue add", Goal::AtMost(0.9));
    row(&mut table, &programs, "create, relaxed", "pueue add", Goal::AtMost(0.6));
    row(&mut table, &programs, "create, relaxed", "list, of these", Goal::AtMost(1.4));
    row(&mut table, &programs, "list, of these", "pueue status", Goal::AtMost(0.5));
    table.print();
    drop(programs);
    drop(daemon);
    assert_honest(&path, 1 + 2 * (count as u64 + 1), true);
}

// ---- memory -------------------------------------------------------------------------------------------------

const PEAK: &str = "--peak-of";

/// The most memory that a command held, in MiB. A small process of its own starts it: what the one that starts a program
/// holds itself is counted as the program's.
fn peak(words: &[&str], path: &Path, out: Stdio) -> f64 {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(PEAK).arg(bgledger()).arg("--ledger").arg(path).args(words).stdout(out).stderr(Stdio::piped());
    let told = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{words:?}: {text}");
    let kib: f64 = text.lines().last().and_then(|line| line.parse().ok()).expect("a number");
    kib / 1024.0
}

/// Runs a command and says how many KiB it held at most.
fn tell_peak(words: &[String]) {
    #[expect(clippy::zombie_processes, reason = "wait4 waits for it, and says what it used")]
    let child = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = i32::try_from(child.id()).expect("a pid");
    let mut status = 0;
    // SAFETY: the structure is a plain one of integers, and the child is ours and not waited for otherwise.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::wait4(pid, &raw mut status, 0, &raw mut used), pid);
        used
    };
    assert_eq!(status, 0, "{words:?}");
    eprintln!("{}", used.ru_maxrss);
}

fn memory(size: Size) {
    let many = if size == Size::Quick { 100_000 } else { 1_000_000 };
    let (large, small) = (grown::ledger(many), grown::ledger(10_000));
    let title = format!("Memory at most, MiB, of {many} tasks and of 10,000");
    let mut table = Table::new(&title, "large", "small");
    let mut row = |what: &str, words: &[&str], most: Goal| {
        let [large, small] = [&large, &small].map(|path| peak(words, path, Stdio::null()));
        table.row(&format!("{what} (ratio: MiB, of the large one)"), &number(large), &number(small), &[large], most);
        table.row(&format!("{what}, large to small"), "", "", &[large / small], Goal::AtMost(1.3));
    };
    row("list", &["list"], Goal::AtMost(20.0));
    row("list --search needle", &["list", "--search", "needle"], Goal::AtMost(20.0));
    row("stats", &["stats"], Goal::AtMost(20.0));
    row("export", &["export"], Goal::None);
    table.print();
    // An import of a tenth: it is written to the disk.
    let mut table = Table::new("Memory of an import, MiB, of 100,000 tasks and of 10,000", "large", "small");
    let [large, small] = [100_000, 10_000].map(|tasks| {
        let scratch = Scratch::new();
        let lines = scratch.ledger().with_file_name("lines");
        let mut export = ours(&grown::ledger(tasks), &["export"]);
        export.stdout(File::create(&lines).expect("a file"));
        assert!(export.status().expect("it runs").success());
        let lines = lines.display().to_string();
        let most = peak(&["--durability", "relaxed", "import", &lines], &scratch.ledger(), Stdio::null());
        let report = ours(&scratch.ledger(), &["stats", "--json"]).output().expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
        assert_eq!(report["total"], tasks, "{report}");
        most
    });
    table.row("import", &number(large), &number(small), &[large / small], Goal::AtMost(1.3));
    table.print();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, command @ ..] = words.as_slice()
        && flag == PEAK
    {
        return tell_peak(command);
    }
    let Some(size) = wanted() else { return };
    listing(size);
    creating(size);
    memory(size);
}
