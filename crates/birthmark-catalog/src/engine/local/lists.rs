//! Lists: for each value of a field, the groups of records that have it, as a set.
//!
//! The number of a list says whose it is: of a *fact* it is told in which groups it stands,
//! of which groups the session has it, and which sessions have it themselves; of a *label*
//! (whatever else is asked for: a column of the artifact, a metric, a day, a project) in
//! which groups it is true. A label `has` says for a field which groups have a value of
//! which class: so what lacks a field is known without a look at its values.
//!
//! # Invariants
//!
//! * Groups that differ in a field are in no list of it: that is for their zones to tell.

use rusqlite::{CachedStatement, Connection, params};

use super::sets::Set;
use crate::value::{Kind, NAN, Value};

/// Whose list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// Groups whose records have the fact.
    Group = 0,
    /// Groups whose session has the fact.
    Machine = 1,
    /// Sessions that have the fact.
    Session = 2,
    /// Groups with the label.
    Label = 3,
}

/// The number of a list, from that of its fact or label.
pub(super) fn number_of(id: i64, whose: Whose) -> i64 {
    id * 4 + whose as i64
}

/// The number of a fact or label, from that of its list.
pub(super) fn id_of(list: i64) -> i64 {
    list / 4
}

/// Bits of the key of a stretch that say which of its list it is.
const STRETCHES: u32 = 26;

/// The row of `_postings` that holds a stretch of a list.
pub(super) fn row_of(list: i64, stretch: i64) -> i64 {
    (list << STRETCHES) | stretch
}

/// The first and the last row that a list may have.
pub(super) fn rows_of(list: i64) -> [i64; 2] {
    [row_of(list, 0), row_of(list, (1 << STRETCHES) - 1)]
}

/// The list and the stretch of a row.
pub(super) fn place_of_row(row: i64) -> (i64, i64) {
    (row >> STRETCHES, row & ((1 << STRETCHES) - 1))
}

/// The project of an artifact, and whether it is there.
pub(super) const HERE: &str = "here";
/// The beginning of a group's time, where all of its records have the same one.
pub(super) const DAY: &str = "day";
/// Groups whose records have several times.
pub(super) const SPREAD: &str = "spread";
/// Of these, the day in which all of their times lie.
pub(super) const WITHIN: &str = "within";
/// The day of an artifact's own time, the last of all of its records.
pub(super) const LAST: &str = "last";
/// A class of values that a field has.
pub(super) const HAS: &str = "has";

/// The label of a metric.
pub(super) fn metric(name: &str) -> String {
    format!("metric.{name}")
}

/// The label value of artifacts of a project that are there, or not.
pub(super) fn here(project: i64, there: i64) -> String {
    format!("{project}.{there}")
}

/// The first ten bytes of a time, by which times sort as they do; none of what does not
/// begin with ten letters of ASCII.
pub(super) fn day_of(time: &str) -> &str {
    match time.get(..time.len().min(10)) {
        Some(day) if day.is_ascii() => day,
        _ => "",
    }
}

/// Values that a test treats alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Null,
    Boolean,
    Number,
    Nan,
    Text,
    Nested,
}

impl Class {
    /// All but null.
    pub(super) const VALUES: [Self; 5] = [
        Self::Boolean,
        Self::Number,
        Self::Nan,
        Self::Text,
        Self::Nested,
    ];

    pub(super) fn of(kind: Kind, key: &[u8]) -> Self {
        match kind {
            Kind::Null => Self::Null,
            Kind::Boolean => Self::Boolean,
            Kind::Number if key == [NAN] => Self::Nan,
            Kind::Number => Self::Number,
            Kind::Text => Self::Text,
            Kind::Json => Self::Nested,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Null => '0',
            Self::Boolean => 'b',
            Self::Number => 'n',
            Self::Nan => 'x',
            Self::Text => 't',
            Self::Nested => 'j',
        }
    }
}

/// Where values of a field are listed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) whose: Whose,
}

impl Source {
    pub(super) fn new(name: impl Into<String>, whose: Whose) -> Self {
        Self {
            name: name.into(),
            whose,
        }
    }

    pub(super) fn table(&self) -> &'static str {
        match self.whose {
            Whose::Label => "_labels",
            _ => "_facts",
        }
    }

    /// The value of the label `has` for this field and class.
    pub(super) fn class(&self, class: Class) -> String {
        format!("{}{}{}", self.whose as i64, class.letter(), self.name)
    }

    /// All groups that have a value of one of these classes.
    pub(super) fn having(&self, db: &Connection, classes: &[Class]) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        for class in classes {
            out |= &label(db, HAS, &self.class(*class))?;
        }
        Ok(out)
    }

    /// Whether any group has a value.
    pub(super) fn is_used(&self, db: &Connection) -> rusqlite::Result<bool> {
        for class in [Class::Null].iter().chain(&Class::VALUES) {
            if let Some(id) = label_id(db, HAS, &self.class(*class))? {
                let list = number_of(id, Whose::Label);
                let sql = "SELECT EXISTS (SELECT 1 FROM _postings WHERE row BETWEEN ? AND ?)";
                if db
                    .prepare_cached(sql)?
                    .query_row(rows_of(list), |row| row.get(0))?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The number of a label.
pub(super) fn label_id(db: &Connection, name: &str, value: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement =
        db.prepare_cached("SELECT id FROM _labels WHERE name = ? AND key = ? AND value = ?")?;
    let mut rows = statement.query(params![name, Value::text(value).key(), value])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// The groups with a label.
pub(super) fn label(db: &Connection, name: &str, value: &str) -> rusqlite::Result<Set> {
    let mut out = Set::default();
    if let Some(id) = label_id(db, name, value)? {
        Reader::new(db)?.take(number_of(id, Whose::Label), &mut out)?;
    }
    Ok(out)
}

/// Reads lists.
pub(super) struct Reader<'a>(CachedStatement<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT row, bits FROM _postings WHERE row BETWEEN ? AND ?";
        Ok(Self(db.prepare_cached(sql)?))
    }

    /// Whether a list has a number that the set has too.
    pub(super) fn meets(&mut self, list: i64, set: &Set) -> rusqlite::Result<bool> {
        let mut rows = self.0.query(rows_of(list))?;
        while let Some(row) = rows.next()? {
            if set.meets(place_of_row(row.get(0)?).1, row.get_ref(1)?.as_blob()?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a list into a set.
    pub(super) fn take(&mut self, list: i64, out: &mut Set) -> rusqlite::Result<()> {
        let mut rows = self.0.query(rows_of(list))?;
        while let Some(row) = rows.next()? {
            out.take(place_of_row(row.get(0)?).1, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }
}
