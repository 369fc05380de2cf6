//! The birthmark of the record at hand, kept up by what changed since the record before.
//!
//! Who reads records one after the other is told by [`super::Marks`] what changed in each. Of
//! twenty members three differ, as a rule: these are taken over, and nothing is compared again.
//!
//! # Invariants
//!
//! * Every record with a birthmark is followed, in order: by [`Followed::anew`], or by
//!   [`Followed::change`] where it has the members of the one before.

use super::Change;
use super::read::{as_text_lossy, members};
use super::scan::Span;

/// The members of the birthmark at hand.
#[derive(Debug, Default)]
pub struct Followed {
    names: Vec<String>,
    values: Vec<Vec<u8>>,
    /// How often the members became others.
    shape: u64,
}

impl Followed {
    /// A birthmark of which nothing is known: bytes that are known to be a JSON object.
    pub fn anew(&mut self, birthmark: &[u8]) {
        let mut count = 0;
        let mut is_same = true;
        for (key, value) in members(birthmark) {
            let name = as_text_lossy(key).unwrap_or_default();
            let known = self.names.get_mut(count).zip(self.values.get_mut(count));
            if let Some((known, memory)) = known {
                if *known != name {
                    is_same = false;
                    known.clear();
                    known.push_str(&name);
                }
                take(memory, value);
            } else {
                is_same = false;
                self.names.push(name.into_owned());
                self.values.push(value.to_vec());
            }
            count += 1;
        }
        is_same &= self.names.len() == count;
        self.names.truncate(count);
        self.values.truncate(count);
        self.shape += u64::from(!is_same);
    }

    /// The birthmark of `record`, which has the members of the one before but for these.
    pub fn change(&mut self, record: &[u8], changes: &[Change]) {
        for Change { member, value } in changes {
            if let Some(memory) = self.values.get_mut(*member) {
                take(memory, Span::of(*value, record));
            }
        }
    }

    /// A number that stays as long as the members have the same names and places.
    pub fn shape(&self) -> u64 {
        self.shape
    }

    /// The place of a member among the members; of equal names the last.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| known == name)
    }

    /// The value of the member at this place.
    pub fn value(&self, place: usize) -> Option<&[u8]> {
        self.values.get(place).map(Vec::as_slice)
    }

    /// Each member's name and value, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let values = self.values.iter().map(Vec::as_slice);
        self.names.iter().map(String::as_str).zip(values)
    }

    /// The value of a member, by its name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.value(self.place(name)?)
    }
}

fn take(memory: &mut Vec<u8>, value: &[u8]) {
    memory.clear();
    memory.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::super::{Marks, Step, Where};
    use super::*;

    #[test]
    fn members_are_those_of_each_record_however_they_change() {
        let records = [
            r#"{"metadata": {"git_commit": "a", "seed": 1, "x": "y", "birthmark": "birthmark/v1"}}"#,
            r#"{"longer": 1, "metadata": {"git_commit": "a", "seed": 22, "x": "y", "birthmark": "birthmark/v1"}}"#,
            r#"{"metadata": {"git_commit": "bb", "seed": 22, "x": "", "birthmark": "birthmark/v1"}}"#,
            r#"{"metadata": {"git_commit": "bb", "seed": 22, "x": "", "birthmark": "birthmark/v1"}}"#,
            r#"{"metadata": {"git_commit": "bb", "seed": 22, "z": "", "birthmark": "birthmark/v1"}}"#,
            r#"{"metadata": {"git_commit": "bb", "z": "", "seed": 1, "birthmark": "birthmark/v1", "y": 0}}"#,
        ];
        let (mut marks, mut followed) = (Marks::default(), Followed::default());
        let mut told = 0;
        let mut shapes = Vec::new();
        for record in records.map(str::as_bytes) {
            let (place, step) = marks.find(record).unwrap();
            let raw = place.value(record).unwrap();
            match (step, place) {
                (Step::Same, Where::Metadata(member)) => {
                    let changes: Vec<Change> = marks.changes(member.value.start).collect();
                    told += changes.len();
                    followed.change(record, &changes);
                }
                _ => followed.anew(raw),
            }
            let truth: Vec<&[u8]> = members(raw).map(|(_, value)| value).collect();
            assert_eq!(followed.values, truth);
            shapes.push(followed.shape());
        }
        assert_eq!((told, shapes), (3, vec![1, 1, 1, 1, 2, 3]));
    }
}
