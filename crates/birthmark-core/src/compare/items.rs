//! Which item of A is which of B.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Class, Reason, Row, State, Weight};
use crate::evaluation::Items;

/// How items find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// By their id.
    Id,
    /// By the digest of what they ask.
    Digest,
    /// By their place in the file; only where the user says so.
    Position,
    /// Both systems stand in the same item of one report.
    Row,
}

impl Match {
    /// The word for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Digest => "digest",
            Self::Position => "position",
            Self::Row => "row",
        }
    }
}

/// What came of matching.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matching {
    /// How they were matched; `None` where neither ids nor digests allow it.
    pub how: Option<Match>,
    /// Item of A, item of B, in the order of A.
    pub pairs: Vec<(u32, u32)>,
    /// Items of A alone.
    pub only_a: Vec<u32>,
    /// Items of B alone.
    pub only_b: Vec<u32>,
    /// Items of A whose key stands there more than once, and which are left out.
    pub twice_a: Vec<u32>,
    /// The same of B.
    pub twice_b: Vec<u32>,
    /// Pairs that ask different things under the same id.
    pub changed: Vec<(u32, u32)>,
    /// Pairs that are known to ask the same.
    pub alike: usize,
}

/// Matches the items of two reports, as wanted; by default by id, else by digest.
pub fn matching(a: &Items, b: &Items, wanted: Option<Match>) -> Matching {
    let Some(how) = wanted.or_else(|| usable(a, b)) else {
        return Matching::default();
    };
    let mut found = match how {
        Match::Id => by_key(a, b, |items, at| {
            Some(items.ids.get(at)).filter(|id| !id.is_empty())
        }),
        Match::Digest => by_key(a, b, |items, at| items.content.get(at).copied().flatten()),
        Match::Position | Match::Row => by_place(a.len(), b.len()),
    };
    found.how = Some(how);
    let content = |items: &Items, at: u32| items.content.get(at as usize).copied().flatten();
    for &(left, right) in &found.pairs {
        match (content(a, left), content(b, right)) {
            (Some(one), Some(other)) if one == other => found.alike += 1,
            (Some(_), Some(_)) => found.changed.push((left, right)),
            _ => {}
        }
    }
    found
}

