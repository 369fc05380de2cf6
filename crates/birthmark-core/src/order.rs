//! Which of several moments was the earlier one, whatever was done to the clocks that told them.
//!
//! A clock may be set back; how long a machine has been up only grows. So moments of one boot
//! are put in the order of that. Moments of several boots have nothing but their clocks.
//!
//! # Limits
//!
//! * A clock that is set while a writer has its journal open moves what that writer tells
//!   afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::timestamp::Timestamp;

/// The clock of a writer, held against the boot of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    boot: u128,
    /// When the machine booted, by this clock, in microseconds.
    booted: i64,
}

impl Clock {
    /// A clock that told `time` when the machine had been up for so many microseconds; none
    /// where the boot has no name of the usual form.
    pub fn new(boot_id: &str, time: Timestamp, since_boot: u64) -> Option<Self> {
        Some(Self {
            boot: number_of(boot_id)?,
            booted: time.micros().checked_sub_unsigned(since_boot)?,
        })
    }
}

/// A UUID as a number.
fn number_of(boot_id: &str) -> Option<u128> {
    let digits: String = boot_id.chars().filter(|each| *each != '-').collect();
    let is_whole = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|_| is_whole)
}

impl fmt::Display for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}.{}", self.boot, self.booted)
    }
}

impl FromStr for Clock {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (boot, booted) = text.split_once('.').ok_or(())?;
        Ok(Self {
            boot: number_of(boot).ok_or(())?,
            booted: booted.parse().map_err(|_| ())?,
        })
    }
}

/// A moment as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time that the clock showed.
    pub time: Timestamp,
    /// The clock, where it is known.
    pub clock: Option<Clock>,
}

impl Moment {
    /// How long the machine had been up, and which boot of it that was.
    fn up(self) -> Option<(u128, i64)> {
        let clock = self.clock?;
        Some((clock.boot, self.time.micros().saturating_sub(clock.booted)))
    }

    /// Whether it is proved that this was before another, and not only told by clocks.
    pub fn is_surely_before(self, other: Self) -> bool {
        match (self.up(), other.up()) {
            (Some((boot, this)), Some((other_boot, that))) => boot == other_boot && this < that,
            _ => false,
        }
    }
}

/// The times by which these moments are in order: of one boot all by the clock as it stood last.
pub fn straight(moments: &[Moment]) -> Vec<Timestamp> {
    let mut last: BTreeMap<u128, (i64, i64)> = BTreeMap::new();
    for moment in moments {
        if let (Some((boot, up)), Some(clock)) = (moment.up(), moment.clock) {
            let known = last.entry(boot).or_insert((up, clock.booted));
            *known = (*known).max((up, clock.booted));
        }
    }
    let time = |moment: &Moment| match moment
        .up()
        .and_then(|(boot, up)| Some((last.get(&boot)?, up)))
    {
        Some(((_, booted), up)) => Timestamp::from_micros(booted.saturating_add(up)),
        None => moment.time,
    };
    moments.iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "0cd6a05b-3b2c-4a7e-9a58-6f2f1f8f6d10";
    const OTHER: &str = "1cd6a05b-3b2c-4a7e-9a58-6f2f1f8f6d10";

    fn told(time: i64, boot: &str, up: u64) -> Moment {
        let time = Timestamp::from_micros(time);
        Moment {
            time,
            clock: Clock::new(boot, time, up),
        }
    }

    #[test]
    fn moments_of_one_boot_are_in_its_order_though_the_clock_was_set_back() {
        let all = [
            told(9_000, BOOT, 100),
            told(5_000, BOOT, 200),
            told(5_500, BOOT, 700),
        ];
        let times: Vec<i64> = straight(&all).iter().map(|time| time.micros()).collect();
        assert_eq!(times, [4_900, 5_000, 5_500]);
        assert!(all[0].is_surely_before(all[1]) && !all[1].is_surely_before(all[0]));
    }

    #[test]
    fn moments_of_several_boots_have_their_clocks_alone_and_prove_nothing() {
        let bare = Moment {
            time: Timestamp::from_micros(7_000),
            clock: None,
        };
        let all = [told(9_000, BOOT, 100), told(8_000, OTHER, 900), bare];
        let times: Vec<i64> = straight(&all).iter().map(|time| time.micros()).collect();
        assert_eq!(times, [9_000, 8_000, 7_000]);
        for (one, other) in [(0, 1), (1, 0), (2, 0), (0, 2)] {
            assert!(!all[one].is_surely_before(all[other]));
        }
        assert_eq!(Clock::new("b", Timestamp::from_micros(1), 1), None);
    }

    #[test]
    fn clocks_are_read_as_they_were_written() {
        for clock in [told(9_000, BOOT, 100), told(-5, OTHER, 70)] {
            let clock = clock.clock.unwrap();
            assert_eq!(clock.to_string().parse(), Ok(clock));
        }
        assert_eq!("7.7".parse::<Clock>(), Err(()));
    }
}
