//! A catalog of the version before this one: what was read for it is kept.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::write::look_at_moved;
use crate::tables::{LATEST, VERSION};

/// Makes this version of the one before it: what was read is kept, and what is new follows from it.
pub(super) fn step_up(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(LATEST)?;
    look_at_moved(&transaction)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use birthmark_core::event::Outcome;

    use super::super::super::Local;
    use super::super::super::write::tests::session_of;
    use crate::engine::Engine;
    use crate::tables::BEFORE;

    #[test]
    fn a_catalog_of_the_version_before_is_kept_and_says_what_a_new_one_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut catalog = Local::open(dir.path()).unwrap();
        let project = catalog.project("/p", "/p/artifacts").unwrap().id;
        let sessions: Vec<_> = (0..600)
            .map(|number| session_of(number, number % 3, Outcome::Completed))
            .collect();
        catalog.apply(project, &sessions).unwrap();
        catalog.settle(project).unwrap();
        let fresh = catalog.dump().unwrap();
        assert!(fresh.contains("# rolls: as the rows"), "{fresh}");
        let db = &catalog.opened.connection;
        db.execute_batch("DROP INDEX _told_plain; DROP INDEX _artifacts_plain")
            .unwrap();
        db.pragma_update(None, "user_version", BEFORE).unwrap();
        drop(catalog);
        let catalog = Local::open(dir.path()).unwrap();
        assert_eq!(catalog.renewed(), None);
        assert_eq!(catalog.dump().unwrap(), fresh);
    }
}
