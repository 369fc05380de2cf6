//! What a run made of one file alone: the same bytes under another name, or once more.

use std::collections::BTreeMap;

use super::build::{Builder, End, Source};
use super::links::{Mention, is_telling};
use super::{COPIED, LINKED, RENAMED};

/// How far a builder had come.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    generated: usize,
    loose: usize,
}

impl Builder {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            generated: self.generated.len(),
            loose: self.loose.len(),
        }
    }

    /// Links what was given another name to what it was called before; where the artifact is
    /// not told of, its run has read it.
    pub(super) fn link_the_renamed(
        &mut self,
        source: Source<'_>,
        since: Mark,
        named: Vec<(usize, Mention)>,
    ) {
        for (run, input) in named {
            let made = self.generated[since.generated..].iter().rev();
            let mut of_run = made.filter(|(_, by)| *by == run).map(|(sight, _)| *sight);
            let file = |sight: &usize| Some(&self.sights[*sight].place.file);
            let Some(sight) = of_run.find(|sight| file(sight) == input.became.as_ref()) else {
                self.use_by(source, run, &input);
                continue;
            };
            let time = self.runs[run].start;
            let to = self.mention(source, &input, time, run);
            self.derive(sight, to, input.role, run);
        }
    }

    /// What a run made with the very bytes of the one thing that it read, or renamed, with these is a copy of
    /// that, unless it says itself what it was made from.
    pub(super) fn link_the_copied(&mut self, since: Mark) {
        let mut read: BTreeMap<(usize, &str), BTreeMap<&str, usize>> = BTreeMap::new();
        let mut derived = Vec::new();
        for loose in &self.loose[since.loose..] {
            let sight = &self.sights[loose.sight];
            let role = loose.role.as_deref();
            let run = match loose.from {
                End::Sight(from) => {
                    derived.push(from);
                    loose.by.filter(|_| matches!(role, Some(RENAMED | LINKED)))
                }
                End::Run(run) => Some(run).filter(|_| role == Some("read")),
            };
            let digest = sight.place.digest.as_deref();
            if let Some((run, digest)) = run.zip(digest.filter(|digest| is_telling(digest))) {
                let files = read.entry((run, digest)).or_default();
                files.insert(&sight.place.file, loose.sight);
            }
        }
        let mut copies = Vec::new();
        for (sight, run) in &self.generated[since.generated..] {
            let place = &self.sights[*sight].place;
            let digest = place.digest.as_deref().unwrap_or_default();
            if let Some(files) = read.get(&(*run, digest)).filter(|files| files.len() == 1)
                && let Some((file, from)) = files.first_key_value()
                && !derived.contains(sight)
                && *file != place.file
            {
                copies.push((*sight, *from, *run));
            }
        }
        for (sight, from, run) in copies {
            self.derive(sight, from, Some(COPIED.to_owned()), run);
        }
    }
}
