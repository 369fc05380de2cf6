//! From a filter to SQL over the groups of records.
//!
//! NOT is pushed down to the terms, so that each term is asked for the groups in which it
//! is true, or in which it is false; those in which it is unknown are in neither. A group
//! whose records differ in a field counts as soon as one of its records *could* match:
//! what can be is then looked at more closely (see [`super::find`]).
//!
//! # Invariants
//!
//! * What a user typed reaches SQL as a bound parameter only.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension};

use crate::filter::{Filter, Order, Term, Test, WORDS, column, searched_by_words};
use crate::value::{Kind, NAN, NESTED, NUMBERS, TEXTS, Value};

/// A condition, and the values of its question marks.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Sql>,
}

/// Where the values of a field stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// Several columns, for a word alone.
    Words,
    /// A column of the artifact.
    Artifact(&'static str),
    /// The root of the project.
    Project,
    /// A column of the group: session, run.
    Group(&'static str),
    /// The two columns of the group for its times.
    Time,
    /// The facts of the group's mark.
    Fact(String),
    /// The metrics of the artifact.
    Metric(String),
    /// The facts of the session.
    Session(String),
}

/// Where the values of `field` stand. A name that no birthmark has is looked for among
/// the metrics, then among what is known of the machine.
pub(super) fn home(db: &Connection, field: &str) -> rusqlite::Result<Home> {
    if field == WORDS {
        return Ok(Home::Words);
    }
    match field {
        "timestamp" => return Ok(Home::Time),
        "session_id" => return Ok(Home::Group("session_id")),
        "run_id" => return Ok(Home::Group("run_id")),
        "project" => return Ok(Home::Project),
        _ => {}
    }
    if let Some(column) = column(field) {
        return Ok(Home::Artifact(column.name));
    }
    for prefix in ["metric.", "metrics.", "summary."] {
        if let Some(name) = field.strip_prefix(prefix) {
            return Ok(Home::Metric(name.to_owned()));
        }
    }
    if let Some(name) = field.strip_prefix("field.") {
        return Ok(Home::Fact(name.to_owned()));
    }
    if field.starts_with("environment.") {
        return Ok(Home::Session(field.to_owned()));
    }
    let has = |sql: &str, name: &str| -> rusqlite::Result<bool> {
        let found: Option<i64> = db
            .prepare_cached(sql)?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(found.is_some())
    };
    if birthmark_core::birthmark::rule(field).is_some()
        || has(
            "SELECT 1 FROM _facts f JOIN _mark_facts m ON m.fact = f.id JOIN _groups g ON g.mark = m.mark WHERE f.name = ? LIMIT 1",
            field,
        )?
        || has("SELECT 1 FROM _zones WHERE name = ? LIMIT 1", field)?
    {
        return Ok(Home::Fact(field.to_owned()));
    }
    if has("SELECT 1 FROM _metrics WHERE name = ? LIMIT 1", field)? {
        return Ok(Home::Metric(field.to_owned()));
    }
    let machine = match field {
        "host" => "environment.hostname".to_owned(),
        other => format!("environment.{other}"),
    };
    if has("SELECT 1 FROM _facts WHERE name = ? LIMIT 1", &machine)? {
        return Ok(Home::Session(machine));
    }
    Ok(Home::Fact(field.to_owned()))
}

/// The groups in which a record could give the answer `want`.
pub(super) fn lower(db: &Connection, filter: &Filter, want: bool) -> rusqlite::Result<Condition> {
    let mut out = Condition::default();
    put(db, filter, want, &mut out)?;
    Ok(out)
}

fn put(db: &Connection, filter: &Filter, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    match filter {
        Filter::All => out.sql.push_str(if want { "1" } else { "0" }),
        Filter::Not(inner) => put(db, inner, !want, out)?,
        Filter::And(parts) | Filter::Or(parts) => {
            let all = matches!(filter, Filter::And(_)) == want;
            out.sql.push('(');
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    out.sql.push_str(if all { " AND " } else { " OR " });
                }
                put(db, part, want, out)?;
            }
            out.sql.push(')');
        }
        Filter::Term(term) => term_sql(db, term, want, out)?,
    }
    Ok(())
}

