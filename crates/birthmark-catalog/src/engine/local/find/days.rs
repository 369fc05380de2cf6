//! The newest, or oldest, of what was found: day by day, so that what lies between is not gone
//! through, however long ago it was made.

use rusqlite::types::Value as Sql;

use super::super::lists::{LAST, Reader, Whose, label, number_of};
use super::super::sets::Set;
use super::Asking;
use super::home::Home;

/// A day with so many more than were found is not gone through; those are sorted by their keys.
const MANY: u64 = 8;

impl Asking<'_> {
    /// The artifacts in the order of their times, up to the limit; those without come last.
    pub(super) fn along_days(&self, found: &Set, limit: usize) -> rusqlite::Result<Vec<i64>> {
        if !(label(self.db, LAST, "")? & found).is_empty() {
            // Of what is no usual time no day is known.
            return self.along("timestamp", found, limit);
        }
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT id, value FROM _labels WHERE name = ? ORDER BY key {}",
            self.way()
        ))?;
        let mut rows = statement.query([LAST])?;
        let mut reader = Reader::new(self.db)?;
        let (mut out, mut left) = (Vec::new(), found.clone());
        while out.len() < limit
            && let Some(row) = rows.next()?
        {
            let list = number_of(row.get(0)?, Whose::Label);
            if !reader.meets(list, found)? {
                continue;
            }
            let mut day = Set::default();
            reader.take(list, &mut day)?;
            let all = day.count();
            let these = day & found;
            left -= &these;
            let name: String = row.get(1)?;
            out.extend(self.of_day(&name, &these, all, limit - out.len())?);
        }
        if out.len() < limit {
            let mut timeless: Vec<i64> = left.iter().collect();
            if !self.query.sort.1 {
                timeless.reverse();
            }
            out.extend(timeless);
            out.truncate(limit);
        }
        Ok(out)
    }

    /// The first of one day, in which there are so many in all.
    fn of_day(&self, day: &str, these: &Set, all: u64, limit: usize) -> rusqlite::Result<Vec<i64>> {
        if these.count() * MANY >= all
            && let Some(end) = after(day)
        {
            let ends = [day.to_owned(), end].map(Sql::Text);
            let condition = ">= ? AND timestamp < ?";
            return self.along_part("timestamp", condition, &ends, these, limit);
        }
        let mut ids = self.by_keys(&Home::Time, these)?;
        ids.truncate(limit);
        Ok(ids)
    }
}

/// The first text of ASCII that no longer begins so.
fn after(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let last = bytes.last_mut().filter(|last| **last < 0x7F)?;
    *last += 1;
    String::from_utf8(bytes).ok()
}
