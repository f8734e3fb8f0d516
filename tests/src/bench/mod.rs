//! What the benches share: how long they run, two sides that take turns, and a table that can be pasted into
//! `docs/performance.md`.

pub mod by_hand;
pub mod grown;
pub mod guard;
pub mod load;
pub mod worker;

use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;

/// How much is measured: `BGLEDGER_BENCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// `quick`: a look whether it runs, in seconds.
    Quick,
    /// What the goals are judged by.
    Usual,
    /// `long`: with ten million tasks.
    Long,
}

/// How much is wanted; `None` where cargo did not ask for benches (`cargo test --all-targets` starts them, too).
pub fn wanted() -> Option<Size> {
    if !std::env::args().any(|argument| argument == "--bench") {
        return None;
    }
    let word = std::env::var("BGLEDGER_BENCH").unwrap_or_default();
    Some(match word.as_str() {
        "quick" => Size::Quick,
        "long" => Size::Long,
        "" | "usual" => Size::Usual,
        other => panic!("BGLEDGER_BENCH is {other:?}, not quick, usual or long"),
    })
}

impl Size {
    /// One of two numbers: that of a quick run, or the other.
    pub fn of<T>(self, quick: T, usual: T) -> T {
        if self == Size::Quick { quick } else { usual }
    }

    /// Pairs of blocks that are compared.
    pub fn pairs(self) -> usize {
        self.of(3, 7)
    }
}

// ---- time ---------------------------------------------------------------------------------------------------

fn nanoseconds(clock: ClockId) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("a time after the start")
}

/// Nanoseconds since the machine started.
pub fn now() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Milliseconds since 1970.
pub fn wall_ms() -> i64 {
    i64::try_from(nanoseconds(ClockId::Realtime) / 1_000_000).expect("a time of our days")
}

/// Nanoseconds of processor time that this process took.
pub fn cpu() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

/// What a piece of work gave, and how many nanoseconds it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let began = now();
    let value = work();
    (value, now() - began)
}

// ---- two sides ----------------------------------------------------------------------------------------------

/// Two sides in turns, A B B A, so that whatever changes on the machine meanwhile meets both.
pub fn in_turns<T>(pairs: usize, mut ours: impl FnMut() -> T, mut beside: impl FnMut() -> T) -> Vec<(T, T)> {
    let turn = |pair: usize| match pair % 2 {
        0 => {
            let first = ours();
            (first, beside())
        }
        _ => {
            let first = beside();
            (ours(), first)
        }
    };
    (0..pairs).map(turn).collect()
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which a share of all lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
}

// ---- the table ----------------------------------------------------------------------------------------------

/// What a ratio should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// It is only told.
    None,
}

impl Goal {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
            Goal::None => true,
        }
    }

    /// Met if the median meets it and five of seven single ones do.
    fn verdict(self, values: &[f64]) -> &'static str {
        let met = values.iter().filter(|value| self.is_met_by(**value)).count();
        match (self, self.is_met_by(median(values)) && met * 7 >= values.len() * 5) {
            (Goal::None, _) => "",
            (_, true) => "yes",
            (_, false) => "**no**",
        }
    }
}

/// A table in Markdown.
#[derive(Debug)]
pub struct Table {
    text: String,
}

impl Table {
    /// Begins a table; `ours` and `beside` name what the two columns are, with their unit.
    pub fn new(title: &str, ours: &str, beside: &str) -> Table {
        let mut text = format!("\n### {title}\n\n| | {ours} | {beside} | ratio (from – to) | goal | met |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        Table { text }
    }

    /// One line: what both sides came to, as text, and the ratios of the pairs.
    pub fn row(&mut self, what: &str, ours: &str, beside: &str, ratios: &[f64], goal: Goal) {
        let told = match ratios {
            [] => String::new(),
            [one] => number(*one),
            many => {
                format!("{} ({} – {})", number(median(many)), number(quantile(many, 0.0)), number(quantile(many, 1.0)))
            }
        };
        let wanted = match goal {
            Goal::AtLeast(least) => format!("≥ {}", number(least)),
            Goal::AtMost(most) => format!("≤ {}", number(most)),
            Goal::None => String::new(),
        };
        let verdict = if ratios.is_empty() { "" } else { goal.verdict(ratios) };
        writeln!(self.text, "| {what} | {ours} | {beside} | {told} | {wanted} | {verdict} |").expect("a text");
    }

    /// The usual line: the medians of both sides, and theirs to ours, pair by pair.
    pub fn pairs(&mut self, what: &str, pairs: &[(f64, f64)], ratio: impl Fn(f64, f64) -> f64, goal: Goal) {
        let (ours, beside): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let ratios: Vec<f64> = pairs.iter().map(|(ours, beside)| ratio(*ours, *beside)).collect();
        self.row(what, &number(median(&ours)), &number(median(&beside)), &ratios, goal);
    }

    /// Prints it.
    pub fn print(self) {
        println!("{}", self.text);
    }
}

/// A number with three digits that count.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match () {
        () if !value.is_finite() => "–".into(),
        () if size >= 100.0 => format!("{value:.0}"),
        () if size >= 10.0 => format!("{value:.1}"),
        () if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        () => format!("{value:.4}"),
    }
}

/// Ours to theirs.
pub fn ours_to_theirs(ours: f64, theirs: f64) -> f64 {
    ours / theirs
}

/// Theirs to ours: for times, where more is better for us.
pub fn theirs_to_ours(ours: f64, theirs: f64) -> f64 {
    theirs / ours
}

/// How many wait for a processor: what a figure of the disk is read by.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
