//! Times as people tell them.

use bgledger_core::{Millis, Span};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A length of time by its one or two largest units: `42s`, `3m`, `2h 5m`, `4d 1h`.
pub(crate) fn length(span: Span) -> String {
    let seconds = span.ms() / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |many: i64, unit: &str, rest: i64, smaller: &str| match rest {
        0 => format!("{many}{unit}"),
        rest => format!("{many}{unit} {rest}{smaller}"),
    };
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{}ms", span.ms()),
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        (0, 0, minutes, _) => format!("{minutes}m"),
        (0, hours, minutes, _) => two(hours, "h", minutes % 60, "m"),
        (days, hours, _, _) if days < 10 => two(days, "d", hours % 24, "h"),
        (days, _, _, _) => format!("{days}d"),
    }
}

/// How long ago a moment is: `now`, `42s ago`, `3m ago`, `2d ago`; or how far ahead: `in 30s`.
pub(crate) fn relative(at: Millis, now: Millis) -> String {
    match at > now {
        true => format!("in {}", rough(at.since(now))),
        false if now.since(at).ms() < 1_000 => "now".to_owned(),
        false => format!("{} ago", rough(now.since(at))),
    }
}

/// A moment in full, in the local time zone or in UTC: `2026-11-22T11:00:00.123+01:00`, `2026-11-22T10:00:00.123Z`.
pub(crate) fn absolute(at: Millis, utc: bool) -> String {
    match local(at, utc) {
        Some(local) => local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
        None => at.to_string(),
    }
}

/// Its time of day alone: `11:00:00`; in UTC `10:00:00Z`.
pub(crate) fn clock(at: Millis, utc: bool) -> String {
    match local(at, utc) {
        Some(local) => local.strftime("%H:%M:%S").to_string(),
        None => {
            let at = at.to_string();
            format!("{}Z", at.get(11..19).unwrap_or(&at))
        }
    }
}

/// A moment where we are, unless that is UTC.
fn local(at: Millis, utc: bool) -> Option<Zoned> {
    let here = || Some(Timestamp::from_millisecond(at.get()).ok()?.to_zoned(TimeZone::system()));
    if utc { None } else { here().filter(|here| !here.offset().is_zero()) }
}

/// A length of time by its largest unit alone.
fn rough(span: Span) -> String {
    let seconds = span.ms() / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_or_two_units() {
        let cases = [
            (0, "0ms"),
            (250, "250ms"),
            (42_900, "42s"),
            (180_000, "3m"),
            (185_000, "3m 5s"),
            (1_000_000, "16m"),
            (7_500_000, "2h 5m"),
            (90_000_000, "1d 1h"),
            (1_000_000_000, "11d"),
        ];
        for (ms, shown) in cases {
            assert_eq!(length(Span::clamped(ms)), shown);
        }
    }

    #[test]
    fn moments_are_told_from_now_backwards_and_forwards() {
        let now = Millis::clamped(1_000_000_000);
        let cases = [(0, "now"), (-900, "now"), (-1_000, "1s ago"), (-60_000, "1m ago"), (-7_200_000, "2h ago")];
        for (ms, shown) in cases.into_iter().chain([(-200_000_000, "2d ago"), (30_000, "in 30s")]) {
            assert_eq!(relative(Millis::clamped(now.get() + ms), now), shown);
        }
    }
}
