//! Which rows have a value for which a test holds: by their lists, or by their columns.

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{params, params_from_iter};

use super::super::super::lists::{Class, HAS, Reader, Source, Whose, here, label, number_of};
use super::super::super::names::{self, Named};
use super::super::super::owners::{self, Owner};
use super::super::super::rolls;
use super::super::super::sets::Set;
use super::super::home::Home;
use super::super::whole;
use super::{Ground, Of};
use crate::filter::{Order, Test};
use crate::value::{Kind, NAN, NESTED, NUMBERS, TEXTS, Value};

impl Ground<'_> {
    /// All rows that are listed for a value of this source for which the test holds.
    pub(super) fn matching(&self, source: &Source, test: &Test) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        let (condition, values) = match test {
            Test::Order(order, limit) => {
                let end = Some((limit.key(), order.fits(std::cmp::Ordering::Equal)));
                let ends = match order {
                    Order::Less | Order::AtMost => [None, end],
                    Order::More | Order::AtLeast => [end, None],
                };
                return self.between(source, limit.kind(), ends);
            }
            Test::Between(low, high) => {
                let ends = [Some((low.key(), true)), Some((high.key(), true))];
                return self.between(source, low.kind(), ends);
            }
            Test::Contains(part) if is_of_sessions(source) && !part.is_empty() => {
                let numbers = names::containing(self.db, Named::Session, part)?;
                return owners::groups_of(self.db, Owner::Session, &numbers);
            }
            _ => match of_key(test) {
                Some(condition) => condition,
                None => return Ok(out),
            },
        };
        let mut reader = Reader::new(self.db)?;
        let sql = format!(
            "SELECT id FROM {} WHERE name = ? AND {condition}",
            source.table()
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let all = std::iter::once(Sql::Text(source.name.clone())).chain(values);
        let mut rows = statement.query(params_from_iter(all))?;
        while let Some(row) = rows.next()? {
            reader.take(number_of(row.get(0)?, source.whose), &mut out)?;
        }
        if matches!(test, Test::Equal(_)) {
            let mut lists = self.db.prepare_cached(&format!(
                "SELECT id, value FROM {} WHERE name = ? AND key >= ?",
                source.table()
            ))?;
            let mut rows = lists.query(params![source.name, [NESTED]])?;
            while let Some(row) = rows.next()? {
                if test.ask(Some(&Value::of_json(row.get_ref(1)?.as_str()?.as_bytes())))
                    == Some(true)
                {
                    reader.take(number_of(row.get(0)?, source.whose), &mut out)?;
                }
            }
        }
        Ok(out)
    }

    /// All rows listed for a value between these ends, each of which may be in it. What lies
    /// between and what lies outside are gone through in turns, till one comes to its end:
    /// where nearly all lies between, it is all but what lies outside.
    fn between(
        &self,
        source: &Source,
        kind: Kind,
        [low, high]: [Option<(Vec<u8>, bool)>; 2],
    ) -> rusqlite::Result<Set> {
        let (floor, ceiling) = span_of(kind);
        let (low, above, below) = match low {
            Some((low, true)) => (low, ">=", "<"),
            Some((low, false)) => (low, ">", "<="),
            None => (floor.clone(), ">=", "<"),
        };
        let (high, until, beyond) = match high {
            Some((high, true)) => (high, "<=", ">"),
            Some((high, false)) => (high, "<", ">="),
            None => (ceiling.clone(), "<", ">="),
        };
        let table = source.table();
        let mut inside = self.db.prepare_cached(&format!(
            "SELECT id FROM {table} WHERE name = ?1 AND key {above} ?2 AND key {until} ?3 AND key >= ?4 AND key < ?5"
        ))?;
        let mut outside = self.db.prepare_cached(&format!(
            "SELECT id FROM {table} WHERE name = ?1 AND key >= ?4 AND key {below} ?2 AND key < ?5
             UNION ALL SELECT id FROM {table} WHERE name = ?1 AND key {beyond} ?3 AND key < ?5 AND key >= ?4"
        ))?;
        let ends = params![source.name, low, high, floor, ceiling];
        let (mut inside, mut outside) = (inside.query(ends)?, outside.query(ends)?);
        let (mut these, mut others) = (Vec::new(), Vec::new());
        let few = loop {
            let Some(row) = inside.next()? else {
                break these;
            };
            these.push(row.get(0)?);
            let Some(row) = outside.next()? else {
                let class = if kind == Kind::Number {
                    Class::Number
                } else {
                    Class::Text
                };
                let all = source.having(self.db, &[class])?;
                return Ok(all - &self.listed(source, &others)?);
            };
            others.push(row.get(0)?);
        };
        self.listed(source, &few)
    }

    fn listed(&self, source: &Source, ids: &[i64]) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        let mut reader = Reader::new(self.db)?;
        for id in ids {
            reader.take(number_of(*id, source.whose), &mut out)?;
        }
        Ok(out)
    }

    /// The same for what no list has: files, digests, projects, and columns of sessions.
    pub(super) fn matching_apart(&self, home: &Home, test: &Test) -> rusqlite::Result<Set> {
        match (self.of, home) {
            (Of::Groups, Home::Artifact("file")) => {
                let artifacts = self.files(test)?;
                whole::groups_of(self.db, artifacts)
            }
            (Of::Groups, Home::Artifact(column @ ("digest" | "content_digest"))) => {
                let artifacts = self.column("_artifacts", column, test)?;
                whole::groups_of(self.db, artifacts)
            }
            (_, Home::Project) => self.projects(test),
            (Of::Groups, Home::Time) => self.times(test),
            (Of::Sessions, Home::Group("session_id")) if matches!(test, Test::Contains(part) if !part.is_empty()) =>
            {
                let Test::Contains(part) = test else {
                    return Ok(Set::default());
                };
                let named = names::containing(self.db, Named::Session, part)?;
                rolls::those(self.db, Owner::Session, "row", "number", &mut |cell| {
                    cell.as_i64().is_ok_and(|number| named.contains(number))
                })
            }
            (Of::Sessions, Home::Group("session_id")) => {
                self.column("_sessions", "session_id", test)
            }
            _ => Ok(Set::default()),
        }
    }

    /// All rows that have such a value, of what no list has.
    pub(super) fn having_apart(&self, home: &Home, classes: &[Class]) -> rusqlite::Result<Set> {
        if let Home::Own(own) = home {
            return Ok(self.owned(own, &|_| false, classes)?.1);
        }
        if !classes.contains(&Class::Text) {
            return Ok(Set::default());
        }
        match (self.of, home) {
            (Of::Groups, Home::Artifact(column @ ("digest" | "content_digest"))) => {
                let class = Source::new(*column, Whose::Label).class(Class::Text);
                label(self.db, HAS, &class)
            }
            (Of::Groups, Home::Time) => self.timed(),
            (Of::Groups, Home::Artifact("file"))
            | (_, Home::Project)
            | (Of::Sessions, Home::Group("session_id")) => Ok(self.all.clone()),
            (Of::Sessions, Home::Time) => rolls::those(
                self.db,
                Owner::Session,
                "row",
                "session_start",
                &mut |cell| cell != ValueRef::Null,
            ),
            _ => Ok(Set::default()),
        }
    }

    fn files(&self, test: &Test) -> rusqlite::Result<Set> {
        match test {
            Test::Contains(part) if !part.is_empty() => {
                names::containing(self.db, Named::Artifact, part)
            }
            Test::Equal(wanted) => {
                let mut out = Set::default();
                for value in wanted.iter().filter(|value| value.kind() == Kind::Text) {
                    let file = Sql::Text(value.as_str().to_owned());
                    out |= &self.numbers(
                        "SELECT a.id FROM _projects p CROSS JOIN _artifacts a ON a.project = p.id AND a.file = ?",
                        [file],
                    )?;
                }
                Ok(out)
            }
            _ => self.column("_artifacts", "file", test),
        }
    }

    /// Rows of a table whose column of texts fits.
    fn column(
        &self,
        table: &'static str,
        column: &'static str,
        test: &Test,
    ) -> rusqlite::Result<Set> {
        match test {
            Test::Equal(wanted) => {
                let marks = vec!["?"; wanted.len()].join(", ");
                let texts = wanted.iter().filter(|value| value.kind() == Kind::Text);
                let values: Vec<Sql> = texts
                    .map(|value| Sql::Text(value.as_str().to_owned()))
                    .collect();
                let marks = marks
                    .get(..(3 * values.len()).saturating_sub(2))
                    .unwrap_or("");
                self.numbers(
                    &format!("SELECT id FROM {table} WHERE {column} IN ({marks})"),
                    values,
                )
            }
            Test::Begins(starts) => {
                let mut out = Set::default();
                for start in starts {
                    let high = String::from_utf8(after(start.clone().into_bytes()))
                        .unwrap_or_else(|_| format!("{start}\u{10FFFF}"));
                    out |= &self.numbers(
                        &format!("SELECT id FROM {table} WHERE {column} >= ? AND {column} < ?"),
                        [Sql::Text(start.clone()), Sql::Text(high)],
                    )?;
                }
                Ok(out)
            }
            _ => self.each(
                &format!("SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"),
                test,
            ),
        }
    }

    /// Rows, each with a text, for which the test holds.
    pub(super) fn each(&self, sql: &str, test: &Test) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if test.ask(Some(&Value::text(row.get::<_, String>(1)?))) == Some(true) {
                out.insert(row.get(0)?);
            }
        }
        Ok(out)
    }

    fn projects(&self, test: &Test) -> rusqlite::Result<Set> {
        let mut statement = self.db.prepare_cached("SELECT id, root FROM _projects")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut out = Set::default();
        for row in rows {
            let (project, root): (i64, String) = row?;
            if test.ask(Some(&Value::text(root))) != Some(true) {
                continue;
            }
            if self.of == Of::Sessions {
                let sql = "SELECT id FROM _sessions WHERE project = ?";
                let mut sessions = self.db.prepare_cached(sql)?;
                let rows = sessions.query_map(params![project], |row| row.get(0))?;
                out |= &rows.collect::<rusqlite::Result<Set>>()?;
                continue;
            }
            for there in 0..2 {
                out |= &label(
                    self.db,
                    super::super::super::lists::HERE,
                    &here(project, there),
                )?;
            }
        }
        Ok(out)
    }
}

