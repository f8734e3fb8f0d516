//! How an input becomes another one.

use crate::dice::Dice;
use serde_json::{Map, Number, Value};

fn index(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).expect("an index")
}

/// Up to four changes of bytes; some take a part of another input.
pub fn mutated<T: AsRef<[u8]>>(dice: &mut Dice, one: &[u8], corpus: &[T]) -> Vec<u8> {
    let mut bytes = one.to_vec();
    for _ in 0..dice.below(5) {
        let at = index(dice, bytes.len() + 1);
        let other = dice.pick(corpus).as_ref();
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, *dice.pick(b"{}[]\",:0-9\\\0\xff u")),
            3 => bytes.extend_from_slice(&other[other.len() / 2..]),
            4 if at < bytes.len() => {
                let end = (at + index(dice, 32)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 if at < bytes.len() => {
                let end = (at + index(dice, 64)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
    bytes
}

/// Changes up to three values of a JSON document; `others` lend theirs.
pub fn mutated_json(dice: &mut Dice, value: &mut Value, others: &[Value]) {
    for _ in 0..=dice.below(3) {
        let places = count(value);
        let place = index(dice, places);
        let lent = dice.pick(others);
        let lent = part(lent, index(dice, count(lent))).cloned().unwrap_or(Value::Null);
        if let Some(there) = part_mut(value, place) {
            change(dice, there, lent);
        }
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The value at a place, counted from the top.
fn part(value: &Value, place: usize) -> Option<&Value> {
    if place == 0 {
        return Some(value);
    }
    let mut left = place - 1;
    let below: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    for one in below {
        let size = count(one);
        if left < size {
            return part(one, left);
        }
        left -= size;
    }
    None
}

fn part_mut(value: &mut Value, place: usize) -> Option<&mut Value> {
    if place == 0 {
        return Some(value);
    }
    let mut left = place - 1;
    let below: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    for one in below {
        let size = count(one);
        if left < size {
            return part_mut(one, left);
        }
        left -= size;
    }
    None
}

fn change(dice: &mut Dice, there: &mut Value, lent: Value) {
    match (dice.below(8), &mut *there) {
        (0..2, _) => *there = odd_scalar(dice),
        (2, _) => *there = lent,
        (3, Value::Object(fields)) => {
            if let Some(name) = name_of(dice, fields) {
                fields.remove(&name);
            }
        }
        (4, Value::Object(fields)) => {
            if let Some(name) = name_of(dice, fields) {
                let value = fields.remove(&name).unwrap_or_default();
                fields.insert(format!("{name}s"), value);
            }
        }
        (5, Value::Object(fields)) => {
            let name = ["lookup", "status", "seq", "id", "task", "finish", "start", "", "\u{0}"];
            fields.insert((*dice.pick(&name)).into(), lent);
        }
        (3, Value::Array(list)) if !list.is_empty() => {
            list.remove(index(dice, list.len()));
        }
        (4, Value::Array(list)) => list.push(lent),
        (5, Value::Array(list)) if list.len() < 100 => list.extend(list.clone()),
        (6, _) => *there = Value::Array(vec![there.take()]),
        (3.., Value::Number(number)) => {
            let by = *dice.pick(&[-1, 1, 2, 1_000, 86_400_000, -86_400_000]);
            *there = number.as_i64().map_or(Value::Null, |number| number.saturating_add(by).into());
        }
        (3.., Value::String(text)) => {
            let odd = ["\u{0}", "\u{1b}[31m", "\u{202e}", "🦀", " ", "%", "'", "\"", "0", "-", "é", "\n", "x"];
            let mut at = index(dice, text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match dice.below(3) {
                0 => text.truncate(at),
                _ => text.insert_str(at, dice.pick::<&str>(&odd)),
            }
        }
        (7.., Value::Object(fields)) => {
            // Deeper than anybody means.
            let deep = (0..1 + index(dice, 300)).fold(lent, |below, _| Value::Array(vec![below]));
            fields.insert("result".into(), deep);
        }
        (_, Value::Null | Value::Bool(_) | Value::Array(_)) => *there = odd_scalar(dice),
    }
}

fn name_of(dice: &mut Dice, fields: &Map<String, Value>) -> Option<String> {
    let names: Vec<&String> = fields.keys().collect();
    (!names.is_empty()).then(|| (*dice.pick(&names)).clone())
}

/// A value that stands at some edge.
pub fn odd_scalar(dice: &mut Dice) -> Value {
    match dice.below(16) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2..5 => {
            let edges = [0, 1, -1, 2, 7, 8, 255, 256, 1_000_000, i64::from(i32::MAX), 253_402_300_799_999, i64::MAX];
            (*dice.pick(&edges)).into()
        }
        5 => i64::MIN.into(),
        6 => u64::MAX.into(),
        7 => Number::from_f64(*dice.pick(&[0.5, -0.0, 1e300, 9_007_199_254_740_993.0]))
            .map_or(Value::Null, Value::Number),
        8 => Value::String("x".repeat(1 << dice.below(17))),
        9 => Value::Array(Vec::new()),
        10 => Value::Object(Map::new()),
        _ => {
            let words = [
                "",
                " ",
                "1",
                "#1",
                "id:",
                "run:r1",
                "session:chat",
                "local",
                "queued",
                "running",
                "succeeded",
                "lost",
                "self",
                "external",
                "silent",
                "done_only",
                "2026-01-01T00:00:00.000Z",
                "9999-12-31T23:59:59.999Z",
                "0001-01-01T00:00:00Z",
                "1h",
                "0",
                "-1s",
                "99999999999d",
                "\u{0}",
                "\u{feff}",
                "🦀",
                "'; DROP TABLE task; --",
                "%",
                "null",
                "{}",
                "F1",
                "00000000-0000-0000-0000-000000000000",
            ];
            Value::String((*dice.pick(&words)).into())
        }
    }
}
