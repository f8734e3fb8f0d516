//! Whoever is owed a notice gets it, whatever is killed in between, and two consumers never hold the same one.

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::history::assert_sound;
use bgledger_tests::native::{Linked, Program};
use bgledger_tests::pipe::{self, Gone, Piped};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::wheel;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const CONSUMERS: usize = 4;

/// Records so many ends, each of which owes its session a notice.
fn owe(ledger: &Path, many: usize) {
    let mut caller = Piped::on(ledger);
    let request = |task: usize| {
        let finish = json!({"status": "succeeded", "summary": format!("said {task}")});
        json!({"create": {"label": format!("task {task}"), "runtime": "subagent", "session": "chat", "finish": finish}})
            .to_string()
    };
    for first in (0..many).step_by(500) {
        let requests: Vec<String> = (first..many.min(first + 500)).map(request).collect();
        caller.send(&requests.join("\n")).expect("sent");
        for _ in &requests {
            let answer = caller.receive().expect("an answer");
            assert_eq!(answer["ok"]["created"], true, "{answer}");
        }
    }
    caller.end();
}

fn states(ledger: &Path) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    let mut caller = Piped::on(ledger);
    let mut after = Value::Null;
    loop {
        let page = caller.ok(&json!({"notices": {"limit": 5_000, "after": after}}).to_string());
        for notice in page["notices"].as_array().expect("notices") {
            *counted.entry(notice["state"].as_str().expect("a state").to_owned()).or_default() += 1;
        }
        after = page["next"].clone();
        if after.is_null() {
            return counted;
        }
    }
}

/// What became of the notices, outside of the ledger.
#[derive(Default)]
struct Effects {
    /// The keys whose effect is there: a consumer that records the key with the effect has each once.
    once: Mutex<BTreeSet<String>>,
    again: AtomicUsize,
}

