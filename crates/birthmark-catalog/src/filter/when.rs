//! Moments as people say them: `yesterday`, `3d`, `2026-11-22`, `2026-11-22T14:00`.

use birthmark_core::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Moment, Unit, Zoned};

/// A moment, or a day with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) from: Timestamp,
    /// The last moment of what was said: of a day its last microsecond.
    pub(super) to: Timestamp,
}

/// Reads a moment; days are those of `zone`, the reader's.
pub(super) fn when(text: &str, now: Timestamp, zone: &TimeZone) -> Option<When> {
    let now = Moment::from_microsecond(now.micros())
        .ok()?
        .to_zoned(zone.clone());
    if let Some(day) = day(text, &now) {
        return of_day(day, zone);
    }
    if let Some(moment) = ago(text, &now) {
        return Some(at(&moment));
    }
    if let Ok(moment) = text.parse::<Moment>() {
        return Some(at(&moment.to_zoned(zone.clone())));
    }
    let spaced = text.replacen(' ', "T", 1);
    let moment: DateTime = spaced.parse().ok()?;
    Some(at(&moment.to_zoned(zone.clone()).ok()?))
}

fn at(moment: &Zoned) -> When {
    let time = Timestamp::from_micros(moment.timestamp().as_microsecond());
    When {
        from: time,
        to: time,
    }
}

fn of_day(day: Date, zone: &TimeZone) -> Option<When> {
    let micros = |day: Date| {
        let start = day.to_zoned(zone.clone()).ok()?;
        Some(start.timestamp().as_microsecond())
    };
    Some(When {
        from: Timestamp::from_micros(micros(day)?),
        to: Timestamp::from_micros(micros(day.tomorrow().ok()?)? - 1),
    })
}

fn day(text: &str, now: &Zoned) -> Option<Date> {
    let today = now.date();
    match text.to_ascii_lowercase().as_str() {
        "today" => return Some(today),
        "yesterday" => return today.yesterday().ok(),
        name => {
            if let Some(back) = weekday(name, today) {
                return today.checked_sub(Span::new().days(back)).ok();
            }
        }
    }
    let is_date = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if is_date { text.parse().ok() } else { None }
}

/// How many days back the last day of this name was; a week, when it is today's.
fn weekday(name: &str, today: Date) -> Option<i64> {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let wanted = i64::try_from(DAYS.iter().position(|day| *day == name)?).ok()?;
    let now = i64::from(today.weekday().to_monday_zero_offset());
    Some((now - wanted + 6).rem_euclid(7) + 1)
}

/// `90s`, `30min`, `2h`, `3d`, `2w`: so long ago.
fn ago(text: &str, now: &Zoned) -> Option<Zoned> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: i64 = text.get(..digits)?.parse().ok()?;
    let unit = match text.get(digits..)? {
        "s" => Unit::Second,
        "m" | "min" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "w" => Unit::Week,
        _ => return None,
    };
    let seconds = match unit {
        Unit::Second => 1,
        Unit::Minute => 60,
        Unit::Hour => 3_600,
        Unit::Day => 86_400,
        _ => 604_800,
    };
    let span = Span::new().try_seconds(count.checked_mul(seconds)?).ok()?;
    now.checked_sub(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 22 November 2026, 12:00 UTC.
    const NOW: i64 = 1_795_348_800_000_000;

    fn said(text: &str) -> Option<(String, String)> {
        let when = when(text, Timestamp::from_micros(NOW), &TimeZone::UTC)?;
        Some((when.from.to_string(), when.to.to_string()))
    }

    #[test]
    fn days_are_whole_and_moments_are_moments() {
        let (from, to) = said("yesterday").unwrap();
        assert_eq!(from, "2026-11-21T00:00:00.000000+00:00");
        assert_eq!(to, "2026-11-21T23:59:59.999999+00:00");
        assert_eq!(said("2026-11-21"), said("yesterday"));
        assert_eq!(said("saturday"), said("yesterday"));
        assert_eq!(
            said("sunday").unwrap().0,
            "2026-11-15T00:00:00.000000+00:00"
        );
        for moment in [
            "2026-11-22 10:00",
            "2026-11-22T10:00",
            "2h",
            "2026-11-22T11:00:00+01:00",
        ] {
            let (from, to) = said(moment).unwrap();
            assert_eq!(from, "2026-11-22T10:00:00.000000+00:00", "{moment}");
            assert_eq!(from, to);
        }
        assert_eq!(said("1w").unwrap().0, "2026-11-15T12:00:00.000000+00:00");
        for none in [
            "",
            "soon",
            "3",
            "h",
            "2026-13-01",
            "99999999999999999999d",
            "d3",
        ] {
            assert_eq!(said(none), None, "{none}");
        }
    }

    #[test]
    fn days_begin_where_the_reader_is() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let when = when("today", Timestamp::from_micros(NOW), &zone).unwrap();
        assert_eq!(when.from.to_string(), "2026-11-21T22:00:00.000000+00:00");
    }
}
