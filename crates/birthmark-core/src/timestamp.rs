//! `Timestamp`: UTC microseconds and its one text form, 32 characters.
//!
//! The text form has a fixed width (`2026-11-22T12:00:00.000000+00:00`), so that
//! timestamps sort as text and can be spliced in place. Core never asks a clock:
//! a timestamp is handed in.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The length of the text form, in bytes.
pub const TEXT_LEN: usize = 32;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Text that is no timestamp with a known offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{0}` as a timestamp with an offset (like 2026-11-22T12:00:00+00:00)")]
pub struct TimestampError(String);

impl Timestamp {
    /// From microseconds since the epoch; clamped to the years 0001 to 9999,
    /// which is what the text form can say.
    pub fn from_micros(micros: i64) -> Self {
        const FIRST: i64 = -62_135_596_800 * MICROS_PER_SECOND;
        const LAST: i64 = 253_402_300_799 * MICROS_PER_SECOND + 999_999;
        Self(micros.clamp(FIRST, LAST))
    }

    /// Microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The text form, without an allocation.
    pub fn text(self) -> [u8; TEXT_LEN] {
        let mut text = *b"0000-00-00T00:00:00.000000+00:00";
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        put(&mut text[0..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], second_of_day / 3600);
        put(&mut text[14..16], second_of_day / 60 % 60);
        put(&mut text[17..19], second_of_day % 60);
        put(&mut text[20..26], self.0.rem_euclid(MICROS_PER_SECOND));
        text
    }

    /// `YYYYmmdd_HHMMSS`, the first part of a session id.
    pub fn compact(self) -> String {
        let text = self.text();
        let digits = |range: std::ops::Range<usize>| {
            text[range]
                .iter()
                .filter(|byte| byte.is_ascii_digit())
                .map(|&byte| char::from(byte))
        };
        digits(0..10).chain(['_']).chain(digits(11..19)).collect()
    }

    /// Seconds from `earlier` to this; negative when the clock was set back.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of centuries fit an f64"
    )]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1e6
    }
}

/// Writes `value` in decimal, filling `into` with leading zeros.
fn put(into: &mut [u8], mut value: i64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Year, month and day of a count of days since 1970-01-01, proleptic Gregorian.
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads any RFC 3339 moment with an offset. A naive time is refused: which
    /// moment it means cannot be known.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|moment| Self::from_micros(moment.as_microsecond()))
            .map_err(|_| TimestampError(text.chars().take(64).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// `22 Nov 2026 22:31`, in the time zone of the reader, for screens.
pub fn render_local(moment: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_microsecond(moment.micros())
        .map(|at| {
            at.to_zoned(zone.clone())
                .strftime("%-d %b %Y %H:%M")
                .to_string()
        })
        .unwrap_or_default()
}

/// `22:31:07`: the time of day in a zone, for screens.
pub fn render_clock(moment: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_microsecond(moment.micros())
        .map(|at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}

/// The short names of a zone at these moments, each once: `CET`, `CET/CEST`; for the head of a column.
pub fn zone_names(moments: impl IntoIterator<Item = Timestamp>, zone: &TimeZone) -> String {
    let mut names: Vec<String> = Vec::new();
    for moment in moments {
        let Ok(at) = jiff::Timestamp::from_microsecond(moment.micros()) else {
            continue;
        };
        let name = zone.to_offset_info(at).abbreviation().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("/")
}

/// `3 h ago`, for screens: one unit, rounded down; `in the future` when the clocks disagree.
pub fn render_age(moment: Timestamp, now: Timestamp) -> String {
    let seconds = (now.micros() - moment.micros()).div_euclid(MICROS_PER_SECOND);
    match seconds {
        i64::MIN..=-2 => "in the future by this clock".to_owned(),
        -1..=9 => "just now".to_owned(),
        10..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / SECONDS_PER_DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_always_32_characters_of_utc() {
        let moment = Timestamp::from_micros(1_795_348_800_000_000);
        assert_eq!(moment.to_string(), "2026-11-22T12:00:00.000000+00:00");
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(Timestamp::from_micros(micros).to_string().len(), TEXT_LEN);
        }
    }

    #[test]
    fn text_form_agrees_with_jiff_on_every_day_of_four_centuries() {
        for day in -80_000..80_000_i64 {
            let micros = (day * SECONDS_PER_DAY + 12_345) * MICROS_PER_SECOND + 678;
            let theirs = jiff::Timestamp::from_microsecond(micros)
                .unwrap()
                .to_string();
            let ours = Timestamp::from_micros(micros).to_string();
            assert_eq!(ours[..26], theirs[..26]);
        }
    }

    #[test]
    fn text_form_parses_back_and_naive_time_is_refused() {
        let moment: Timestamp = "2026-11-22T13:00:00.5+01:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-22T12:00:00.500000+00:00");
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert!("2026-11-22T13:00:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn compact_form_is_the_origins_session_id() {
        assert_eq!(
            Timestamp::from_micros(1_795_348_800_000_000).compact(),
            "20261122_120000"
        );
    }
}
