use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use birthmark_core::Timestamp;
use birthmark_core::event::Outcome;
use jiff::tz::TimeZone;

use super::*;
use crate::engine::local::Local;
use crate::engine::local::write::tests::session_of;
use crate::engine::{Engine, Looked, Query};
use crate::filter::{Context, parse};

/// A catalog of so many runs: every third failed, one of so many made nothing.
fn runs(count: usize, barren: usize) -> Local {
    let mut local = Local::in_memory().unwrap();
    let project = local.project("/p", "/p/artifacts").unwrap().id;
    let session = |number: usize| {
        let outcome = if number.is_multiple_of(3) {
            Outcome::Failed
        } else {
            Outcome::Completed
        };
        session_of(number, usize::from(!number.is_multiple_of(barren)), outcome)
    };
    let changes: Vec<_> = (0..count).map(session).collect();
    local.apply(project, &changes).unwrap();
    local.settle(project).unwrap();
    local
}

fn asked(filter: &str, upwards: bool, limit: Option<usize>) -> Query {
    let context = Context {
        now: Timestamp::default(),
        zone: TimeZone::UTC,
    };
    Query {
        filter: parse(filter, &context).unwrap(),
        project: Some(1),
        what: What::Runs,
        gone: false,
        sort: ("timestamp".to_owned(), upwards),
        limit,
        columns: Vec::new(),
    }
}

fn found(local: &Local, query: &Query) -> (Vec<String>, u64, u64) {
    let found = local.find(query, &mut |_, _| Looked::default()).unwrap();
    let id = |row: &FoundRow| match row.fields.iter().find(|(name, _)| name == "run_id") {
        Some((_, Cell::Value(value))) => value.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    (
        found.rows.iter().map(id).collect(),
        found.total,
        found.among,
    )
}

#[test]
fn runs_are_found_and_counted_however_many_they_are() {
    // Few and many that made nothing are gone through in two ways.
    found_and_counted(&runs(40, 5), 5);
    found_and_counted(&runs(40, 39), 39);
}

fn found_and_counted(local: &Local, barren: usize) {
    let is_failed = |number: usize| number.is_multiple_of(3);
    type Holds<'a> = &'a dyn Fn(usize) -> bool;
    let asks: [(&str, Holds<'_>); 6] = [
        ("", &|_| true),
        ("outcome=failed", &is_failed),
        ("outcome=completed eval_seed>100", &|number| {
            !is_failed(number) && !number.is_multiple_of(barren) && number > 10
        }),
        ("NOT outcome=failed", &|number| !is_failed(number)),
        ("outcome=interrupted", &|_| false),
        ("run=r7", &|number| number == 7),
    ];
    for (filter, holds) in asks {
        for upwards in [true, false] {
            for limit in [None, Some(1), Some(3), Some(100)] {
                let mut wanted: Vec<usize> = (0..40).filter(|number| holds(*number)).collect();
                if !upwards {
                    wanted.reverse();
                }
                let total = wanted.len() as u64;
                wanted.truncate(limit.unwrap_or(usize::MAX));
                let wanted = wanted.iter().map(|number| format!("r{number}")).collect();
                let query = asked(filter, upwards, limit);
                let told = found(local, &query);
                assert_eq!(told, (wanted, total, 40), "{filter} {upwards} {limit:?}");
            }
        }
    }
}

#[test]
fn few_rows_of_many_runs_are_not_looked_for_among_all() {
    let steps = |count: usize| steps_of(runs(count, 5), &asked("", false, Some(3)));
    let (few, many) = (steps(400), steps(800));
    assert!(many - few < 400, "{few}, {many}");
}

/// The steps of SQLite's machine that a question takes.
fn steps_of(mut local: Local, query: &Query) -> u64 {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    let connection = &mut local.opened.connection;
    connection.progress_handler(1, Some(count)).unwrap();
    let found = local.find(query, &mut |_, _| Looked::default()).unwrap();
    assert_eq!(found.rows.len(), 3, "{query:?}");
    steps.load(Ordering::Relaxed)
}

#[test]
fn what_sessions_and_runs_are_themselves_is_asked_without_their_rows() {
    for what in [What::Runs, What::Sessions] {
        for filter in [
            "outcome=completed",
            "NOT outcome=failed",
            "outcome~ed since:1969-12-31",
            "session~1",
        ] {
            let query = Query {
                what,
                ..asked(filter, false, Some(3))
            };
            let (few, many) = (
                steps_of(runs(400, 400), &query),
                steps_of(runs(800, 800), &query),
            );
            assert!(many < few + 400, "{what:?} {filter}: {few}, {many}");
        }
    }
}