impl Effects {
    fn take(&self, notice: &Value) {
        let key = notice["key"].as_str().expect("a key").to_owned();
        if !self.once.lock().expect("a set").insert(key) {
            self.again.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Claims, takes effect, acknowledges; the process is killed between any two of these. `None`: nothing was due.
fn consume(consumer: &mut Piped, effects: &Effects, dice: &mut Dice, kill: bool) -> Result<Option<()>, Gone> {
    let step = if kill { dice.below(4) } else { 9 };
    let claim = json!({"notices_claim": {"limit": 20, "lease": "1s", "recipients": ["session:chat"]}}).to_string();
    if step == 0 {
        consumer.send(&claim)?;
        return Err(Gone);
    }
    let claimed = consumer.ask(&claim)?["ok"].clone();
    let notices = claimed["notices"].as_array().cloned().unwrap_or_default();
    if notices.is_empty() {
        return Ok(None);
    }
    let half = if step == 1 { notices.len() / 2 } else { notices.len() };
    notices.iter().take(half).for_each(|notice| effects.take(notice));
    if step <= 2 {
        return Err(Gone);
    }
    let names: Vec<&Value> = notices.iter().map(|notice| &notice["notice"]).collect();
    let ack = json!({"notices_ack": {"claim": claimed["claim"], "notices": names}}).to_string();
    if step == 3 {
        consumer.send(&ack)?;
        return Err(Gone);
    }
    let answer = consumer.ask(&ack)?;
    // A lease that ran out meanwhile has given some of them to somebody else, who takes care of them.
    assert!(answer["ok"].is_object() || answer["error"]["code"] == "stale_claim", "{answer}");
    Ok(Some(()))
}

#[test]
fn killed_consumers_lose_nothing_and_every_effect_is_there_once() {
    let (owed, kills) = (count("BGLEDGER_NOTICES", 10_000), count("BGLEDGER_NOTICE_KILLS", 200));
    let seed = Dice::seed("BGLEDGER_NOTICE_SEED", 1);
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    owe(&path, owed);
    let (effects, killed) = (Effects::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..CONSUMERS {
            let (path, effects, killed) = (&path, &effects, &killed);
            scope.spawn(move || {
                let mut dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(number as u64));
                let mut consumer = Piped::on(path);
                loop {
                    let kill = killed.load(Ordering::Relaxed) < kills && dice.below(3) == 0;
                    match consume(&mut consumer, effects, &mut dice, kill) {
                        Ok(Some(())) => {}
                        // What a killed consumer holds comes back when its lease is over.
                        Ok(None) if states(path).keys().all(|state| state == "delivered") => break,
                        Ok(None) => std::thread::sleep(std::time::Duration::from_millis(200)),
                        Err(Gone) => {
                            killed.fetch_add(1, Ordering::Relaxed);
                            std::mem::replace(&mut consumer, Piped::on(path)).kill();
                        }
                    }
                }
            });
        }
    });
    let again = effects.again.load(Ordering::Relaxed);
    let once = effects.once.into_inner().expect("a set").len();
    println!("{owed} notices, {} kills: {again} came again under the same key", killed.load(Ordering::Relaxed));
    assert_eq!(once, owed, "notices were lost, or came under two keys");
    assert!(killed.load(Ordering::Relaxed) >= kills && (kills == 0 || again > 0), "nobody was killed in between");
    assert_eq!(states(&path), BTreeMap::from([("delivered".into(), owed)]));
    assert_sound(&path);
}

// ---- three languages ----------------------------------------------------------------------------------------

const PYTHON: &str = "import bgledger, sys, time
with bgledger.open(sys.argv[1]) as ledger:
    while True:
        claimed = ledger.notices_claim('session:chat', consumer='python', limit=7)
        if claimed.claim is None:
            break
        for notice in claimed.notices:
            print(notice.notice, flush=True)
        ledger.notices_ack(claimed.claim, claimed.notices)
        time.sleep(0.05)
";

const SHELL: &str = r#"
while :; do
    claimed=$("$BGLEDGER_BIN" --ledger "$1" --json notices claim --for session:chat --consumer shell -n 5 2>/dev/null)
    case $claimed in *'"claim":null'*) break ;; esac
    claim=$(printf '%s' "$claimed" | grep -o '^{"claim":"[^"]*"' | cut -d '"' -f 4)
    names=$(printf '%s' "$claimed" | grep -o '"notice":"[^"]*"' | cut -d '"' -f 4)
    printf '%s\n' "$names"
    # shellcheck disable=SC2086
    "$BGLEDGER_BIN" --ledger "$1" notices ack --claim "$claim" $names > /dev/null 2>&1
done
"#;

/// None of them is handed what another holds.
#[test]
fn consumers_in_three_languages_share_a_queue() {
    const OWED: usize = 600;
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    owe(&path, OWED);
    let c = Program::new("consumer.c", Linked::Shared, &[]);
    let mut python = Command::new(wheel::python());
    python.args(["-c", PYTHON]).arg(&path);
    let mut shell = Command::new("sh");
    shell
        .env("XDG_CONFIG_HOME", "/dev/null")
        .args(["-c", SHELL, "sh"])
        .arg(&path)
        .env("BGLEDGER_BIN", pipe::command(&path).get_program());
    let mut native = c.command();
    native.arg(&path);
    let taken: Vec<Vec<String>> = std::thread::scope(|scope| {
        let consumers = [&mut python, &mut shell, &mut native].map(|command| {
            scope.spawn(move || {
                let output = command.output().expect("it runs");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
            })
        });
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    let shares: Vec<usize> = taken.iter().map(Vec::len).collect();
    println!("Python took {}, the shell {}, C {}", shares[0], shares[1], shares[2]);
    let all: BTreeSet<&String> = taken.iter().flatten().collect();
    assert_eq!((all.len(), shares.iter().sum::<usize>()), (OWED, OWED), "one was handed to two");
    assert!(shares.iter().all(|share| *share > 0), "one of them got nothing: {shares:?}");
    assert_eq!(states(&path), BTreeMap::from([("delivered".into(), OWED)]));
}