/// Whether these are the ids of sessions, which lie beside each other as names do.
fn is_of_sessions(source: &Source) -> bool {
    source.whose == Whose::Label && source.name == Owner::Session.field()
}

/// A condition on `key` and `value`, for values of which a test holds.
fn of_key(test: &Test) -> Option<(String, Vec<Sql>)> {
    let blobs = |keys: Vec<Vec<u8>>| keys.into_iter().map(Sql::Blob).collect();
    Some(match test {
        Test::Has | Test::IsNull | Test::Order(..) | Test::Between(..) => return None,
        Test::Equal(wanted) => {
            let keys: Vec<Vec<u8>> = wanted
                .iter()
                .filter(|value| !value.is_null())
                .map(Value::key)
                .collect();
            let marks = vec!["?"; keys.len()].join(", ");
            (format!("key IN ({marks})"), blobs(keys))
        }
        Test::Begins(starts) => {
            let any = vec!["(key >= ? AND key < ?)"; starts.len()].join(" OR ");
            let ends = starts.iter().flat_map(|start| {
                let (low, high) = beginning(start);
                [low, high]
            });
            (format!("({any})"), blobs(ends.collect()))
        }
        Test::Contains(part) => (
            "key <> ? AND bm_contains(value, ?)".to_owned(),
            vec![Sql::Blob(Value::null().key()), Sql::Text(part.clone())],
        ),
    })
}

