//! Requests to begin with: those of the vectors, and what their grammar allows beside.

use super::{mutated, mutated_json, odd_scalar};
use crate::binary::workspace;
use crate::dice::Dice;
use crate::vector::{self, Asked, FIRST_NOW};
use bgledger_core::{CommandName, Envelope, ExecutorSpec, Request, Span};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Requests, and the fields that each command has been seen with.
#[derive(Debug)]
pub struct Corpus {
    /// As they are sent.
    pub lines: Vec<Vec<u8>>,
    values: Vec<Value>,
    fields: BTreeMap<String, Vec<(String, Value)>>,
}

impl Corpus {
    /// Every request of the vectors but for those that have files made, which a changed one would make anywhere.
    pub fn of_vectors() -> Corpus {
        let steps = vector::read_all(&workspace().join("tests/vectors")).into_iter().flat_map(|vector| vector.steps);
        let lines = steps.map(|step| match step.asked {
            Asked::Request(mut request) => {
                request.entry("now").or_insert_with(|| step.now.unwrap_or_else(|| FIRST_NOW.into()).into());
                Value::Object(request).to_string()
            }
            Asked::Line(line) => line,
        });
        let writes_files =
            |line: &str| line.contains("${folder}") || line.contains("\"backup\"") || line.contains("\"recover\"");
        let lines: Vec<String> = lines.filter(|line| line.len() < 4_000 && !writes_files(line)).collect();
        let values: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut fields: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for (command, body) in values.iter().filter_map(Value::as_object).flatten() {
            let seen = body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
            fields.entry(command.clone()).or_default().extend(seen);
        }
        Corpus { lines: lines.into_iter().map(String::into_bytes).collect(), values, fields }
    }

    /// One that nobody has written.
    pub fn draw(&self, dice: &mut Dice) -> Vec<u8> {
        match dice.below(16) {
            0..5 => {
                let one = dice.pick(&self.lines);
                mutated(dice, one, &self.lines)
            }
            5..10 => {
                let mut value = dice.pick(&self.values).clone();
                mutated_json(dice, &mut value, &self.values);
                value.to_string().into_bytes()
            }
            10..15 => self.built(dice).to_string().into_bytes(),
            _ => garbage(dice),
        }
    }

    /// A command as it has been seen, with some fields that it or another has, with values that they have had or never
    /// had; mostly of a task that is there.
    fn built(&self, dice: &mut Dice) -> Value {
        let command = dice.pick(CommandName::ALL).as_str();
        let seen: Vec<&Value> = self.values.iter().filter_map(|value| value.get(command)).collect();
        let mut body = match seen.as_slice() {
            [] => Map::new(),
            seen => dice.pick(seen).as_object().cloned().unwrap_or_default(),
        };
        for _ in 0..dice.below(4) {
            let of = match dice.below(12) {
                0 => dice.pick(CommandName::ALL).as_str(),
                _ => command,
            };
            let Some(fields) = self.fields.get(of).filter(|fields| !fields.is_empty()) else { continue };
            let (name, value) = dice.pick(fields);
            let value = match dice.below(6) {
                0 => odd_scalar(dice),
                _ => value.clone(),
            };
            body.insert(name.clone(), value);
        }
        let there = [("lookup", 12), ("parent", 6), ("attempt", 3), ("revision", 3)];
        for (name, most) in there {
            if body.contains_key(name) && dice.below(8) > 0 {
                body.insert(name.into(), (1 + dice.below(most)).into());
            }
        }
        if body.contains_key("flow") && dice.below(8) > 0 {
            body.insert("flow".into(), format!("F{}", 1 + dice.below(3)).into());
        }
        let at = 1_767_225_600_000 + i64::try_from(dice.below(3 * 86_400_000)).expect("a time");
        let now = bgledger_core::Millis::clamped(at).to_string();
        let request = [(command.to_owned(), Value::Object(body)), ("now".to_owned(), now.into())];
        Value::Object(request.into_iter().collect())
    }
}

/// What is hardly JSON: deep, long, or many of the same.
fn garbage(dice: &mut Dice) -> Vec<u8> {
    let much = usize::try_from(1 << dice.below(17)).expect("a size");
    let around = |open: &str, close: &str| format!("{}{}", open.repeat(much), close.repeat(much));
    let text = match dice.below(9) {
        0 => around("[", "]"),
        1 => around(r#"{"create":"#, "}"),
        2 => format!(r#"{{"create": {{"label": "x", "metadata": {}}}}}"#, around("[", "]")),
        3 => {
            let entries: Vec<String> = (0..much).map(|entry| format!(r#""k{entry}": {entry}"#)).collect();
            format!(r#"{{"create": {{"label": "x", "metadata": {{{}}}}}}}"#, entries.join(","))
        }
        4 => format!(r#"{{"finish": {{"lookup": 1, "status": "succeeded", "result": {}}}}}"#, around("[", "]")),
        5 => format!(r#"{{"wait": {{"timeout": "0s", "lookups": [{}1]}}}}"#, "1,".repeat(much)),
        6 => format!(r#"{{"id": {}, "list": {{}}}}"#, "1".repeat(much)),
        7 => format!(r#"{{"list": {{"search": "{}"}}}}"#, "%_\\u0000é".repeat(much / 8)),
        _ => return (0..much.min(512)).map(|_| u8::try_from(dice.below(256)).expect("a byte")).collect(),
    };
    text.into_bytes()
}

/// Whether a test may ask this: it waits for nobody, makes files in a folder alone (or, without one, none), and names no
/// process that a cancel would stop.
pub fn may_be_asked(text: &str, folder: Option<&Path>) -> bool {
    let long = |timeout: Option<Span>| timeout.is_some_and(|timeout| timeout.ms() > 20);
    let inside = |path: &str| folder.is_some_and(|folder| Path::new(path).parent() == Some(folder));
    let stops = |executor: &Option<ExecutorSpec>| match executor {
        Some(ExecutorSpec::Process { group, .. }) => group.is_some(),
        Some(ExecutorSpec::Identity(executor)) => executor.group.is_some(),
        Some(ExecutorSpec::External | ExecutorSpec::This) | None => false,
    };
    let Ok(request) = Envelope::parse(text).request else { return true };
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others do nothing outside of the ledger")]
    match request {
        Request::Wait(wait) => wait.timeout.is_some() && !long(wait.timeout),
        Request::Watch(watch) => !long(watch.timeout),
        Request::Drain(drain) => drain.timeout.is_some() && !long(drain.timeout),
        Request::Backup(backup) => inside(&backup.to),
        Request::Recover(recover) => inside(&recover.to),
        Request::Create(create) => !create.start.is_some_and(|start| stops(&start.executor)),
        Request::Start(start) => !stops(&start.executor),
        Request::Config(config) => config.set.keys().all(|key| !key.contains("hook")),
        _ => true,
    }
}