fn usable(a: &Items, b: &Items) -> Option<Match> {
    let ids = |items: &Items| (0..items.len()).all(|at| !items.ids.get(at).is_empty());
    let digests = |items: &Items| items.content.iter().all(Option::is_some);
    if a.is_empty() || b.is_empty() {
        None
    } else if ids(a) && ids(b) {
        Some(Match::Id)
    } else {
        (digests(a) && digests(b)).then_some(Match::Digest)
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn by_place(a: usize, b: usize) -> Matching {
    let both = a.min(b);
    Matching {
        pairs: (0..both).map(|at| (number(at), number(at))).collect(),
        only_a: (both..a).map(number).collect(),
        only_b: (both..b).map(number).collect(),
        ..Matching::default()
    }
}

fn by_key<'a, K: Hash + Eq + Copy>(
    a: &'a Items,
    b: &'a Items,
    key: impl Fn(&'a Items, usize) -> Option<K>,
) -> Matching {
    // The place in B, and whether the key was seen once.
    let mut places: HashMap<K, (u32, bool)> = HashMap::with_capacity(b.len());
    for at in 0..b.len() {
        if let Some(key) = key(b, at) {
            let seen = places.entry(key).or_insert((number(at), true));
            seen.1 &= seen.0 == number(at);
        }
    }
    let mut first: HashMap<K, bool> = HashMap::with_capacity(a.len());
    for at in 0..a.len() {
        if let Some(key) = key(a, at) {
            first
                .entry(key)
                .and_modify(|once| *once = false)
                .or_insert(true);
        }
    }
    let mut found = Matching::default();
    for at in 0..a.len() {
        let Some(key) = key(a, at) else {
            found.only_a.push(number(at));
            continue;
        };
        match (first.get(&key), places.get(&key)) {
            (Some(false), _) => found.twice_a.push(number(at)),
            (_, Some((other, true))) => found.pairs.push((number(at), *other)),
            (_, Some((_, false))) => {}
            (_, None) => found.only_a.push(number(at)),
        }
    }
    for at in 0..b.len() {
        match key(b, at) {
            Some(key) if places.get(&key).is_some_and(|(_, once)| !once) => {
                found.twice_b.push(number(at));
            }
            Some(key) if first.contains_key(&key) => {}
            _ => found.only_b.push(number(at)),
        }
    }
    found
}

/// The row of the items, and the reasons that they give. A report without items has no row.
pub fn judge(
    a: &Items,
    b: &Items,
    found: &Matching,
    names: [&str; 2],
) -> (Option<Row>, Vec<Reason>) {
    if a.is_empty() && b.is_empty() {
        return (None, Vec::new());
    }
    if found.how == Some(Match::Row) {
        return (None, Vec::new());
    }
    let mut reasons = Vec::new();
    let mut say =
        |weight, code, text: String| reasons.push(Reason::new(weight, code, "items", text));
    let state = match (a.is_empty(), b.is_empty(), found.how) {
        (true, _, _) | (_, true, _) => State::MissingOne,
        (_, _, None) => State::MissingBoth,
        _ if found.only_a.is_empty() && found.only_b.is_empty() && found.changed.is_empty() => {
            State::Same
        }
        _ => State::Moved,
    };
    match state {
        State::MissingOne => {
            let lacks = if a.is_empty() { names[0] } else { names[1] };
            let text = format!(
                "{lacks} has no results by item, so items cannot be held against each other"
            );
            say(Weight::Caveat, "items-missing", text);
        }
        State::MissingBoth => say(
            Weight::Caveat,
            "items-unmatched",
            "the items have neither ids nor what they ask on both sides: they cannot be matched"
                .to_owned(),
        ),
        State::Moved | State::Same => {}
    }
    if state == State::Moved && !(found.only_a.is_empty() && found.only_b.is_empty()) {
        say(
            Weight::NotComparable,
            "items-moved",
            unequal(a, b, found, names),
        );
    }
    if let Some(&(left, _)) = found.changed.first() {
        let id = a.ids.get(left as usize);
        let text = match found.changed.len() {
            1 => format!("item {id} asks something else in {}", names[1]),
            more => format!(
                "{more} items ask something else in {}, the first of them {id}",
                names[1]
            ),
        };
        say(Weight::NotComparable, "items-changed", text);
    }
    for (twice, items, name) in [(&found.twice_a, a, names[0]), (&found.twice_b, b, names[1])] {
        if let Some(first) = twice.first() {
            let id = items.ids.get(*first as usize);
            let text = format!(
                "{} of {name} stand more than once, the first of them {id}; they are left out",
                plural(twice.len(), "item")
            );
            say(Weight::Caveat, "items-twice", text);
        }
    }
    if found.how == Some(Match::Position) {
        let text = "the items were matched by their position, as asked for".to_owned();
        say(Weight::Caveat, "items-by-position", text);
    }
    let count = |items: &Items| (!items.is_empty()).then(|| items.len().into());
    let row = Row {
        field: "items".to_owned(),
        class: Class::Instrument,
        state,
        a: count(a),
        b: count(b),
        not_counted: None,
        remark: None,
    };
    (Some(row), reasons)
}

fn unequal(a: &Items, b: &Items, found: &Matching, names: [&str; 2]) -> String {
    let part = |only: &[u32], items: &Items, name: &str| {
        let first = only.first()?;
        let id = items.ids.get(*first as usize);
        let id = if id.is_empty() {
            String::new()
        } else {
            format!(" ({id}{})", if only.len() > 1 { " …" } else { "" })
        };
        Some(format!("{} only in {name}{id}", only.len()))
    };
    let parts: Vec<String> = [
        part(&found.only_a, a, names[0]),
        part(&found.only_b, b, names[1]),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!(
        "the items moved: {}, {} in both",
        parts.join(", "),
        found.pairs.len()
    )
}

/// `1 item`, `3 items`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}
