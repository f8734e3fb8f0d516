//! Conformance vectors: one behaviour a file, as steps of a request and what is expected of the answer.
//! The format is described in `tests/vectors/README.md`.

use crate::face::Stage;
use crate::json;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The time of the steps before the first that names one.
pub const FIRST_NOW: &str = "2026-01-01T00:00:00.000Z";
/// Stands in an expectation for any value that is there and not null.
const SOME: &str = "${some}";
/// In an expected object: the answer's object has these keys and no others.
const EXACT: &str = "$exact";

/// One behaviour.
#[derive(Debug, Clone)]
pub struct Vector {
    /// The file's name under `tests/vectors`.
    pub name: String,
    /// Why it is so.
    pub story: String,
    /// What is asked and expected, in order.
    pub steps: Vec<Step>,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Step {
    /// What this step shows.
    pub note: Option<String>,
    /// The test clock's time from this step on.
    pub now: Option<String>,
    /// Whose handle asks; `None`: the operator's.
    pub owner: Option<String>,
    /// What is asked.
    pub asked: Asked,
    /// What the answer contains.
    pub expect: Value,
    /// Text that stands in the answer as it is.
    pub contains: Option<String>,
    /// Names for values of the answer, with the JSON pointer to each.
    pub capture: BTreeMap<String, String>,
    /// How often the step is done.
    pub repeat: u32,
}

/// What a step asks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A request; `now` is added to it.
    Request(Map<String, Value>),
    /// A line, sent as it is.
    Line(String),
}

/// One line asked and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The step's place, from 1.
    pub step: usize,
    /// Whose handle asked.
    pub owner: Option<String>,
    /// What was asked.
    pub line: String,
    /// What came back.
    pub answer: String,
}

// ---- reading ------------------------------------------------------------------------------------------------

/// Every vector under a folder, by name.
pub fn read_all(folder: &Path) -> Vec<Vector> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(folder).expect("a file under the folder").display().to_string();
        let text = fs::read_to_string(path).expect("a readable vector");
        Vector::parse(&name, &text).unwrap_or_else(|problem| panic!("{name}: {problem}"))
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder of vectors") {
        let path = entry.expect("an entry").path();
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => collect(&path, files),
            Some("json") => files.push(path),
            Some("md") => {}
            Some(_) | None => panic!("{} is neither a vector nor a page about them", path.display()),
        }
    }
}

impl Vector {
    /// Reads one vector; whatever is unknown, missing or of no use is an error.
    pub fn parse(name: &str, text: &str) -> Result<Vector, String> {
        let mut fields = Fields::of(json::parse(text)?, "the vector")?;
        let story = fields.text("story")?.ok_or("the vector tells no story")?;
        let Some(Value::Array(steps)) = fields.0.remove("steps") else { return Err("no list of steps".into()) };
        fields.finish()?;
        let numbered = steps.into_iter().enumerate();
        let steps: Vec<Step> = numbered
            .map(|(place, step)| Step::parse(step).map_err(|problem| format!("step {}: {problem}", place + 1)))
            .collect::<Result<_, _>>()?;
        if steps.is_empty() {
            return Err("no steps".into());
        }
        let vector = Vector { name: name.into(), story, steps };
        vector.every_capture_is_used()?;
        Ok(vector)
    }

    fn every_capture_is_used(&self) -> Result<(), String> {
        for (place, step) in self.steps.iter().enumerate() {
            for name in step.capture.keys() {
                let from = if step.repeat > 1 { place } else { place + 1 };
                let used = self.steps.iter().skip(from).any(|later| later.mentions(name));
                if !used {
                    return Err(format!("step {}: {name:?} is captured and never used", place + 1));
                }
            }
        }
        Ok(())
    }
}