fn term_sql(db: &Connection, term: &Term, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    let test = &term.test;
    match home(db, &term.field)? {
        Home::Words => words(db, test, want, out)?,
        Home::Artifact(column) => out.column(&format!("a.{column}"), test, want),
        Home::Project => out.column(
            "(SELECT root FROM _projects WHERE id = a.project)",
            test,
            want,
        ),
        Home::Group(column) => {
            out.sql.push('(');
            out.column(&format!("g.{column}"), test, want);
            out.or_zone(&term.field, test, want);
            out.sql.push(')');
        }
        Home::Time => {
            out.sql.push('(');
            out.time(test, want);
            out.or_zone("timestamp", test, want);
            out.sql.push(')');
        }
        Home::Fact(name) => {
            out.sql.push('(');
            let absent = matches!(test, Test::Has | Test::IsNull) && !want;
            if absent {
                out.no_zone(&name);
            }
            out.in_marks("g.mark", &name, test, want);
            out.or_zone(&name, test, want);
            out.sql.push(')');
        }
        Home::Metric(name) => {
            let negated = matches!(test, Test::Has | Test::IsNull) && !want;
            out.sql.push_str(if negated { "NOT " } else { "" });
            out.sql
                .push_str("g.artifact IN (SELECT artifact FROM _metrics WHERE name = ? AND ");
            out.values.push(Sql::Text(name));
            out.key("key", "value", test, want || negated);
            out.sql.push(')');
        }
        Home::Session(name) => {
            let negated = matches!(test, Test::Has | Test::IsNull) && !want;
            out.sql.push_str(if negated { "NOT " } else { "" });
            out.sql
                .push_str("coalesce(g.session_id IN (SELECT session_id FROM _sessions s WHERE ");
            out.in_marks("s.mark", &name, test, want || negated);
            out.sql.push_str("), 0)");
        }
    }
    Ok(())
}

/// A word alone: known for every artifact, since a field that is missing contains nothing.
fn words(db: &Connection, test: &Test, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    out.sql.push('(');
    for (place, field) in searched_by_words().into_iter().enumerate() {
        if place > 0 {
            out.sql.push_str(if want { " OR " } else { " AND " });
        }
        let term = Term {
            field: field.to_owned(),
            test: test.clone(),
            span: crate::filter::Span::default(),
        };
        if want {
            term_sql(db, &term, true, out)?;
        } else {
            // Where the records differ, one may contain it and another not.
            out.sql.push_str("(NOT coalesce(");
            term_sql(db, &term, true, out)?;
            out.sql.push_str(", 0)");
            out.or_zone(field, &Test::Has, false);
            out.sql.push(')');
        }
    }
    out.sql.push(')');
    Ok(())
}

