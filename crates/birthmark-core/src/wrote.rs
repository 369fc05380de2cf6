//! Who wrote the bytes that lie at a path: one rule for all who tell of a file.
//!
//! A birthmark says where a record was *born*; a later run may filter, merge or rewrite the file
//! that it stands in. That run is who *wrote* the file.

/// Of those that told of a file the one that wrote what lies there, by its place: the last that
/// recorded these bytes, and only where none did (they were changed since), or where the bytes are
/// not known, the last of all. So the clocks of several sessions matter no more than they must.
///
/// Each is told as what orders it in time, and the digest that it recorded; of the same moment
/// the later in the list counts.
pub fn who_wrote<'a, K: Ord>(
    told: impl IntoIterator<Item = (K, Option<&'a str>)>,
    lies: Option<&str>,
) -> Option<usize> {
    let told = told.into_iter().enumerate();
    let keyed = told.map(|(place, (when, digest))| {
        let is_its = lies.is_some() && digest == lies;
        ((is_its, when), place)
    });
    keyed.max().map(|(_, place)| place)
}

/// The format of an artifact that no writer of ours made: a run was seen to.
pub const OBSERVED: &str = "observed";

/// Whether a run was seen to write a file in which other birthmarks stand: the session and run
/// that recorded it in this format, and those that the birthmark names.
pub fn is_of_another(
    format: &str,
    wrote: (&str, Option<&str>),
    born: (Option<&str>, Option<&str>),
) -> bool {
    let (session, run) = wrote;
    let is_own = born.0 == Some(session) && (run.is_none() || born.1 == run);
    format == OBSERVED && !is_own
}

#[cfg(test)]
mod tests {
    use super::{is_of_another, who_wrote};

    #[test]
    fn what_its_own_run_was_seen_to_write_is_of_no_other() {
        let wrote = |born| is_of_another("observed", ("s", Some("r")), born);
        assert!(!wrote((Some("s"), Some("r"))));
        assert!(wrote((Some("s"), Some("q"))), "another run of the session");
        assert!(wrote((Some("t"), Some("r"))));
        assert!(wrote((Some("s"), None)), "records of several runs");
        assert!(!is_of_another("jsonl", ("s", None), (Some("t"), None)));
    }

    #[test]
    fn the_last_that_recorded_these_bytes_wrote_them_else_the_last_of_all() {
        let told = [(1, Some("a")), (3, Some("b")), (2, Some("a")), (2, None)];
        assert_eq!(who_wrote(told, Some("a")), Some(2));
        assert_eq!(who_wrote(told, Some("b")), Some(1));
        assert_eq!(who_wrote(told, Some("c")), Some(1), "changed since");
        assert_eq!(who_wrote(told, None), Some(1), "not known");
        assert_eq!(who_wrote([(2, None), (2, None)], None), Some(1));
        assert_eq!(who_wrote([(0, None); 0], Some("a")), None);
    }
}