/// The keys between which whatever is asked for must lie, where that can be told; what lists
/// hold lies apart.
pub(super) fn reach(test: &Test) -> Option<(Vec<u8>, Vec<u8>)> {
    let (floor, ceiling) = match test {
        Test::Order(_, limit) => span_of(limit.kind()),
        _ => span_of(Kind::Text),
    };
    match test {
        Test::Equal(wanted) => {
            let keys: Vec<Vec<u8>> = wanted.iter().map(Value::key).collect();
            Some((keys.iter().min()?.clone(), keys.iter().max()?.clone()))
        }
        Test::Begins(starts) => {
            let low = starts.iter().min()?;
            let high = starts.iter().max()?;
            Some((
                Value::text(low.as_str()).key(),
                after(Value::text(high.as_str()).key()),
            ))
        }
        Test::Order(Order::Less | Order::AtMost, limit) => Some((floor, limit.key())),
        Test::Order(Order::More | Order::AtLeast, limit) => Some((limit.key(), ceiling)),
        Test::Between(low, high) => Some((low.key(), high.key())),
        Test::Has | Test::IsNull | Test::Contains(_) => None,
    }
}

/// The keys between which all values of a kind lie.
fn span_of(kind: Kind) -> (Vec<u8>, Vec<u8>) {
    match kind {
        Kind::Number => (vec![NUMBERS], vec![NAN]),
        _ => (vec![TEXTS], vec![NESTED]),
    }
}

/// The keys of texts that begin so: from the first, up to the second.
pub(in crate::engine::local) fn beginning(text: &str) -> (Vec<u8>, Vec<u8>) {
    let low = Value::text(text).key();
    let high = after(low.clone());
    (low, high)
}

/// The first bytes that no longer begin with these.
fn after(mut bytes: Vec<u8>) -> Vec<u8> {
    while let Some(last) = bytes.pop() {
        if last < 0xFF {
            bytes.push(last + 1);
            return bytes;
        }
    }
    vec![0xFF; 8]
}
