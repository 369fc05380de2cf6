//! Times of groups. Most groups have one; they are listed by day, so that of a long span
//! only its ends are gone through one by one. The others have a first and a last.

use rusqlite::params;
use rusqlite::types::{Value as Sql, ValueRef};

use super::super::super::lists::{
    Class, DAY, Reader, SPREAD, Source, WITHIN, Whose, day_of, label, number_of,
};
use super::super::super::owners::Owner;
use super::super::super::rolls;
use super::super::super::sets::{Filling, Set};
use super::{Ground, Sets, Told};
use crate::filter::{Order, Test};
use crate::value::{Kind, Value};

/// Groups that are asked for their times one by one, rather than all gone through.
const FEW: u64 = if cfg!(test) { 2 } else { 20_000 };

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

    /// What can be said of a group of which the first and last time are these.
    fn judge(&self, group: i64, low: &str, high: &str, sets: &mut Sets) {
        let (from, to) = (self.from, self.to);
        let is_apart = !Span { from, to: None }.holds(high) || !Span { from: None, to }.holds(low);
        let is_within = self.holds(low) && self.holds(high);
        for (is_in, set) in [
            (!is_apart, &mut sets.could),
            (!is_within, &mut sets.not),
            (is_within, &mut sets.surely),
            (is_apart, &mut sets.surely_not),
        ] {
            if is_in {
                set.insert(group);
            }
        }
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

/// Whether a test holds for a time.
fn holds(test: &Test, time: &str) -> bool {
    match asked(test) {
        Some(span) => span.holds(time),
        None => test.ask(Some(&Value::text(time))) == Some(true),
    }
}

impl Ground<'_> {
    /// Sessions of whose beginning the test holds, and those of which it fails.
    pub(super) fn begun(&self, test: &Test, comparable: &[Class]) -> rusqlite::Result<Told> {
        let is_comparable = comparable.contains(&Class::Text);
        let mut judge = |cell: ValueRef<'_>| match cell.as_str() {
            Ok(time) => (holds(test, time), is_comparable),
            Err(_) => (false, false),
        };
        let judged = rolls::each(self.db, Owner::Session, "session_start", &mut judge)?;
        let rows = rolls::numbers(self.db, Owner::Session, "row")?;
        let (mut out, mut fails) = (Filling::default(), Filling::default());
        for (row, (holds, is_comparable)) in rows.into_iter().zip(judged) {
            if holds {
                out.insert(row);
            } else if is_comparable {
                fails.insert(row);
            }
        }
        Ok(Told {
            holds: out.done(),
            fails: fails.done(),
        })
    }

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
        let mut left = all;
        self.whole_days(&span, sets, &mut left)?;
        if left.count() > FEW {
            let sql = "SELECT id, time_min, time_max FROM _groups WHERE time_min <> time_max";
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let group = row.get(0)?;
                if left.contains(group) {
                    span.judge(
                        group,
                        row.get_ref(1)?.as_str()?,
                        row.get_ref(2)?.as_str()?,
                        sets,
                    );
                }
            }
            return Ok(());
        }
        let sql = "SELECT time_min, time_max FROM _groups WHERE id = ?";
        let mut statement = self.db.prepare_cached(sql)?;
        for group in left.iter() {
            let mut rows = statement.query([group])?;
            if let Some(row) = rows.next()? {
                span.judge(
                    group,
                    row.get_ref(0)?.as_str()?,
                    row.get_ref(1)?.as_str()?,
                    sets,
                );
            }
        }
        Ok(())
    }

    /// Judges groups whose times all lie in one day, where no end of the span does; the
    /// others are left.
    fn whole_days(&self, span: &Span<'_>, sets: &mut Sets, left: &mut Set) -> rusqlite::Result<()> {
        let mut reader = Reader::new(self.db)?;
        let sql = "SELECT id, value FROM _labels WHERE name = ?";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([WITHIN])?;
        while let Some(row) = rows.next()? {
            let day = row.get_ref(1)?.as_str()?;
            let mut ends = [span.from, span.to].into_iter().flatten();
            if ends.any(|(end, _)| day_of(end) == day) {
                continue;
            }
            let mut groups = Set::default();
            reader.take(number_of(row.get(0)?, Whose::Label), &mut groups)?;
            *left -= &groups;
            let both = if span.holds(day) {
                [&mut sets.could, &mut sets.surely]
            } else {
                [&mut sets.not, &mut sets.surely_not]
            };
            for set in both {
                *set |= &groups;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::engine::local::Local;
    use crate::engine::{Change, Engine, FileFacts, Looked, Query, What};
    use crate::filter::{Filter, Order, Span, Term, Test};
    use crate::groups::{Grouper, Place};
    use crate::value::Value;

    const TIMES: [&str; 9] = [
        "2026-01-01T00:00:00.000000+00:00",
        "2026-01-01T23:59:59.999999+00:00",
        "2026-01-02T00:00:00.000000+00:00",
        "2026-01-02T12:00:00.000000+00:00",
        "2026-01-04T12:00:00.000000+00:00",
        "2026-01-02",
        "2026",
        "gestern \u{fc}ber",
        "",
    ];

    fn facts(file: &str, times: &[&str]) -> FileFacts {
        let mut grouper = Grouper::new();
        for (number, time) in times.iter().enumerate() {
            let number = number as u64;
            let place = Place {
                line: number + 1,
                start: number,
                end: number + 1,
            };
            let (time, seed) = (format!("\"{time}\""), number.to_string());
            let members = [("timestamp", time.as_bytes()), ("seed", seed.as_bytes())];
            grouper.anew(place, members.into_iter());
        }
        FileFacts {
            file: file.to_owned(),
            scanned: true,
            format: Some("jsonl"),
            groups: grouper.finish(),
            ..FileFacts::default()
        }
    }

    fn times() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(&TIMES[..])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn spans_of_time_are_those_of_a_plain_loop(
            files in proptest::collection::vec(proptest::collection::vec(times(), 1..4), 1..9),
            asks in proptest::collection::vec((times(), 0usize..5, times(), any::<bool>()), 1..6),
        ) {
            let mut catalog = Local::in_memory().unwrap();
            let project = catalog.project("/p", "/p/artifacts").unwrap().id;
            for (place, times) in files.iter().enumerate() {
                let change = Change::File(Box::new(facts(&format!("f{place}"), times)));
                catalog.apply(project, &[change]).unwrap();
            }
            for (limit, how, other, is_not) in asks {
                let test = match how {
                    0 => Test::Order(Order::Less, Value::text(limit)),
                    1 => Test::Order(Order::AtMost, Value::text(limit)),
                    2 => Test::Order(Order::More, Value::text(limit)),
                    3 => Test::Order(Order::AtLeast, Value::text(limit)),
                    _ => Test::Between(Value::text(limit), Value::text(other)),
                };
                let term = Term { field: "timestamp".to_owned(), test: test.clone(), span: Span::default() };
                let filter = Filter::Term(term);
                let query = Query {
                    filter: if is_not { Filter::Not(Box::new(filter)) } else { filter },
                    project: Some(project),
                    what: What::Artifacts,
                    gone: false,
                    sort: ("file".to_owned(), true),
                    limit: None,
                    columns: Vec::new(),
                };
                let holds = |place: usize| {
                    files[place].iter().any(|time| test.ask(Some(&Value::text(*time))) == Some(!is_not))
                };
                let found = catalog.find(&query, &mut |stretch, _| Looked {
                    holds: holds(stretch.file[1..].parse().unwrap()),
                    unknown: false,
                }).unwrap();
                let truth = (0..files.len()).filter(|place| holds(*place)).count() as u64;
                prop_assert_eq!(found.total, truth, "{:?} NOT {}", test, is_not);
            }
        }
    }
}