impl Condition {
    fn bind(&mut self, sql: &str, values: impl IntoIterator<Item = Sql>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// `… IN (marks with such a fact)`.
    fn in_marks(&mut self, column: &str, name: &str, test: &Test, want: bool) {
        let absent = matches!(test, Test::Has | Test::IsNull) && !want;
        let not = if absent { "NOT " } else { "" };
        self.bind(
            &format!(
                "{column} {not}IN (SELECT m.mark FROM _facts f JOIN _mark_facts m ON m.fact = f.id WHERE f.name = ? AND "
            ),
            [Sql::Text(name.to_owned())],
        );
        self.key("f.key", "f.value", test, want || absent);
        self.sql.push(')');
    }

    fn no_zone(&mut self, name: &str) {
        self.bind(
            "NOT (g.zoned AND EXISTS (SELECT 1 FROM _zones z WHERE z.grp = g.id AND z.name = ?)) AND ",
            [Sql::Text(name.to_owned())],
        );
    }

    /// Or the field varies in the group, and a value could be between its ends.
    fn or_zone(&mut self, name: &str, test: &Test, want: bool) {
        self.bind(
            " OR (g.zoned AND EXISTS (SELECT 1 FROM _zones z WHERE z.grp = g.id AND z.name = ?",
            [Sql::Text(name.to_owned())],
        );
        if want && let Some((low, high)) = reach(test) {
            self.bind(
                " AND z.high >= ? AND z.low <= ?",
                [Sql::Blob(low), Sql::Blob(high)],
            );
        }
        self.sql.push_str("))");
    }

    /// A condition on a key, for values that give the answer `want`. Null gives none,
    /// but for `has:` and `=null`.
    fn key(&mut self, key: &str, value: &str, test: &Test, want: bool) {
        let null = Value::null().key();
        match test {
            Test::Has => self.bind(&format!("{key} <> ?"), [Sql::Blob(null)]),
            Test::IsNull => self.bind(&format!("{key} = ?"), [Sql::Blob(null)]),
            Test::Equal(wanted) => {
                let marks = vec!["?"; wanted.len()].join(", ");
                let not = if want { "" } else { "NOT " };
                self.bind(
                    &format!("({key} {not}IN ({marks}) AND {key} <> ?)"),
                    wanted
                        .iter()
                        .map(|one| Sql::Blob(one.key()))
                        .chain([Sql::Blob(null)]),
                );
            }
            Test::Begins(starts) => {
                let one = format!("({key} >= ? AND {key} < ?)");
                let any = vec![one; starts.len()].join(" OR ");
                let not = if want { "" } else { "NOT " };
                let ends = starts.iter().flat_map(|start| {
                    let low = Value::text(start.as_str()).key();
                    let high = after(low.clone());
                    [Sql::Blob(low), Sql::Blob(high)]
                });
                self.bind(
                    &format!("({not}({any}) AND {key} <> ?)"),
                    ends.chain([Sql::Blob(null)]).collect::<Vec<_>>(),
                );
            }
            Test::Order(..) | Test::Between(..) => self.between(key, test, want),
            Test::Contains(part) => {
                let not = if want { "" } else { "NOT " };
                self.bind(
                    &format!("({not}bm_contains({value}, ?) AND {key} <> ?)"),
                    [Sql::Text(part.clone()), Sql::Blob(null)],
                );
            }
        }
    }

    fn between(&mut self, key: &str, test: &Test, want: bool) {
        let (kind, inside) = match test {
            Test::Order(order, limit) => (limit.kind(), order_sql(key, *order, limit)),
            Test::Between(low, high) => {
                let sql = format!("({key} >= ? AND {key} <= ?)");
                (low.kind(), (sql, vec![low.key(), high.key()]))
            }
            _ => return,
        };
        let (floor, ceiling) = span_of(kind);
        if matches!(test, Test::Order(_, limit) if limit.key() == [NAN]) {
            self.sql.push('0');
            return;
        }
        let not = if want { "" } else { "NOT " };
        let values = inside.1.into_iter().chain([floor, ceiling]).map(Sql::Blob);
        self.bind(
            &format!("({not}{} AND {key} >= ? AND {key} < ?)", inside.0),
            values.collect::<Vec<_>>(),
        );
    }

    /// A condition on a plain column, which holds text or whole numbers.
    fn column(&mut self, column: &str, test: &Test, want: bool) {
        if matches!(test, Test::IsNull) {
            self.sql.push_str(if want { "0" } else { "1" });
            return;
        }
        if matches!(test, Test::Has) {
            let not = if want { "NOT NULL" } else { "NULL" };
            self.bind(&format!("{column} IS {not}"), []);
            return;
        }
        let mut inside = Self::default();
        inside.column_test(column, test);
        // A comparison of other kinds is unknown: NULL, and so is its negation.
        let sql = if want {
            format!("coalesce({}, 0)", inside.sql)
        } else {
            format!("coalesce(NOT ({}), 0)", inside.sql)
        };
        self.bind(&sql, inside.values);
    }

    fn column_test(&mut self, column: &str, test: &Test) {
        match test {
            Test::Has | Test::IsNull => {}
            Test::Equal(wanted) => {
                let marks = vec!["?"; wanted.len()].join(", ");
                self.bind(
                    &format!("{column} IN ({marks})"),
                    wanted.iter().map(plain).collect::<Vec<_>>(),
                );
            }
            Test::Begins(starts) => {
                let one = format!("({column} >= ? AND {column} < ?)");
                let any = vec![one; starts.len()].join(" OR ");
                let ends = starts.iter().flat_map(|start| {
                    let high = after(start.clone().into_bytes());
                    let high =
                        String::from_utf8(high).unwrap_or_else(|_| format!("{start}\u{10FFFF}"));
                    [Sql::Text(start.clone()), Sql::Text(high)]
                });
                self.bind(&format!("({any})"), ends.collect::<Vec<_>>());
            }
            Test::Order(order, limit) => {
                let sign = sign(*order);
                self.bind(
                    &format!("CASE WHEN typeof({column}) = ? THEN {column} {sign} ? END"),
                    [type_of(limit), plain(limit)],
                );
            }
            Test::Between(low, high) => self.bind(
                &format!("CASE WHEN typeof({column}) = ? THEN {column} >= ? AND {column} <= ? END"),
                [type_of(low), plain(low), plain(high)],
            ),
            Test::Contains(part) => self.bind(
                &format!(
                    "CASE WHEN {column} IS NOT NULL THEN bm_contains(CAST({column} AS TEXT), ?) END"
                ),
                [Sql::Text(part.clone())],
            ),
        }
    }

    /// A condition on the times of a group: whether one of them could give the answer.
    fn time(&mut self, test: &Test, want: bool) {
        let both = |value: &Value| Sql::Text(value.as_str().to_owned());
        match (test, want) {
            (Test::Has, true) | (Test::IsNull, false) => {
                self.sql.push_str("g.time_min IS NOT NULL");
            }
            (Test::Has, false) => self.sql.push_str(
                "(g.time_min IS NULL AND NOT (g.zoned AND EXISTS (SELECT 1 FROM _zones z WHERE z.grp = g.id AND z.name = 'timestamp')))",
            ),
            (Test::Order(order, limit), want) if limit.kind() == Kind::Text => {
                let order = if want { *order } else { opposite(*order) };
                let column = match order {
                    Order::Less | Order::AtMost => "g.time_min",
                    Order::More | Order::AtLeast => "g.time_max",
                };
                let sql = format!("coalesce({column} {} ?, 0)", sign(order));
                self.bind(&sql, [both(limit)]);
            }
            (Test::Between(low, high), true) => self.bind(
                "coalesce(g.time_max >= ? AND g.time_min <= ?, 0)",
                [both(low), both(high)],
            ),
            (Test::Between(low, high), false) => self.bind(
                "coalesce(g.time_min < ? OR g.time_max > ?, 0)",
                [both(low), both(high)],
            ),
            (Test::Order(..), _) | (Test::IsNull, true) => self.sql.push('0'),
            // Of the other questions only a look at both ends, or into the file, knows.
            _ => self.sql.push_str("g.time_min IS NOT NULL"),
        }
    }
}

fn opposite(order: Order) -> Order {
    match order {
        Order::Less => Order::AtLeast,
        Order::AtMost => Order::More,
        Order::More => Order::AtMost,
        Order::AtLeast => Order::Less,
    }
}

fn sign(order: Order) -> &'static str {
    match order {
        Order::Less => "<",
        Order::AtMost => "<=",
        Order::More => ">",
        Order::AtLeast => ">=",
    }
}

fn order_sql(key: &str, order: Order, limit: &Value) -> (String, Vec<Vec<u8>>) {
    (format!("({key} {} ?)", sign(order)), vec![limit.key()])
}

/// The keys between which whatever is asked for must lie, where that can be told.
fn reach(test: &Test) -> Option<(Vec<u8>, Vec<u8>)> {
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

/// A value for a plain column, where numbers are whole.
fn plain(value: &Value) -> Sql {
    match value.kind() {
        Kind::Number => match value.as_str().parse::<i64>() {
            Ok(number) => Sql::Integer(number),
            Err(_) => Sql::Real(value.as_f64().unwrap_or(f64::NAN)),
        },
        _ => Sql::Text(value.as_str().to_owned()),
    }
}

fn type_of(value: &Value) -> Sql {
    Sql::Text(
        match value.kind() {
            Kind::Number => "integer",
            _ => "text",
        }
        .to_owned(),
    )
}
