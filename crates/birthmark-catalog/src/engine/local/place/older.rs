//! A catalog of the version before this one: what was read for it is kept.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::names::{Edits, Named, write_all_letters};
use super::super::owners::Owner;
use super::super::rolls;
use crate::tables::{LATEST, VERSION};

/// Makes this version of the one before it: what was read is kept, and what is new follows from it.
pub(super) fn step_up(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(LATEST)?;
    let mut names = Edits::default();
    transaction
        .prepare("SELECT id, value FROM _labels WHERE name = ?")?
        .query_map([Owner::Session.field()], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        })?
        .try_for_each(|label| label.map(|(id, value)| names.set(Named::Session, id, &value)))?;
    write_all_letters(&transaction)?;
    names.write(&transaction)?;
    rolls::write_all(&transaction)?;
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
        db.execute_batch(
            "DROP TABLE _letters; DROP TABLE _rolls; DROP TABLE _looked; DELETE FROM _names WHERE stretch >= 1 << 40",
        )
        .unwrap();
        db.pragma_update(None, "user_version", BEFORE).unwrap();
        drop(catalog);
        let catalog = Local::open(dir.path()).unwrap();
        assert_eq!(catalog.renewed(), None);
        assert_eq!(catalog.dump().unwrap(), fresh);
    }
}
