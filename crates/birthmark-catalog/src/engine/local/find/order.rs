//! The order of what was found: along an index or a field's lists where much was found and
//! little is wanted, else by the keys of all.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::super::lists::{Class, Reader, Source, Whose, metric, number_of};
use super::super::sets::Set;
use super::Asking;
use super::home::Home;
use crate::engine::Cell;

/// So many are sorted by their keys rather than looked for in an index.
const FEW: u64 = if cfg!(test) { 3 } else { 4_000 };

impl Asking<'_> {
    /// The artifacts in the order that was asked for, up to the limit. Those without the
    /// field come last, either way.
    pub(super) fn sorted(&self, found: &Set) -> rusqlite::Result<Vec<i64>> {
        let home = self.homes.of(&self.query.sort.0)?;
        if let Some(limit) = self.query.limit
            && found.count() > FEW
        {
            match &home {
                Home::Time | Home::Words => return self.along_days(found, limit),
                Home::Artifact("file") => return self.along("file", found, limit),
                _ => {}
            }
            if let Some(source) = source(&home)
                && (self.spread(&source)? & found).is_empty()
            {
                return self.along_lists(&source, found, limit);
            }
        }
        self.by_keys(&home, found)
    }

    /// Goes along the index of a column of artifacts, in each project.
    pub(super) fn along(
        &self,
        column: &str,
        found: &Set,
        limit: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        let mut out = self.along_part(column, "IS NOT NULL", &[], found, limit)?;
        if out.len() < limit {
            let left = limit - out.len();
            out.extend(self.along_part(column, "IS NULL", &[], found, left)?);
        }
        Ok(out)
    }

    /// The same among the values of which a condition holds, with its ends.
    pub(super) fn along_part(
        &self,
        column: &str,
        condition: &str,
        ends: &[Sql],
        found: &Set,
        limit: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        let way = self.way();
        // In these words each question is one walk along its index.
        let sql = if column == "file" {
            format!(
                "SELECT file, id FROM _artifacts WHERE project = ? AND ? < 9 AND file {condition} ORDER BY file {way}"
            )
        } else {
            format!(
                "SELECT timestamp, id FROM _artifacts WHERE project = ? AND there = ? AND timestamp {condition} ORDER BY timestamp {way}, id {way}"
            )
        };
        let mut keyed: Vec<(Sql, i64)> = Vec::new();
        for (project, there) in self.walks(column)? {
            let mut statement = self.db.prepare_cached(&sql)?;
            let values = [project, there].map(Sql::Integer).into_iter();
            let mut rows = statement.query(params_from_iter(values.chain(ends.to_vec())))?;
            let mut left = limit;
            while left > 0
                && let Some(row) = rows.next()?
            {
                let id = row.get(1)?;
                if found.contains(id) {
                    keyed.push((row.get(0)?, id));
                    left -= 1;
                }
            }
        }
        self.sort(&mut keyed);
        keyed.truncate(limit);
        Ok(keyed.into_iter().map(|(_, id)| id).collect())
    }

    /// The projects that are gone through, with what is there and what is not.
    fn walks(&self, column: &str) -> rusqlite::Result<Vec<(i64, i64)>> {
        let projects = self.projects()?;
        let there: &[i64] = if self.query.gone && column != "file" {
            &[1, 0]
        } else {
            &[1]
        };
        let pairs = projects.into_iter();
        Ok(pairs
            .flat_map(|project| there.iter().map(move |there| (project, *there)))
            .collect())
    }

    /// Goes along the values of a field, each with its list.
    fn along_lists(
        &self,
        source: &Source,
        found: &Set,
        limit: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        let sql = format!(
            "SELECT id, key FROM {} WHERE name = ? AND kind <> 'null' ORDER BY key {}",
            source.table(),
            self.way()
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([&source.name])?;
        let mut reader = Reader::new(self.db)?;
        let mut out = Vec::new();
        let (mut same, mut last) = (Set::default(), Vec::new());
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(1)?;
            // One number may be spelled in several ways.
            if key != last {
                self.put(&same, &mut out);
                (same, last) = (Set::default(), key);
                if out.len() >= limit {
                    break;
                }
            }
            let mut next = Set::default();
            reader.take(number_of(row.get(0)?, source.whose), &mut next)?;
            same |= &(next & found);
        }
        if out.len() < limit {
            self.put(&same, &mut out);
        }
        if out.len() < limit {
            let having = source.having(self.db, &Class::VALUES)?;
            self.put(&(found.clone() - &having), &mut out);
        }
        out.truncate(limit);
        Ok(out)
    }

    /// Adds what has the same key, in the order of its numbers.
    fn put(&self, same: &Set, out: &mut Vec<i64>) {
        let from = out.len();
        out.extend(same.iter());
        if !self.query.sort.1
            && let Some(added) = out.get_mut(from..)
        {
            added.reverse();
        }
    }

    pub(super) fn by_keys(&self, home: &Home, found: &Set) -> rusqlite::Result<Vec<i64>> {
        let (key, values) = sort_key(home);
        let mut statement = self
            .db
            .prepare_cached(&format!("SELECT {key} FROM _artifacts a WHERE a.id = ?"))?;
        // Of what varies within an artifact the least counts, and downwards the greatest.
        let spread = match source(home) {
            Some(source) => self.spread(&source)?,
            None => Set::default(),
        };
        let mut keyed = Vec::new();
        for id in found.iter() {
            if spread.contains(id)
                && let Some(key) = self.end_of(id)?
            {
                keyed.push((key, id));
                continue;
            }
            let all = values.iter().cloned().chain([Sql::Integer(id)]);
            let key: Sql = statement.query_row(params_from_iter(all), |row| row.get(0))?;
            keyed.push((key, id));
        }
        self.sort(&mut keyed);
        keyed.truncate(self.query.limit.unwrap_or(usize::MAX));
        Ok(keyed.into_iter().map(|(_, id)| id).collect())
    }

    /// Artifacts in which a field may have several values.
    fn spread(&self, source: &Source) -> rusqlite::Result<Set> {
        if source.whose != Whose::Group {
            return Ok(Set::default());
        }
        let whole = self.whole()?;
        Ok(whole.several() | &whole.artifacts_of(self.varying(&source.name)?))
    }

    /// The key of an artifact by the least or greatest of its values; none where they have no order.
    fn end_of(&self, artifact: i64) -> rusqlite::Result<Option<Sql>> {
        Ok(match self.cell(artifact, &self.query.sort.0)? {
            Cell::Range(low, high) => {
                let end = if self.query.sort.1 { low } else { high };
                Some(Sql::Blob(end.key()))
            }
            Cell::Values(values) => {
                let end = if self.query.sort.1 {
                    values.first()
                } else {
                    values.last()
                };
                end.map(|end| Sql::Blob(end.key()))
            }
            Cell::Value(value) if !value.is_null() => Some(Sql::Blob(value.key())),
            _ => None,
        })
    }

    fn sort(&self, keyed: &mut [(Sql, i64)]) {
        let upwards = self.query.sort.1;
        keyed.sort_by(|a, b| {
            let nulls = (a.0 == Sql::Null).cmp(&(b.0 == Sql::Null));
            let mut order = compare(&a.0, &b.0).then(a.1.cmp(&b.1));
            if !upwards {
                order = order.reverse();
            }
            nulls.then(order)
        });
    }

    pub(super) fn way(&self) -> &'static str {
        if self.query.sort.1 { "ASC" } else { "DESC" }
    }
}

