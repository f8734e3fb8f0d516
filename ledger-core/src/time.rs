//! Times and spans. Milliseconds in storage, RFC 3339 in JSON; the core is told what time it is.

use core::fmt;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the count begins, without an offset.
const BEGINNING: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time: milliseconds since 1970 UTC, from year 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

impl Millis {
    /// The last millisecond of year 9999.
    pub const MAX: Millis = Millis(253_402_300_799_999);
    /// The first.
    pub const EPOCH: Millis = Millis(0);
    /// What is expected, for messages.
    pub const EXPECTED: &'static str = "a time such as 2026-11-22T10:00:00.123Z, or milliseconds since 1970";

    /// The point `ms` milliseconds after 1970, if it is in range.
    pub const fn new(ms: i64) -> Option<Millis> {
        match ms >= 0 && ms <= Millis::MAX.0 {
            true => Some(Millis(ms)),
            false => None,
        }
    }

    /// The nearest point in range.
    pub const fn clamped(ms: i64) -> Millis {
        match Millis::new(ms) {
            Some(at) => at,
            None if ms < 0 => Millis::EPOCH,
            None => Millis::MAX,
        }
    }

    /// Milliseconds since 1970.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This point and a span later.
    pub const fn plus(self, span: Span) -> Millis {
        Millis::clamped(self.0.saturating_add(span.0))
    }

    /// This point and a span earlier.
    pub const fn minus(self, span: Span) -> Millis {
        Millis::clamped(self.0.saturating_sub(span.0))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Millis) -> Span {
        Span::clamped(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Millis> {
        match text.parse::<Timestamp>() {
            Ok(at) => Millis::new(at.as_millisecond()),
            Err(_) => Millis::parse_last_days(text),
        }
    }

    /// The same for the last two days of year 9999 in UTC, for which others may have no offset left.
    fn parse_last_days(text: &str) -> Option<Millis> {
        let at = text.strip_suffix(['Z', 'z'])?.parse::<DateTime>().ok()?;
        let ms = at.duration_since(BEGINNING).as_millis();
        i64::try_from(ms).ok().and_then(Millis::new)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => match BEGINNING.checked_add(SignedDuration::from_millis(self.0)) {
                Ok(at) => write!(f, "{at:.3}Z"),
                Err(_) => write!(f, "{} ms", self.0),
            },
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrInteger {
            read: Millis::parse,
            count: Millis::new,
            expected: Millis::EXPECTED,
        })
    }
}

/// A length of time in milliseconds, zero to a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time.
    pub const ZERO: Span = Span(0);
    /// A hundred years.
    pub const MAX: Span = Span(100 * 366 * 86_400_000);
    /// What is expected, for messages.
    pub const EXPECTED: &'static str = "a length of time such as \"90s\" or \"2h 30m\", or milliseconds, not negative";

    /// `ms` milliseconds, if in range.
    pub const fn from_ms(ms: i64) -> Option<Span> {
        match ms >= 0 && ms <= Span::MAX.0 {
            true => Some(Span(ms)),
            false => None,
        }
    }

    /// `seconds` seconds (at most a hundred years).
    pub const fn from_secs(seconds: i64) -> Span {
        Span::clamped(seconds.saturating_mul(1_000))
    }

    /// The nearest span in range.
    pub const fn clamped(ms: i64) -> Span {
        match Span::from_ms(ms) {
            Some(span) => span,
            None if ms < 0 => Span::ZERO,
            None => Span::MAX,
        }
    }

    /// Milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The same for people: no milliseconds from a second on, no seconds from an hour on, no minutes from a day on.
    #[must_use]
    pub const fn about(self) -> Span {
        let unit = match self.0 {
            0..=999 => 1,
            1_000..=3_599_999 => 1_000,
            3_600_000..=86_399_999 => 60_000,
            _ => 3_600_000,
        };
        match self.0.checked_rem(unit) {
            Some(rest) => Span(self.0.saturating_sub(rest)),
            None => self,
        }
    }

    /// Reads `90s`, `2h 30m`, `1d`, `PT5M`; a day has 24 hours. A unit is needed.
    pub fn parse(text: &str) -> Option<Span> {
        let text = text.trim();
        let days = |days: &str| days.trim().parse::<i64>().ok().and_then(|days| days.checked_mul(86_400_000));
        let ms = match text.strip_suffix('d').and_then(days) {
            Some(ms) => ms,
            None => i64::try_from(text.parse::<SignedDuration>().ok()?.as_millis()).ok()?,
        };
        Span::from_ms(ms)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", SignedDuration::from_millis(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrInteger {
            read: Span::parse,
            count: Span::from_ms,
            expected: Span::EXPECTED,
        })
    }
}

struct TextOrInteger<T> {
    read: fn(&str) -> Option<T>,
    count: fn(i64) -> Option<T>,
    expected: &'static str,
}

impl<T> Visitor<'_> for TextOrInteger<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, ms: i64) -> Result<T, E> {
        (self.count)(ms).ok_or_else(|| E::invalid_value(Unexpected::Signed(ms), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<T, E> {
        let signed = i64::try_from(ms).map_err(|_| E::invalid_value(Unexpected::Unsigned(ms), &self))?;
        self.visit_i64(signed)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Millis {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer"], "description": "RFC 3339 in answers; requests may give milliseconds since 1970"})
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Span {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["integer", "string"], "minimum": 0, "description": "milliseconds in answers; requests may give text such as \"90s\""})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Whoever reads a time from an answer, or the ledger from its row, gets the time that was written.
    #[test]
    fn every_time_is_read_as_it_was_told_to_the_last_millisecond_of_9999() {
        let of_the_last_days = Millis::MAX.0 - 2 * 86_400_000..=Millis::MAX.0;
        let some = of_the_last_days.step_by(7_777_777).chain([0, 1, 1_795_829_023_000, Millis::MAX.0]);
        for ms in some {
            let at = Millis(ms);
            assert_eq!(Millis::parse(&at.to_string()), Some(at), "{at}");
        }
        assert_eq!(Millis::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        for odd in ["9999-12-31T23:59:59.999", "10000-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "Z", "9999Z"] {
            assert_eq!(Millis::parse(odd), None, "{odd}");
        }
    }
}