struct Fields(Map<String, Value>, &'static str);

impl Fields {
    fn of(value: Value, what: &'static str) -> Result<Fields, String> {
        if let Value::Object(fields) = value {
            Ok(Fields(fields, what))
        } else {
            Err(format!("{what} is not an object"))
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(other) => Err(format!("{name:?} is not a text: {other}")),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{} has an unknown key {name:?}", self.1)),
        }
    }
}

impl Step {
    fn parse(value: Value) -> Result<Step, String> {
        let mut fields = Fields::of(value, "the step")?;
        let asked = match (fields.0.remove("request"), fields.text("line")?) {
            (Some(Value::Object(request)), None) => Asked::Request(request),
            (None, Some(line)) if !line.contains('\n') => Asked::Line(line),
            (_, _) => return Err("neither one `request` (an object) nor one `line`".into()),
        };
        let Some(expect @ Value::Object(_)) = fields.0.remove("expect") else {
            return Err("no `expect`, an object".into());
        };
        if expect.get("ok").is_some() == expect.get("error").is_some() {
            return Err("`expect` has neither `ok` nor `error`, or both".into());
        }
        let capture = match fields.0.remove("capture") {
            None => BTreeMap::new(),
            Some(Value::Object(names)) => names
                .into_iter()
                .map(|(name, pointer)| match pointer.as_str() {
                    Some(text) if text.starts_with('/') => Ok((name, text.to_string())),
                    Some(_) | None => Err(format!("`capture` of {name:?} is not a JSON pointer: {pointer}")),
                })
                .collect::<Result<_, _>>()?,
            Some(other) => return Err(format!("`capture` is not an object: {other}")),
        };
        let repeat = match fields.0.remove("repeat") {
            None => 1,
            Some(count) => match count.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count @ 2..) => count,
                Some(0 | 1) | None => return Err(format!("`repeat` is not a number above 1: {count}")),
            },
        };
        let (note, now, owner) = (fields.text("note")?, fields.text("now")?, fields.text("owner")?);
        let contains = fields.text("contains")?;
        fields.finish()?;
        Ok(Step { note, now, owner, asked, expect, contains, capture, repeat })
    }

    fn mentions(&self, name: &str) -> bool {
        let mark = format!("${{{name}}}");
        let asked = match &self.asked {
            Asked::Request(request) => Value::Object(request.clone()).to_string(),
            Asked::Line(line) => line.clone(),
        };
        let contained = self.contains.as_ref().is_some_and(|text| text.contains(&mark));
        asked.contains(&mark) || self.expect.to_string().contains(&mark) || contained
    }
}

// ---- playing ------------------------------------------------------------------------------------------------