/// The lists of a field, where it has any.
pub(super) fn source(home: &Home) -> Option<Source> {
    match home {
        Home::Fact(name) => Some(Source::new(name.as_str(), Whose::Group)),
        Home::Session(name) => Some(Source::new(name.as_str(), Whose::Machine)),
        Home::Metric(name) => Some(Source::new(metric(name), Whose::Label)),
        Home::Artifact(name @ ("format" | "state" | "size" | "records")) => {
            Some(Source::new(*name, Whose::Label))
        }
        _ => None,
    }
}

fn sort_key(home: &Home) -> (String, Vec<Sql>) {
    let of_mark = |mark: &str, name: &str| {
        (
            format!(
                "(SELECT f.key FROM _mark_facts m JOIN _facts f ON f.id = m.fact WHERE m.mark = {mark} AND f.name = ? AND f.kind <> 'null')"
            ),
            vec![Sql::Text(name.to_owned())],
        )
    };
    match home {
        Home::Time | Home::Words => ("a.timestamp".to_owned(), vec![]),
        Home::Artifact(column) | Home::Group(column) => (format!("a.{column}"), vec![]),
        // Sessions and runs are sorted by their rows.
        Home::Own(_) => ("NULL".to_owned(), vec![]),
        Home::Project => (
            "(SELECT root FROM _projects WHERE id = a.project)".to_owned(),
            vec![],
        ),
        Home::Fact(name) => of_mark("a.mark", name),
        Home::Metric(name) => (
            "(SELECT key FROM _metrics x WHERE x.artifact = a.id AND x.name = ? AND x.kind <> 'null')"
                .to_owned(),
            vec![Sql::Text(name.clone())],
        ),
        Home::Session(name) => of_mark(
            "(SELECT s.mark FROM _sessions s WHERE s.session_id = a.session_id ORDER BY s.id LIMIT 1)",
            name,
        ),
    }
}

