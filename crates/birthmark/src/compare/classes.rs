//! The table of classes as a project has it, and the words that name its fields.

use birthmark_core::compare::{self, Class};
use birthmark_core::near;
use serde_json::{Value, json};

use super::{Compared, Options};
use crate::error::{Error, Result};

/// Refuses a word of `--subject` or `--accept` that means no field at all: a misspelled one
/// would be taken for a yes.
pub(super) fn meant(compared: Compared, options: &Options) -> Result<Compared> {
    let stands = |word: &str| {
        let rows = compared.pairs.iter().flat_map(|pair| &pair.judgement.rows);
        compare::is_known(word)
            || rows
                .into_iter()
                .any(|row| compare::is_meant(word, &row.field))
            || ["items", "environment", "report", "content"].contains(&word)
    };
    match options
        .subject
        .iter()
        .chain(&options.accept)
        .find(|word| !stands(word))
    {
        None => Ok(compared),
        Some(word) => {
            let message = format!("there is no field `{}`", crate::text::short(word, 60));
            let hint = match nearest(word, &compared) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    "`birthmark compare --classes` names the fields and their groups".to_owned()
                }
            };
            Err(Error::usage("field", message).with_hint(hint))
        }
    }
}

/// The field or group whose name is nearly the word.
fn nearest(word: &str, compared: &Compared) -> Option<String> {
    let rows = compared.pairs.iter().flat_map(|pair| &pair.judgement.rows);
    let table = compare::TABLE
        .iter()
        .flat_map(|rule| [rule.field, rule.group]);
    let names = table.chain(rows.map(|row| row.field.as_str()));
    near::nearest(word, names).map(str::to_owned)
}

/// One line of the table of classes.
#[derive(Debug, Clone)]
pub struct ClassOf {
    /// The field.
    pub field: String,
    /// Its class.
    pub class: &'static str,
    /// How much it is wanted in evaluations: `required`, `expected`, or nothing.
    pub need: &'static str,
    /// The word that names it together with its like.
    pub group: String,
}

impl ClassOf {
    /// The line as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "field": self.field, "class": self.class, "need": self.need, "group": self.group })
    }
}

/// Which field is of which class in a project: the table, then what its settings add.
pub fn classes(project: &crate::Project) -> Vec<ClassOf> {
    let set: Vec<(String, Class)> = set_by(project);
    let line = |field: &str, group: &str, need| ClassOf {
        field: field.to_owned(),
        class: compare::class_of(field, &set).word(),
        need,
        group: group.to_owned(),
    };
    let table = compare::TABLE.iter().map(|rule| {
        let need = match rule.need {
            compare::Need::Required => "required",
            compare::Need::Expected => "expected",
            compare::Need::Optional => "",
        };
        line(rule.field, rule.group, need)
    });
    let own = set
        .iter()
        .filter(|(name, _)| !compare::is_known(name))
        .map(|(name, _)| line(name, "birthmark.toml", ""));
    table.chain(own).collect()
}

pub(super) fn set_by(project: &crate::Project) -> Vec<(String, Class)> {
    let set = project.config.compare.iter();
    set.filter_map(|(name, word)| Some((name.clone(), Class::parse(word)?)))
        .collect()
}
