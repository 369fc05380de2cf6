//! The conditions that one term becomes, over facts, zones, columns and times.

use rusqlite::types::Value as Sql;

use super::Condition;
use crate::filter::{Order, Test};
use crate::value::{Kind, NAN, NESTED, NUMBERS, TEXTS, Value};

impl Condition {
    pub(super) fn bind(&mut self, sql: &str, values: impl IntoIterator<Item = Sql>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// `… IN (marks with such a fact)`.
    pub(super) fn in_marks(&mut self, column: &str, name: &str, test: &Test, want: bool) {
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

    pub(super) fn no_zone(&mut self, name: &str) {
        self.bind(
            "NOT (g.zoned AND g.id IN (SELECT z.grp FROM _zones z WHERE z.name = ?)) AND ",
            [Sql::Text(name.to_owned())],
        );
    }

    /// Or the field varies in the group, and a value could be between its ends.
    pub(super) fn or_zone(&mut self, name: &str, test: &Test, want: bool) {
        self.bind(
            " OR (g.zoned AND g.id IN (SELECT z.grp FROM _zones z WHERE z.name = ?",
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
    pub(super) fn key(&mut self, key: &str, value: &str, test: &Test, want: bool) {
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
    pub(super) fn column(&mut self, column: &str, test: &Test, want: bool) {
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
        let sql = if want && matches!(test, Test::Equal(_) | Test::Begins(_)) {
            // In this form an index can be gone along.
            format!("({column} IS NOT NULL AND {})", inside.sql)
        } else if want {
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
    pub(super) fn time(&mut self, test: &Test, want: bool) {
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