fn compare(a: &Sql, b: &Sql) -> std::cmp::Ordering {
    match (a, b) {
        (Sql::Integer(a), Sql::Integer(b)) => a.cmp(b),
        (Sql::Text(a), Sql::Text(b)) => a.cmp(b),
        (Sql::Blob(a), Sql::Blob(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::local::Local;
    use crate::engine::{Change, Engine, FileFacts, Query, What};
    use crate::filter::Filter;
    use crate::groups::{Grouper, Place};
    use crate::value::Value;

    /// A report with a seed, a time (of three days, or none), a metric, and a size.
    fn facts(number: usize, (seed, time, size): (Option<u8>, u8, u8)) -> FileFacts {
        let mut grouper = Grouper::new();
        let (day, minute) = (time % 4, time / 4);
        let time = format!("\"2026-01-0{day}T00:{minute:02}:00.000000+00:00\"");
        let seed = seed.map(|seed| {
            if seed % 3 == 0 {
                format!("{seed}.0")
            } else {
                seed.to_string()
            }
        });
        let mut members: Vec<(&str, &[u8])> = Vec::new();
        members.extend((day > 0).then_some(("timestamp", time.as_bytes())));
        members.extend(seed.as_ref().map(|seed| ("seed", seed.as_bytes())));
        let place = Place {
            line: 1,
            start: 0,
            end: 1,
        };
        grouper.anew(place, members.into_iter());
        FileFacts {
            file: format!("f{}.json", (number * 37) % 101),
            scanned: true,
            size: u64::from(size),
            format: Some("report"),
            groups: grouper.finish(),
            metrics: vec![("score".to_owned(), Value::count(u64::from(size % 4)))],
            ..FileFacts::default()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_way_gives_the_order_of_the_keys(
            all in proptest::collection::vec((proptest::option::of(0u8..6), 0u8..16, 0u8..9), 5..40),
            limit in 1usize..12,
            upwards: bool,
            everywhere: bool,
        ) {
            let mut catalog = Local::in_memory().unwrap();
            let first = catalog.project("/p", "/p/artifacts").unwrap().id;
            let second = catalog.project("/q", "/q/artifacts").unwrap().id;
            for (number, one) in all.iter().enumerate() {
                let change = Change::File(Box::new(facts(number, *one)));
                catalog.apply(if number % 4 == 0 { second } else { first }, &[change]).unwrap();
            }
            for field in ["timestamp", "file", "seed", "score", "size", "format", "state", "nothing"] {
                let query = Query {
                    filter: Filter::All,
                    project: (!everywhere).then_some(first),
                    what: What::Artifacts,
                    gone: false,
                    sort: (field.to_owned(), upwards),
                    limit: Some(limit),
                    columns: Vec::new(),
                };
                let asking = Asking::new(&catalog.opened.connection, &query);
                let found = asking.here().unwrap();
                let place = asking.homes.of(field).unwrap();
                let truth = asking.by_keys(&place, &found).unwrap();
                prop_assert_eq!(asking.sorted(&found).unwrap(), truth, "{} {}", field, found.count());
            }
        }
    }
}
