//! Who else is at work on the ledger, and dies: consumers of notices and a sweeper.

use crate::kill_soon;
use bgledger_tests::dice::Dice;
use bgledger_tests::history::ask_sqlite;
use bgledger_tests::pipe::{Gone, Piped};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CHAT: &str = "session:chat";

/// One of them.
pub(crate) struct Other<'a> {
    pub(crate) path: &'a Path,
    pub(crate) dice: Dice,
    pub(crate) kills: &'a AtomicUsize,
    pub(crate) wanted: usize,
}

/// What the consumers know outside of the ledger.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Keys of notices whose effect is there.
    taken: Mutex<BTreeSet<String>>,
    /// Notices whose acknowledgement was told as recorded.
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Other<'_> {
    fn goes_on(&self) -> bool {
        self.kills.load(Ordering::Relaxed) < self.wanted
    }

    /// One question; now and then the process is killed while it is at work on it.
    fn ask(&mut self, process: &mut Piped, request: &str) -> Result<Value, Gone> {
        if self.dice.below(6) > 0 {
            return process.ask(request);
        }
        process.send(request)?;
        kill_soon(process, &mut self.dice);
        self.kills.fetch_add(1, Ordering::Relaxed);
        process.receive()
    }

    /// Claims, takes effect, acknowledges.
    pub(crate) fn consume(mut self, effects: &Effects) {
        let mut process = Piped::on(self.path);
        while self.goes_on() {
            if self.consume_some(&mut process, effects).is_err() {
                process = Piped::on(self.path);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn consume_some(&mut self, process: &mut Piped, effects: &Effects) -> Result<(), Gone> {
        let claim = json!({"notices_claim": {"lease": "1s", "limit": 10, "recipients": [CHAT]}}).to_string();
        let claimed = self.ask(process, &claim)?;
        let notices = claimed["ok"]["notices"].as_array().cloned().unwrap_or_default();
        if notices.is_empty() {
            // There is no ledger yet, or nothing is due.
            return Ok(());
        }
        effects.take(&notices);
        let names: Vec<&Value> = notices.iter().map(|notice| &notice["notice"]).collect();
        let ack = json!({"notices_ack": {"claim": claimed["ok"]["claim"], "notices": names}}).to_string();
        let answer = self.ask(process, &ack)?;
        match answer["error"]["code"].as_str() {
            None => {
                let mut acknowledged = effects.acknowledged.lock().expect("a set");
                acknowledged.extend(names.iter().filter_map(|name| name.as_str()).map(str::to_owned));
            }
            // The lease ran out while others were at work, or a newer outcome took its place.
            Some(code) => assert!(["stale_claim", "notice_settled", "no_notice"].contains(&code), "{answer}"),
        }
        Ok(())
    }

    /// Settles what is due.
    pub(crate) fn sweep(mut self) {
        let mut process = Piped::on(self.path);
        while self.goes_on() {
            if self.ask(&mut process, r#"{"maintenance": {"apply": true}}"#).is_err() {
                process = Piped::on(self.path);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Effects {
    fn take(&self, notices: &[Value]) {
        let keys = notices.iter().filter_map(|notice| notice["key"].as_str()).map(str::to_owned);
        self.taken.lock().expect("a set").extend(keys);
    }

    /// Consumes what is left; then everybody has been told of every end, and what was acknowledged is not owed again.
    pub(crate) fn settle<'a>(self, path: &Path, ended: impl Iterator<Item = &'a str>) -> String {
        let mut process = Piped::on(path);
        while ask_sqlite(path, "SELECT count(*) FROM notice WHERE state <= 2") != "0" {
            let claimed = process.ok(&json!({"notices_claim": {"lease": "1h", "recipients": [CHAT]}}).to_string());
            let notices = claimed["notices"].as_array().cloned().unwrap_or_default();
            if notices.is_empty() {
                // What a dead consumer holds comes back when its lease is over.
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            self.take(&notices);
            let names: Vec<&Value> = notices.iter().map(|notice| &notice["notice"]).collect();
            process.ok(&json!({"notices_ack": {"claim": claimed["claim"], "notices": names}}).to_string());
        }
        let delivered = column(path, "SELECT seq || '/' || recipient FROM notice WHERE state = 3");
        let acknowledged = self.acknowledged.into_inner().expect("a set");
        let lost: Vec<&String> = acknowledged.difference(&delivered).collect();
        assert!(lost.is_empty(), "acknowledged, and owed again or gone: {lost:?}");
        let told = "SELECT run_id FROM task JOIN notice ON notice.task = task.number
            WHERE notice.state = 3 AND notice.generation = task.generation";
        let told = column(path, told);
        let untold: Vec<&str> = ended.filter(|run| !told.contains(*run)).collect();
        assert!(untold.is_empty(), "nobody was told how they ended: {untold:?}");
        let taken = self.taken.into_inner().expect("a set").len();
        assert!(taken >= told.len(), "{taken} effects of {} that were told", told.len());
        format!("{taken} notices taken, {} acknowledgements told", acknowledged.len())
    }
}

fn column(path: &Path, query: &str) -> BTreeSet<String> {
    ask_sqlite(path, query).lines().map(str::to_owned).collect()
}
