//! Everything the catalog says, in a form that is the same for the same files: rows by
//! their own names instead of their numbers, and sorted.

use std::collections::HashMap;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params};

use super::lists::{HAS, HERE, place_of_row};
use super::names::{self, Named};
use super::owners::{self, Owner};
use super::rolls;
use super::sets::Set;

/// The questions whose answers are all that the catalog says.
const PARTS: [(&str, &str); 11] = [
    ("projects", "SELECT root, artifacts FROM _projects"),
    (
        "sessions",
        "SELECT p.root, s.session_id, s.open, s.bound, s.session_uuid, s.session_start, s.session_end, s.last_heard, s.outcome,
           s.host, s.planned, s.made, s.processes, s.packages, (SELECT value FROM _labels l WHERE l.id = s.number)
           FROM _sessions s JOIN _projects p ON p.id = s.project",
    ),
    (
        "session facts",
        "SELECT p.root, s.session_id, f.name, f.kind, f.value FROM _sessions s JOIN _projects p ON p.id = s.project
           JOIN _mark_facts m ON m.mark = s.mark JOIN _facts f ON f.id = m.fact",
    ),
    ("runs", "SELECT * FROM runs"),
    (
        "run numbers",
        "SELECT p.root, r.run_id, (SELECT value FROM _labels l WHERE l.id = r.number) FROM _runs r
           JOIN _projects p ON p.id = r.project",
    ),
    ("edges", "SELECT * FROM edges"),
    ("packages", "SELECT * FROM packages"),
    (
        "artifacts",
        "SELECT p.root, a.file, a.there, a.scanned, a.format, a.state, a.timestamp, a.size, a.records, a.unstamped, a.bad_lines,
           a.digest, a.content_digest, a.session_id, a.run_id, a.inputs,
           (SELECT group_concat(file) FROM (SELECT b.file FROM _artifacts b WHERE b.same = a.same ORDER BY 1)) FROM _artifacts a JOIN _projects p ON p.id = a.project WHERE a.there < 2",
    ),
    (
        "groups",
        "SELECT p.root, a.file, g.number, g.line, g.start, g.end, g.records, g.session_id, g.run_id, g.time_min, g.time_max,
           g.carried, (SELECT group_concat(name || char(9) || zone, char(10)) FROM (SELECT name, zone FROM _zones z WHERE z.grp = g.id ORDER BY name))
           FROM _groups g JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project",
    ),
    (
        "facts",
        "SELECT p.root, a.file, g.number, f.name, f.kind, f.value FROM _groups g JOIN _artifacts a ON a.id = g.artifact
           JOIN _projects p ON p.id = a.project JOIN _mark_facts m ON m.mark = g.mark JOIN _facts f ON f.id = m.fact",
    ),
    (
        "metrics",
        "SELECT p.root, a.file, x.name, x.kind, x.value FROM _metrics x JOIN _artifacts a ON a.id = x.artifact
           JOIN _projects p ON p.id = a.project",
    ),
];

/// All of it as lines.
pub(super) fn dump(db: &Connection) -> rusqlite::Result<String> {
    let mut out = String::new();
    for (name, sql) in PARTS {
        let mut statement = db.prepare(sql)?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells: Vec<String> = (0..columns)
                .map(|place| Ok(cell(row.get(place)?)))
                .collect::<rusqlite::Result<_>>()?;
            Ok(cells.join("\t"))
        })?;
        let mut lines: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        lines.sort();
        out.push_str(&format!("# {name}: {}\n", lines.len()));
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out.push_str(&postings(db)?);
    Ok(out)
}

/// What each list says, and the folded names.
fn postings(db: &Connection) -> rusqlite::Result<String> {
    let named = |sql: &str| -> rusqlite::Result<HashMap<i64, String>> {
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let groups = named(
        "SELECT g.id, p.root || '/' || a.file || '#' || g.number FROM _groups g
         JOIN _artifacts a ON a.id = g.artifact JOIN _projects p ON p.id = a.project",
    )?;
    let sessions = named(
        "SELECT s.id, p.root || '/' || s.session_id FROM _sessions s JOIN _projects p ON p.id = s.project",
    )?;
    let projects = named("SELECT id, root FROM _projects")?;
    let mut statement = db.prepare(
        "SELECT p.list, p.row, p.bits, coalesce(f.name, l.name), coalesce(f.kind, l.kind), coalesce(f.value, l.value)
         FROM (SELECT row >> 26 AS list, row, bits FROM _postings) p
         LEFT JOIN _facts f ON f.id = p.list / 4 AND p.list % 4 < 3
         LEFT JOIN _labels l ON l.id = p.list / 4 AND p.list % 4 = 3",
    )?;
    let mut lines = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut set = Set::default();
        set.take(place_of_row(row.get(1)?).1, &row.get::<_, Vec<u8>>(2)?);
        let (whose, name, kind): (i64, String, String) =
            (row.get::<_, i64>(0)? % 4, row.get(3)?, row.get(4)?);
        let mut value: String = row.get(5)?;
        let of_sessions = whose == 2 || (whose == 3 && name == HAS && value.starts_with('2'));
        if name == HERE
            && let Some((project, there)) = value.split_once('.')
        {
            // Projects have other numbers in another catalog.
            let root = project.parse().ok().and_then(|id| projects.get(&id));
            value = format!("{root:?}.{there}");
        }
        let of = if of_sessions { &sessions } else { &groups };
        for number in set.iter() {
            let owner = of.get(&number).map_or("nothing", String::as_str);
            lines.push(format!("{whose}\t{name}\t{kind}\t{value:?}\t{owner}\n"));
        }
    }
    lines.extend(owners(db, &groups)?);
    lines.sort();
    let mut files: Vec<String> = Vec::new();
    names::each(db, Named::Artifact, &mut |_, name| {
        files.push(format!("{name}\n"));
    })?;
    let mut ids: HashMap<i64, String> = HashMap::new();
    names::each(db, Named::Session, &mut |number, id| {
        ids.insert(number, format!("{id}\n"));
    })?;
    let mut statement = db.prepare("SELECT number FROM _sessions")?;
    for number in statement.query_map([], |row| row.get(0))? {
        files.push(ids.get(&number?).cloned().unwrap_or_default());
    }
    files.sort();
    let [told, truth] = rolls::dump(db)?;
    let are_rolls = if told == truth {
        "as the rows"
    } else {
        "NOT as the rows"
    };
    Ok(format!(
        "# lists: {}\n{}# names: {}\n{}# rolls: {are_rolls}\n",
        lines.len(),
        lines.concat(),
        files.len(),
        files.concat()
    ))
}

/// Which session and run each group is of.
fn owners(db: &Connection, groups: &HashMap<i64, String>) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare("SELECT value FROM _labels WHERE id = ? AND name = ?")?;
    let mut lines = Vec::new();
    for owner in Owner::BOTH {
        let mut owned = Vec::new();
        owners::each(db, owner, &mut |group, number| owned.push((group, number)))?;
        for (group, number) in owned {
            let id: Option<String> = statement
                .query_row(params![number, owner.field()], |row| row.get(0))
                .optional()?;
            let group = groups.get(&group).map_or("nothing", String::as_str);
            lines.push(format!("{owner:?}\t{group}\t{id:?}\n"));
        }
    }
    Ok(lines)
}

fn cell(value: Sql) -> String {
    match value {
        Sql::Null => "-".to_owned(),
        Sql::Integer(number) => number.to_string(),
        Sql::Real(number) => number.to_string(),
        Sql::Text(text) => format!("{text:?}"),
        Sql::Blob(bytes) => format!("{bytes:02x?}"),
    }
}
