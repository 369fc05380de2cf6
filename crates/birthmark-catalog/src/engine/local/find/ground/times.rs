//! Times of groups. Most groups have one; they are listed by day, so that of a long span
//! only its ends are gone through one by one. The others have a first and a last.

use rusqlite::params;
use rusqlite::types::Value as Sql;

use super::super::super::lists::{
    Class, DAY, Reader, SPREAD, Source, Whose, day_of, label, number_of,
};
use super::super::super::sets::Set;
use super::{Ground, Sets};
use crate::filter::{Order, Test};
use crate::value::{Kind, Value};

/// From where to where; each end is in it, or not.
#[derive(Debug, Clone, Copy)]
struct Span<'a> {
    from: Option<(&'a str, bool)>,
    to: Option<(&'a str, bool)>,
}

impl Span<'_> {
    fn holds(&self, time: &str) -> bool {
        let is_after = self
            .from
            .is_none_or(|(end, is_in)| time > end || (is_in && time == end));
        let is_before = self
            .to
            .is_none_or(|(end, is_in)| time < end || (is_in && time == end));
        is_after && is_before
    }
}

/// The span of which a test asks, where it asks for one.
fn asked(test: &Test) -> Option<Span<'_>> {
    let is_text = |value: &'_ Value| value.kind() == Kind::Text;
    match test {
        Test::Order(order, limit) if is_text(limit) => {
            let end = |is_in| Some((limit.as_str(), is_in));
            let (from, to) = match order {
                Order::Less => (None, end(false)),
                Order::AtMost => (None, end(true)),
                Order::More => (end(false), None),
                Order::AtLeast => (end(true), None),
            };
            Some(Span { from, to })
        }
        Test::Between(low, high) if is_text(low) && is_text(high) => Some(Span {
            from: Some((low.as_str(), true)),
            to: Some((high.as_str(), true)),
        }),
        _ => None,
    }
}

impl Ground<'_> {
    /// Groups with a time, or with several.
    pub(super) fn timed(&self) -> rusqlite::Result<Set> {
        let one = Source::new(DAY, Whose::Label).having(self.db, &[Class::Text])?;
        Ok(one | &label(self.db, SPREAD, "")?)
    }

    /// Groups of one time for which the test holds.
    pub(super) fn times(&self, test: &Test) -> rusqlite::Result<Set> {
        match test {
            Test::Has | Test::IsNull => Ok(Set::default()),
            Test::Order(..) | Test::Between(..) => match asked(test) {
                Some(span) => self.within(&span),
                None => Ok(Set::default()),
            },
            Test::Equal(wanted) => {
                let mut out = Set::default();
                for value in wanted.iter().filter(|value| value.kind() == Kind::Text) {
                    let end = Some((value.as_str(), true));
                    out |= &self.in_turn(&Span { from: end, to: end })?;
                }
                Ok(out)
            }
            Test::Begins(_) | Test::Contains(_) => self.each(
                "SELECT id, time_max FROM _groups WHERE time_min = time_max",
                test,
            ),
        }
    }

    fn within(&self, span: &Span<'_>) -> rusqlite::Result<Set> {
        let mut ends = [span.from, span.to].into_iter().flatten();
        if ends.any(|(time, _)| day_of(time).is_empty()) {
            return self.in_turn(span);
        }
        let mut out = Set::default();
        let key = |end: Option<(&str, bool)>, none: Vec<u8>| {
            end.map_or(none, |(time, _)| Value::text(day_of(time)).key())
        };
        // Days of which all is in it.
        let mut reader = Reader::new(self.db)?;
        let mut statement = self.db.prepare_cached(
            "SELECT id FROM _labels WHERE name = ? AND key > ? AND key < ? AND value <> ''",
        )?;
        let (from, to) = (key(span.from, vec![]), key(span.to, vec![0xFF]));
        let mut rows = statement.query(params![DAY, from, to])?;
        while let Some(row) = rows.next()? {
            reader.take(number_of(row.get(0)?, Whose::Label), &mut out)?;
        }
        // The days of its ends, in which only some may be.
        for end in [span.from, span.to].into_iter().flatten() {
            let day = day_of(end.0);
            let last = format!("{day}\u{10FFFF}");
            let from = span
                .from
                .filter(|(from, _)| *from >= day)
                .unwrap_or((day, true));
            let to = span
                .to
                .filter(|(to, _)| *to <= last.as_str())
                .unwrap_or((last.as_str(), true));
            out |= &self.in_turn(&Span {
                from: Some(from),
                to: Some(to),
            })?;
        }
        // What is no usual time is in a day of its own.
        for group in label(self.db, DAY, "")?.iter() {
            let sql = "SELECT time_max FROM _groups WHERE id = ?";
            let time: String = self
                .db
                .prepare_cached(sql)?
                .query_row([group], |row| row.get(0))?;
            if span.holds(&time) {
                out.insert(group);
            }
        }
        Ok(out)
    }

    /// The groups of a span, one after the other.
    fn in_turn(&self, span: &Span<'_>) -> rusqlite::Result<Set> {
        let mut sql = "SELECT id FROM _groups WHERE time_min = time_max".to_owned();
        let mut values = Vec::new();
        for (end, sign) in [(span.from, '>'), (span.to, '<')] {
            if let Some((time, is_in)) = end {
                let or_equal = if is_in { "=" } else { "" };
                sql.push_str(&format!(" AND time_max {sign}{or_equal} ?"));
                values.push(Sql::Text(time.to_owned()));
            }
        }
        self.numbers(&sql, values)
    }

    /// Adds the groups of several times.
    pub(super) fn spread(&self, test: &Test, sets: &mut Sets) -> rusqlite::Result<()> {
        let all = label(self.db, SPREAD, "")?;
        if all.is_empty() || matches!(test, Test::Has | Test::IsNull) {
            return Ok(());
        }
        sets.surely_not -= &all;
        if matches!(test, Test::Equal(_) | Test::Begins(_) | Test::Contains(_)) {
            // Only a look at both ends, or into the file, knows.
            sets.could |= &all;
            sets.not |= &all;
            return Ok(());
        }
        sets.not -= &all;
        let Some(span) = asked(test) else {
            return Ok(());
        };
        let mut statement = self.db.prepare_cached(
            "SELECT id, time_min, time_max FROM _groups WHERE time_min <> time_max",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let group: i64 = row.get(0)?;
            let (low, high) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
            let is_apart = !Span {
                from: span.from,
                to: None,
            }
            .holds(high)
                || !Span {
                    from: None,
                    to: span.to,
                }
                .holds(low);
            let is_within = span.holds(low) && span.holds(high);
            let (yes, no) = (!is_apart, !is_within);
            for (is_in, set) in [
                (yes, &mut sets.could),
                (no, &mut sets.not),
                (is_within, &mut sets.surely),
                (is_apart, &mut sets.surely_not),
            ] {
                if is_in {
                    set.insert(group);
                }
            }
        }
        Ok(())
    }
}
