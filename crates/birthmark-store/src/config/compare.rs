//! `[compare]`: which field is of which class when two things are compared.
//!
//! ```toml
//! [compare]
//! subject = ["temperature"]
//! environment = ["loader_version"]
//! ```

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

/// The classes that a field can be put into.
const CLASSES: [&str; 4] = ["subject", "instrument", "environment", "context"];

/// What is wrong, and where.
type Wrong = (Range<usize>, String);

/// Fields with their classes.
pub(super) fn read(value: &Spanned<DeValue<'_>>) -> Result<Vec<(String, String)>, Wrong> {
    let refuse = |span: Range<usize>, reason: String| Err((span, reason));
    let Some(table) = value.get_ref().as_table() else {
        return refuse(value.span(), "`compare` must be a table".to_owned());
    };
    let mut found = Vec::new();
    for (class, fields) in table {
        let class_name = class.get_ref().as_ref();
        if !CLASSES.contains(&class_name) {
            let reason = format!(
                "unknown class `{class_name}`; there are `subject`, `instrument`, `environment`, `context`"
            );
            return refuse(class.span(), reason);
        }
        let wrong = || format!("`{class_name}` must be a list of field names");
        let Some(list) = fields.get_ref().as_array() else {
            return refuse(fields.span(), wrong());
        };
        for field in list {
            match field.get_ref().as_str() {
                Some(name) if !name.is_empty() => {
                    found.push((name.to_owned(), class_name.to_owned()));
                }
                _ => return refuse(field.span(), wrong()),
            }
        }
    }
    Ok(found)
}
