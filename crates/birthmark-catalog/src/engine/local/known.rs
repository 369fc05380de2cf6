//! The names that a project knows: of fields and of metrics.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use rusqlite::Connection;

use super::lists::{Class, HAS, HERE, Reader, Source, Whose, here, label, label_id, number_of};
use super::rolls;
use super::sets::Set;
use super::sql::{COLUMNS, names, names_in};

/// What belongs to a project: its groups, whether there or not, and its sessions.
pub(super) struct Ours {
    project: i64,
    groups: Set,
    sessions: OnceCell<Set>,
}

impl Ours {
    pub(super) fn of(db: &Connection, project: i64) -> rusqlite::Result<Self> {
        let mut groups = label(db, HERE, &here(project, 0))?;
        groups |= &label(db, HERE, &here(project, 1))?;
        Ok(Self {
            project,
            groups,
            sessions: OnceCell::new(),
        })
    }

    /// The groups, or the sessions, of which those lists tell.
    fn told_by(&self, db: &Connection, whose: Whose) -> rusqlite::Result<&Set> {
        if whose != Whose::Session {
            return Ok(&self.groups);
        }
        if let Some(known) = self.sessions.get() {
            return Ok(known);
        }
        let sessions = rolls::sessions_of(db, Some(self.project))?;
        Ok(self.sessions.get_or_init(|| sessions))
    }

    /// Whether one of them has a value of a source, of whichever class.
    pub(super) fn use_it(&self, db: &Connection, source: &Source) -> rusqlite::Result<bool> {
        let mut reader = Reader::new(db)?;
        for class in [Class::Null].iter().chain(&Class::VALUES) {
            if let Some(id) = label_id(db, HAS, &source.class(*class))? {
                let set = self.told_by(db, source.whose)?;
                if reader.meets(number_of(id, Whose::Label), set)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a field varies in one of the groups.
    pub(super) fn vary_in(&self, db: &Connection, name: &str) -> rusqlite::Result<bool> {
        let mut statement = db.prepare_cached("SELECT grp FROM _zones WHERE name = ?")?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            if self.groups.contains(row.get(0)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a fact or label is in any of its lists.
    pub(super) fn have(
        &self,
        db: &Connection,
        reader: &mut Reader<'_>,
        id: i64,
        is_label: bool,
    ) -> rusqlite::Result<bool> {
        let lists: &[Whose] = if is_label {
            &[Whose::Label]
        } else {
            &[Whose::Group, Whose::Machine, Whose::Session]
        };
        for whose in lists {
            let set = self.told_by(db, *whose)?;
            if reader.meets(number_of(id, *whose), set)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The names of all fields and of all metrics, or of those that a project has: what the lists say
/// is read once.
pub(super) fn names_of(
    db: &Connection,
    project: Option<i64>,
) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let Some(project) = project else {
        return Ok((names(db)?, names_in(db, "_metrics")?));
    };
    let ours = Ours::of(db, project)?;
    let (mut fields, mut metrics) = (BTreeSet::new(), BTreeSet::new());
    for (whose, name) in had(db, &ours)? {
        if whose != Whose::Label {
            fields.insert(name);
        } else if let Some(name) = name.strip_prefix("metric.") {
            metrics.insert(name.to_owned());
        }
    }
    for name in names_in(db, "_zones")? {
        if !fields.contains(&name) && ours.vary_in(db, &name)? {
            fields.insert(name);
        }
    }
    Ok((fields.into_iter().collect(), metrics.into_iter().collect()))
}

/// The columns of all tables, as the tables themselves have them.
pub(super) fn table_columns(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare(
        "SELECT DISTINCT c.name FROM sqlite_schema v JOIN pragma_table_info(v.name) c WHERE v.type = 'view'",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    let mut all: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    all.extend(COLUMNS.map(str::to_owned));
    Ok(all)
}

/// The names of which a project has a value, of whichever class.
fn had(db: &Connection, ours: &Ours) -> rusqlite::Result<Vec<(Whose, String)>> {
    let mut reader = Reader::new(db)?;
    let mut statement = db.prepare_cached("SELECT id, value FROM _labels WHERE name = ?")?;
    let mut rows = statement.query([HAS])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        // A digit says whose, a letter the class: see `Source::class`.
        let value: String = row.get(1)?;
        let whose = match value.as_bytes().first() {
            Some(b'0') => Whose::Group,
            Some(b'1') => Whose::Machine,
            Some(b'2') => Whose::Session,
            Some(b'3') => Whose::Label,
            _ => continue,
        };
        if let Some(name) = value.get(2..)
            && reader.meets(
                number_of(row.get(0)?, Whose::Label),
                ours.told_by(db, whose)?,
            )?
        {
            out.push((whose, name.to_owned()));
        }
    }
    Ok(out)
}
