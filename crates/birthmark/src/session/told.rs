//! What a session tells of some files, without reading all that thousands of writers told.
//!
//! # Invariants
//!
//! * Nothing that a journal of ours tells of what is asked for is left out: the others do not hold
//!   the text, and are passed over.
//! * A journal whose bytes were spelled otherwise than we spell them is an edited one, which is for
//!   who verifies.
//!
//! # Limits
//!
//! * Each journal is still opened and searched: some 20 µs of one with few events.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::schema::PART_SUFFIX;
use birthmark_core::session as core_session;

use super::{Session, lock};
use crate::error::Result;
use crate::sessions::{self, Wanted};

/// More names than this are not looked for: all is read.
const MOST_NAMES: usize = 4_096;
/// How a journal spells that something is planned.
const PLANNED: &str = "\"planned_artifacts\":[\"";
/// How a journal spells the root of the project as a file.
const ROOT: &str = "\"file\":\".\"";

impl Session {
    /// The session, at least as far as it tells of these texts. Of thousands of processes that come
    /// and go in one session, each would otherwise take longer than the one before.
    pub(crate) fn told_of(&self, wanted: &Wanted) -> Result<core_session::Session> {
        // Who began it follows the journals, and reads each line once.
        if !self.is_joined() {
            return self.folded();
        }
        let own = lock(&self.inner.journal).path().to_owned();
        let layout = &self.project().layout;
        Ok(sessions::told_of(layout, self.id(), &own, wanted)?)
    }

    /// The same of files, of the folders that they lie in and the reports whose parts they are, of
    /// other `names`, and of what is planned.
    pub(crate) fn told_of_files<P: AsRef<Path>>(
        &self,
        files: impl IntoIterator<Item = P>,
        names: &[&str],
    ) -> Result<core_session::Session> {
        let mut names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for file in files {
            let file = file.as_ref();
            let text = file.to_str();
            let report = text.and_then(|text| text.strip_suffix(PART_SUFFIX));
            // What holds the whole project is no file of it, nor is an empty name any.
            let root = self.project().root();
            let is_above = |way: &&Path| !root.starts_with(way);
            let ways = file
                .ancestors()
                .filter(is_above)
                .chain(report.map(Path::new));
            names.extend(ways.map(|way| self.project().stored_path(way)));
        }
        if names.len() > MOST_NAMES {
            return self.folded();
        }
        let spelled = names
            .iter()
            .filter_map(|name| serde_json::to_string(name).ok());
        let spelled = spelled.chain([ROOT, PLANNED].map(str::to_owned));
        self.told_of(&Wanted::spelled(spelled.collect()))
    }
}

#[cfg(test)]
mod tests {
    use birthmark_core::Fields;
    use birthmark_core::event::{ArtifactUsed, Event, OpenedBy, Outcome, SeedsObserved};
    use birthmark_testing::repo::TestRepo;
    use serde_json::{Value, json};

    use crate::session::{Begin, RunEnd, begin, start_from_shell};

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        }
    }

    /// One joined process after the other: each read `data/all.csv`, which only the first had to
    /// tell, and a file of its own.
    #[test]
    fn what_another_process_must_parse_does_not_grow_with_their_number() {
        let repo = TestRepo::with_commit();
        let joined = || begin(Begin::at(repo.path(), OpenedBy::Script)).unwrap();
        start_from_shell(Begin::at(repo.path(), OpenedBy::Shell)).unwrap();
        let shared = repo.path().join("data/all.csv");
        for number in 0..30 {
            let session = joined();
            let (folder, own) = (repo.path().join("m"), format!("data/\"{number}.csv"));
            let told = session.told_of_files([&shared, &folder.join("a/b")], &[]);
            let told = told.unwrap();
            // Its own, and of what is asked for that of the first.
            assert_eq!(told.heads.len(), 1 + usize::from(number > 0), "{number}");
            let mut used = told.used.iter();
            assert_eq!(
                used.any(|input| input["file"] == "data/all.csv"),
                number > 0
            );
            let record = |event: Event| session.record(event).unwrap();
            let used = |file: &str| {
                let input = fields(json!({"file": file}));
                Event::from(ArtifactUsed { input })
            };
            record(used(&own));
            if number == 0 {
                record(used("data/all.csv"));
                let seeds = fields(json!({"random.seed": 7, "numpy.random.seed": [1, "a"]}));
                record(SeedsObserved { seeds }.into());
            }
            session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        }
        let last = joined();
        let has = |file: &str| {
            let told = last.told_of_files([repo.path().join(file)], &[]).unwrap();
            told.used
                .iter()
                .any(|input| input["file"] != "data/all.csv")
        };
        assert!(has("data/\"7.csv") && has("data/\"7.csv/within"));
        assert!(!has("data/\"70.csv"));
        // A file beside the code lies in the root, which every journal names as the working folder.
        let told = last
            .told_of_files([repo.path().join("x.csv")], &[])
            .unwrap();
        assert_eq!(told.heads.len(), 1);
        let seeds = |value: Value| last.not_told(fields(value)).unwrap().len();
        assert_eq!(
            seeds(json!({"random.seed": 7, "numpy.random.seed": [1, "a"]})),
            0
        );
        assert_eq!(
            seeds(json!({"random.seed": 8, "numpy.random.seed": [1, "b"]})),
            2
        );
        assert_eq!(last.folded().unwrap().heads.len(), 32);
        last.end(RunEnd::plain(Outcome::Completed)).unwrap();
    }
}
