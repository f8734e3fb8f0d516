//! Whether the wall clock can be believed: after a jump of more than a day nothing is ended by time until an operator
//! has confirmed that the clock is right.

use crate::{Millis, Moment, Span};
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// A wall clock that departs by more than this from what has passed has jumped.
const TOLERANCE: Span = Span::from_secs(24 * 60 * 60);

/// The clocks as they were when maintenance last believed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The wall clock, in milliseconds since 1970 UTC.
    pub wall: i64,
    /// The boot.
    #[serde(default)]
    pub boot: Option<String>,
    /// What had passed of it (ms), suspends included.
    pub uptime: i64,
}

/// A departure of the wall clock that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClockJump {
    /// What the wall clock said when it was last believed.
    pub believed: Millis,
    /// How far it departs from what has passed since (ms).
    pub by: Span,
    /// Whether it jumped ahead; otherwise it stepped back.
    pub ahead: bool,
}

impl Sighting {
    /// What the clocks say now.
    pub fn of(at: &Moment) -> Sighting {
        Sighting { wall: at.now.get(), boot: at.boot.clone(), uptime: at.uptime }
    }

    /// The jump since then, if there was one. Within one boot the wall clock is held against what has passed of it;
    /// across boots nobody knows how long the machine was off, and only a step back shows.
    pub fn jump(&self, at: &Moment) -> Option<ClockJump> {
        let walked = at.now.get().saturating_sub(self.wall);
        let passed = match self.boot.is_some() && self.boot == at.boot {
            true => at.uptime.saturating_sub(self.uptime),
            false => walked.max(0),
        };
        let departs = walked.saturating_sub(passed);
        let by = Span::clamped(departs.saturating_abs());
        (by > TOLERANCE).then_some(ClockJump { believed: Millis::clamped(self.wall), by, ahead: departs > 0 })
    }
}

impl ClockJump {
    /// In words, for people.
    pub fn describe(&self) -> String {
        let how = if self.ahead { "jumped ahead" } else { "stepped back" };
        format!("the clock {how} by {}: nothing is ended by time until somebody confirms that it is right", self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn at(wall: i64, boot: &str, uptime: i64) -> Moment {
        Moment { now: Millis::clamped(wall), boot: Some(boot.into()), monotonic: 0, uptime }
    }

    fn jump(from: (i64, &str, i64), to: (i64, &str, i64)) -> Option<(i64, bool)> {
        let jump = Sighting::of(&at(from.0, from.1, from.2)).jump(&at(to.0, to.1, to.2))?;
        Some((jump.by.ms(), jump.ahead))
    }

    #[test]
    fn within_one_boot_the_wall_clock_is_held_against_what_has_passed() {
        let from = (100 * DAY, "one", DAY);
        assert_eq!(jump(from, (130 * DAY, "one", 31 * DAY)), None, "a month without a writer");
        assert_eq!(jump(from, (101 * DAY, "one", DAY)), None, "a day is still believed");
        assert_eq!(jump(from, (101 * DAY + 1, "one", DAY)), Some((DAY + 1, true)));
        assert_eq!(jump(from, (98 * DAY, "one", DAY)), Some((2 * DAY, false)));
    }

    #[test]
    fn across_boots_only_a_step_back_shows() {
        let from = (100 * DAY, "one", 50 * DAY);
        assert_eq!(jump(from, (900 * DAY, "two", 5)), None, "it was off for two years");
        assert_eq!(jump(from, (99 * DAY, "two", 5)), None);
        assert_eq!(jump(from, (10 * DAY, "two", 5)), Some((90 * DAY, false)));
    }
}
