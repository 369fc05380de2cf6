//! What a dirty tree held of which no snapshot was kept, file by file: only what may have run or
//! been read, and of which nobody knows the bytes, keeps a comparison from being told.

use super::super::{Reason, Side, Weight};
use super::verdict::{Case, get, is_loose, named};
use super::{Changed, Part};

impl Case<'_> {
    /// What a dirty tree held that nothing kept.
    pub(super) fn unkept(&self) -> Vec<Reason> {
        let loose = self.sides.map(is_loose);
        let said = [0, 1].map(|side| loose[side].then(|| self.unkept_of(self.sides[side])));
        let reason = |who: &str, (weight, tail): (Weight, String)| {
            let text = format!("{who} ran on a dirty tree of which no snapshot was kept{tail}");
            Reason::new(weight, "dirty", "git_dirty", text)
        };
        match said {
            [Some(a), Some(b)] if a == b => vec![reason("both", a)],
            said => said
                .into_iter()
                .enumerate()
                .filter_map(|(side, said)| Some(reason(&self.sides[side].name, said?)))
                .collect(),
        }
    }

    fn unkept_of(&self, side: &Side) -> (Weight, String) {
        let Some(files) = &side.unkept else {
            return (
                Weight::CannotTell,
                ": the commit is not what scored".to_owned(),
            );
        };
        let those = |wanted: &dyn Fn(&Changed) -> bool| -> Vec<&str> {
            let files = files.iter().filter(|file| wanted(file));
            files.map(|file| file.path.as_str()).collect()
        };
        let is_known = |file: &Changed| {
            self.held.is_some() && file.part == Part::Loaded
                || file.part == Part::Script && get(side, "script_sha").is_some()
        };
        let harmless = [Part::Prose, Part::NotLoaded, Part::Judged, Part::Apart];
        let open = those(&|file| !is_known(file) && !harmless.contains(&file.part));
        if !open.is_empty() {
            let text = format!(", and what {} held is not known", named(&open));
            return (Weight::CannotTell, text);
        }
        let apart = those(&|file| file.part == Part::Apart);
        if !apart.is_empty() {
            let how = match self.gap() {
                Some(_) => "which it was not seen to load",
                None => "which its script does not import, as far as its text tells",
            };
            let text = format!("; {} was edited, {how}", named(&apart));
            return (Weight::Caveat, text);
        }
        let text = match &self.held {
            Some(_) => "; what it loaded is known by its bytes".to_owned(),
            None => format!("; what was edited is known: {}", named(&those(&|_| true))),
        };
        let sure = self.held.is_some() && self.gap().is_none();
        (if sure { Weight::Note } else { Weight::Caveat }, text)
    }
}