/// Plays a vector on a stage that nobody has used. The error says which step differs, where, and what was answered.
pub fn play(vector: &Vector, stage: &mut dyn Stage) -> Result<Vec<Exchange>, String> {
    let folder = stage.folder().display().to_string();
    let mut names: BTreeMap<String, Value> = BTreeMap::from([("folder".into(), folder.into())]);
    let mut now = FIRST_NOW.to_string();
    let mut exchanges = Vec::new();
    for (place, step) in vector.steps.iter().enumerate() {
        if let Some(time) = &step.now {
            now.clone_from(time);
        }
        for round in 1..=step.repeat {
            names.insert("n".into(), round.into());
            let line = step.line(&now, &names)?;
            let answer = stage.ask(step.owner.as_deref(), &line);
            let exchange = Exchange { step: place + 1, owner: step.owner.clone(), line, answer };
            step.judge(&exchange, &mut names).map_err(|problem| {
                let note = step.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
                format!(
                    "{}, step {}{note}, round {round}: {problem}\n  asked    {}\n  answered {}",
                    vector.name,
                    exchange.step,
                    short(&exchange.line),
                    short(&exchange.answer)
                )
            })?;
            exchanges.push(exchange);
        }
    }
    Ok(exchanges)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(4_000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

impl Step {
    fn line(&self, now: &str, names: &BTreeMap<String, Value>) -> Result<String, String> {
        match &self.asked {
            Asked::Line(line) => expand_text(line, names).map(|line| plain(&line)),
            Asked::Request(request) => {
                let mut request = request.clone();
                request.entry("now").or_insert_with(|| now.into());
                Ok(expand(&Value::Object(request), names)?.to_string())
            }
        }
    }

    fn judge(&self, exchange: &Exchange, names: &mut BTreeMap<String, Value>) -> Result<(), String> {
        let answer: Value =
            serde_json::from_str(&exchange.answer).map_err(|error| format!("the answer is not JSON: {error}"))?;
        fits(&expand(&self.expect, names)?, &answer, "")?;
        let other = if self.expect.get("ok").is_some() { "error" } else { "ok" };
        if answer.get(other).is_some() {
            return Err(format!("the answer has {other:?}, too"));
        }
        if let Some(text) = &self.contains {
            let text = plain(&expand_text(text, names)?);
            if !exchange.answer.contains(&text) {
                return Err(format!("the answer does not contain {text:?}"));
            }
        }
        for (name, pointer) in &self.capture {
            let value = answer.pointer(pointer).ok_or_else(|| format!("nothing at {pointer} to capture"))?;
            names.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// Whether an answer has everything that is expected of it.
pub fn fits(expected: &Value, given: &Value, at: &str) -> Result<(), String> {
    match (expected, given) {
        (Value::String(text), Value::Null) if text == SOME => Err(format!("{at}: expected a value, got null")),
        (Value::String(text), _) if text == SOME => Ok(()),
        (Value::Object(expected), Value::Object(given)) => {
            let wanted = || expected.iter().filter(|(key, _)| key.as_str() != EXACT);
            for (key, value) in wanted() {
                match given.get(key) {
                    Some(found) => fits(value, found, &format!("{at}/{key}"))?,
                    None => return Err(format!("{at}/{key}: expected {value}, got nothing")),
                }
            }
            let names: BTreeSet<&String> = wanted().map(|(key, _)| key).collect();
            match given.keys().find(|key| !names.contains(key)) {
                Some(extra) if expected.contains_key(EXACT) => Err(format!("{at}/{extra}: not expected")),
                Some(_) | None => Ok(()),
            }
        }
        (Value::Array(expected), Value::Array(given)) if expected.len() == given.len() => {
            let mut pairs = expected.iter().zip(given).enumerate();
            pairs.try_for_each(|(place, (expected, given))| fits(expected, given, &format!("{at}/{place}")))
        }
        (Value::Array(expected), Value::Array(given)) => {
            Err(format!("{at}: expected {} elements, got {}", expected.len(), given.len()))
        }
        (expected, given) if expected == given => Ok(()),
        (expected, given) => Err(format!("{at}: expected {expected}, got {given}")),
    }
}

// ---- placeholders -------------------------------------------------------------------------------------------

fn expand(value: &Value, names: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => expand_text(text, names)?,
        Value::Array(values) => {
            Value::Array(values.iter().map(|value| expand(value, names)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let expanded = fields.iter().map(|(key, value)| Ok((key.clone(), expand(value, names)?)));
            Value::Object(expanded.collect::<Result<_, String>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// `${name}`, and `${x * 513}` for a text repeated. A text that is one placeholder takes its value's own type.
fn expand_text(text: &str, names: &BTreeMap<String, Value>) -> Result<Value, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("{text:?}: a placeholder without its end"))?;
        let value = match (name.split_once(" * "), names.get(name)) {
            _ if name == "some" => Value::String(SOME.into()),
            (Some((what, times)), _) => {
                Value::String(what.repeat(times.parse().map_err(|_| format!("{name:?}: not a number of times"))?))
            }
            (None, Some(value)) => value.clone(),
            (None, None) => return Err(format!("{text:?}: nothing was captured as {name:?}")),
        };
        if before.is_empty() && after.is_empty() && expanded.is_empty() {
            return Ok(value);
        }
        expanded.push_str(before);
        expanded.push_str(&plain(&value));
        rest = after;
    }
    expanded.push_str(rest);
    Ok(Value::String(expanded))
}

/// A value inside a text: a string without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}
