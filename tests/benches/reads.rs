//! What reading costs in ledgers of 10,000, 100,000 and a million tasks (ten million with `BGLEDGER_BENCH=long`).
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench reads
//! ```
//!
//! The ledgers are made once and kept in the target folder. The newest hold what is common; what only sixty tasks have
//! lies at the oldest end, as far from the newest as can be.

use bgledger_core::{Envelope, Request};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::bench::{Goal, Size, Table, cpu, grown, median, now, number, ours_to_theirs, timed, wanted};
use rusqlite::Connection;
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Every filter of `list`, each with something common and something rare.
const FILTERS: [(&str, &str); 24] = [
    ("active", r#""active": true"#),
    ("status, common", r#""status": "succeeded""#),
    ("status, rarer", r#""status": ["failed", "timed_out"]"#),
    ("status, nobody's", r#""status": "lost""#),
    ("runtime, common", r#""runtime": "cron""#),
    ("runtime, rare", r#""runtime": "legacy""#),
    ("kind, common", r#""kind": "kind-3""#),
    ("kind, rare", r#""kind": "legacy""#),
    ("agent, common", r#""agent": "agent-3""#),
    ("agent, rare", r#""agent": "legacy""#),
    ("label, common", r#""label": "task 7""#),
    ("label, rare", r#""label": "legacy""#),
    ("session, asked", r#""session": "asks-3""#),
    ("session, rare", r#""session": "legacy""#),
    ("run_id", r#""run_id": "run-7""#),
    ("metadata, common", r#""metadata": {"team": "team-3"}"#),
    ("metadata, rare", r#""metadata": {"legacy": true}"#),
    ("search, common", r#""search": "report""#),
    ("search, rare", r#""search": "needle""#),
    ("parent", r#""parent": 1"#),
    ("flow", r#""flow": "F1""#),
    ("since, the last few", "SINCE"),
    ("until, the first few", "UNTIL"),
    ("until, all", r#""until": 253402300799999"#),
];

/// One ledger, open.
struct Grown {
    tasks: i64,
    path: PathBuf,
    ledger: Ledger,
    sql: Connection,
    since: i64,
    until: i64,
    /// What opening it and reading one task takes, by the ledger and by hand, in microseconds.
    opening: (f64, f64),
}

impl Grown {
    fn of(tasks: i64) -> Grown {
        let (path, took) = timed(|| grown::ledger(tasks));
        println!("{tasks} tasks: {:.0} MB ({:.0} s)", size_of_file(&path) / 1e6, took as f64 / 1e9);
        // Before anybody has it open: the handles of a process share their connections.
        let opening = opening(&path);
        let ledger = Ledger::open(&path, OpenOptions::default()).expect("it opens");
        let sql = raw(&path);
        let created = |place: i64| -> i64 {
            sql.query_row("SELECT created_at FROM task WHERE number = ?1", [place], |row| row.get(0)).expect("a time")
        };
        let (since, until) = (created(tasks - 10), created(11));
        Grown { tasks, path, ledger, sql, since, until, opening }
    }

    fn list(&self, filters: &str) -> String {
        let filters = filters.replace("SINCE", &format!(r#""since": {}"#, self.since));
        format!(r#"{{"list": {{{}}}}}"#, filters.replace("UNTIL", &format!(r#""until": {}"#, self.until)))
    }

    /// Microseconds of one request, the middle of many.
    fn micros(&self, request: &str) -> f64 {
        let request = Envelope::parse(request).request.expect("a request");
        micros(|| drop(black_box(self.ledger.request(request.clone()).expect("an answer"))))
    }
}

fn size_of_file(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |found| found.len() as f64)
}

fn raw(path: &Path) -> Connection {
    let sql = Connection::open(path).expect("the file opens");
    sql.execute_batch("PRAGMA cache_size = -8000").expect("a setting");
    sql
}

/// The middle of many runs: for a third of a second, but at least three.
fn micros(mut work: impl FnMut()) -> f64 {
    work();
    let (mut times, until) = (Vec::new(), now() + 300_000_000);
    while times.len() < 3 || (now() < until && times.len() < 301) {
        times.push(timed(&mut work).1 as f64 / 1e3);
    }
    median(&times)
}

fn opening(path: &Path) -> (f64, f64) {
    let one = Envelope::parse(r#"{"show": {"lookup": 1}}"#).request.expect("a request");
    let ours = || {
        let readonly = OpenOptions { readonly: true, ..OpenOptions::default() };
        let ledger = Ledger::open(path, readonly).expect("it opens");
        drop(black_box(ledger.request(one.clone()).expect("an answer")));
    };
    let by_hand = || {
        let query = "SELECT label FROM task WHERE number = 1";
        drop(black_box(raw(path).query_row(query, [], |row| row.get::<_, String>(0)).expect("a row")));
    };
    // Somebody keeps the files in use, as in life.
    let other = raw(path);
    let count = other.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0));
    assert!(count.is_ok_and(|count| count > 0));
    (micros(ours), micros(by_hand))
}

// ---- lookups ------------------------------------------------------------------------------------------------

fn lookups(grown: &Grown, pairs: usize) {
    let title = format!("Looking up one of {} tasks", grown.tasks);
    let mut table = Table::new(&title, "ledger, µs of CPU", "raw SQLite, µs of CPU");
    let places: Vec<i64> = (1..=300).map(|place| place * 7919 % (grown.tasks - 300) + 1).collect();
    let text =
        |query: &str, place: i64| -> String { grown.sql.query_row(query, [place], |row| row.get(0)).expect("a text") };
    let ids: Vec<(String, Vec<u8>)> = places
        .iter()
        .map(|place| {
            let id: Vec<u8> =
                grown.sql.query_row("SELECT id FROM task WHERE number = ?1", [place], |row| row.get(0)).expect("an id");
            (hyphenated(&id), id)
        })
        .collect();
    let runs: Vec<String> =
        places.iter().map(|place| text("SELECT run_id FROM task WHERE number = ?1", *place)).collect();
    let show =
        |lookup: String| Envelope::parse(&format!(r#"{{"show": {{"lookup": {lookup}}}}}"#)).request.expect("a request");
    let history =
        |place: &i64| Envelope::parse(&format!(r#"{{"history": {{"lookup": {place}}}}}"#)).request.expect("one");
    let all = |requests: Vec<Request>| {
        move || {
            let began = cpu();
            for request in &requests {
                black_box(grown.ledger.request(request.clone()).expect("an answer"));
            }
            (cpu() - began) as f64 / 1e3 / requests.len() as f64
        }
    };
    let row = |test: &str, value: &dyn rusqlite::ToSql| {
        let query = format!("SELECT * FROM task WHERE {test}");
        let mut statement = grown.sql.prepare_cached(&query).expect("a query");
        let mut rows = statement.query([value]).expect("rows");
        let row = rows.next().expect("a row").expect("a task");
        for column in 0..row.as_ref().column_count() {
            black_box(row.get::<_, rusqlite::types::Value>(column).expect("a value"));
        }
        row.get::<_, i64>("last_event").expect("an event")
    };
    let chain = |place: i64| {
        let mut seq = row("number = ?1", &place);
        let query = "SELECT prev, at, kind, data FROM event WHERE seq = ?1";
        while seq > 0 {
            let mut statement = grown.sql.prepare_cached(query).expect("a query");
            seq = statement
                .query_row([seq], |row| {
                    black_box((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, Option<String>>(3)?));
                    row.get(0)
                })
                .expect("an event");
        }
    };
    let raw = |work: &dyn Fn(usize)| {
        let began = cpu();
        (0..places.len()).for_each(work);
        (cpu() - began) as f64 / 1e3 / places.len() as f64
    };
    let mut line = |what: &str, requests: Vec<Request>, beside: &dyn Fn(usize)| {
        let ours = all(requests);
        ours();
        raw(beside);
        let pairs = bgledger_tests::bench::in_turns(pairs, &ours, || raw(beside));
        table.pairs(what, &pairs, ours_to_theirs, Goal::AtMost(1.5));
    };
    let numbers = places.iter().map(|place| show(place.to_string())).collect();
    line("by number", numbers, &|place| assert!(row("number = ?1", &places[place]) > 0));
    let by_id = ids.iter().map(|(text, _)| show(format!("{text:?}"))).collect();
    line("by id", by_id, &|place| assert!(row("id = ?1", &ids[place].1) > 0));
    let by_run = runs.iter().map(|run| show(format!("\"run:{run}\""))).collect();
    line("by run id", by_run, &|place| assert!(row("run_id = ?1", &runs[place]) > 0));
    line("history of three events", places.iter().map(history).collect(), &|place| chain(places[place]));
    table.print();
}

fn hyphenated(id: &[u8]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

// ---- lists --------------------------------------------------------------------------------------------------

/// What a request costs in each ledger: beside the unfiltered list in the same, and in the largest beside the smallest.
fn across(table: &mut Table, all: &[Grown], what: &str, request: impl Fn(&Grown) -> String, grows: Goal) -> f64 {
    let times: Vec<f64> = all.iter().map(|grown| grown.micros(&request(grown))).collect();
    let [first, .., last] = times[..] else { panic!("two ledgers at least") };
    let between: Vec<String> = times[1..].iter().map(|time| number(*time)).collect();
    table.row(what, &between.join(" / "), &number(first), &[last / first], grows);
    last
}

fn lists(all: &[Grown], size: Size) {
    let sizes: Vec<String> = all.iter().map(|grown| grown.tasks.to_string()).collect();
    let (first, more) = (&sizes[0], sizes[1..].join(" / "));
    let mut table = Table::new("The newest 50", &format!("µs, of {more}"), &format!("µs, of {first}"));
    let plain = across(&mut table, all, "no filter", |grown| grown.list(""), Goal::AtMost(1.3));
    let mut slow = Vec::new();
    let mut factors: Vec<(String, f64)> = Vec::new();
    for (what, filter) in FILTERS {
        let time = across(&mut table, all, what, |grown| grown.list(filter), Goal::AtMost(10.0));
        factors.push((what.to_owned(), time / plain));
    }
    let last = all.last().expect("a ledger");
    for owner in ["local", "legacy"] {
        let scoped = |grown: &Grown| {
            let options = OpenOptions { owner: Some(owner.into()), readonly: true, ..OpenOptions::default() };
            let ledger = Ledger::open(&grown.path, options).expect("it opens");
            let request = Envelope::parse(&grown.list("")).request.expect("a request");
            micros(|| drop(black_box(ledger.request(request.clone()).expect("an answer"))))
        };
        factors.push((format!("owner {owner}"), scoped(last) / plain));
    }
    table.print();
    let middle = last.tasks / 2;
    let mut table = Table::new("Deep pages", &format!("µs, of {}", last.tasks), "first page, µs");
    let deep = last.micros(&last.list(&format!(r#""after": "{middle}""#)));
    table.row("the page in the middle", &number(deep), &number(plain), &[deep / plain], Goal::AtMost(1.3));
    table.print();
    // Pairs of filters, in the largest ledger.
    for (one, (name, filter)) in FILTERS.iter().enumerate() {
        for (other, with) in &FILTERS[one + 1..] {
            let key = |text: &str| text.split(':').next().map(str::to_owned);
            let same = key(filter) == key(with) || (name.starts_with("until") && other.starts_with("until"));
            if same || (size == Size::Quick && (name.contains("common") || other.contains("common"))) {
                continue;
            }
            let request = Envelope::parse(&last.list(&format!("{filter}, {with}"))).request.expect("a request");
            let ask = || timed(|| drop(black_box(last.ledger.request(request.clone()).expect("an answer")))).1;
            ask();
            let times = [ask(), ask(), ask()].map(|time| time as f64 / 1e3);
            factors.push((format!("{name} + {other}"), median(&times) / plain));
        }
    }
    factors.sort_by(|one, other| other.1.total_cmp(&one.1));
    let over = factors.iter().filter(|(_, factor)| *factor > 10.0).count();
    slow.extend(factors.iter().take(12));
    let title = format!("The slowest filters and pairs of {} ({over} over 10)", factors.len());
    let mut table = Table::new(&title, &format!("µs, of {}", last.tasks), "no filter, µs");
    for (what, factor) in slow {
        table.row(what, &number(factor * plain), &number(plain), &[*factor], Goal::AtMost(10.0));
    }
    table.print();
}

// ---- the rest -----------------------------------------------------------------------------------------------

fn others(all: &[Grown]) {
    let sizes: Vec<String> = all.iter().map(|grown| grown.tasks.to_string()).collect();
    let (first, more) = (&sizes[0], sizes[1..].join(" / "));
    let mut table = Table::new("What looks at the whole", &format!("µs, of {more}"), &format!("µs, of {first}"));
    for (what, request) in [
        ("stats", r#"{"stats": {}}"#),
        ("audit", r#"{"audit": {}}"#),
        ("maintenance, nothing due (preview)", r#"{"maintenance": {}}"#),
        ("prune, nothing due (preview)", r#"{"prune": {}}"#),
        ("notices", r#"{"notices": {}}"#),
        ("flows", r#"{"flow_list": {}}"#),
        ("tree of 61", r#"{"tree": {"lookup": 1}}"#),
    ] {
        across(&mut table, all, what, |_| request.to_owned(), Goal::AtMost(1.3));
    }
    table.print();
    let mut table = Table::new("Counts and opening", "ledger, µs", "raw SQLite, µs");
    for grown in all {
        let scan = "SELECT status, count(*) FROM task INDEXED BY task_ended WHERE status > 2 GROUP BY status";
        let scanned = micros(|| {
            let mut statement = grown.sql.prepare_cached(scan).expect("a query");
            let rows = statement.query_map([], |row| row.get::<_, i64>(1)).expect("rows");
            assert!(rows.count() > 0);
        });
        let counted = grown.micros(r#"{"stats": {}}"#);
        let goal = if grown.tasks >= 1_000_000 { Goal::AtMost(0.01) } else { Goal::None };
        let what = format!("counts by status, of {}", grown.tasks);
        table.row(&what, &number(counted), &number(scanned), &[counted / scanned], goal);
        let what = format!("open and read one, of {}", grown.tasks);
        let (ours, theirs) = grown.opening;
        table.row(&what, &number(ours), &number(theirs), &[ours / theirs], Goal::AtMost(2.0));
    }
    table.print();
}

fn main() {
    let Some(size) = wanted() else { return };
    let all: Vec<Grown> = match size {
        Size::Quick => [10_000, 100_000].map(Grown::of).into(),
        Size::Usual => [10_000, 100_000, 1_000_000].map(Grown::of).into(),
        Size::Long => [10_000, 100_000, 1_000_000, 10_000_000].map(Grown::of).into(),
    };
    for grown in &all {
        lookups(grown, size.pairs());
    }
    lists(&all, size);
    others(&all);
    for grown in &all {
        let report = grown.ledger.call(bgledger_core::Verify {}).expect("a verification");
        assert!(report.ok, "{}: {report:?}", grown.path.display());
    }
}
