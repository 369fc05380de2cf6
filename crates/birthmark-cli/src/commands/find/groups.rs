//! What was found, counted by the values of a field.

use birthmark::text;
use serde_json::json;

use super::FindArgs;
use crate::failure::Failure;
use crate::ui::Ui;
use crate::{csv, table};

/// Prints the counts.
pub(super) fn groups(
    ui: &mut Ui,
    args: &FindArgs,
    field: &str,
    groups: &[(Option<String>, u64)],
) -> Result<(), Failure> {
    if args.json {
        let all = groups
            .iter()
            .map(|(value, count)| json!({ "value": value, "count": count }))
            .collect();
        ui.json(&all)?;
        return Ok(());
    }
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    if args.csv {
        let mut out = csv::line([field.to_owned(), "count".to_owned()]);
        for (value, count) in groups {
            out.push_str(&csv::line([
                value.clone().unwrap_or_default(),
                count.to_string(),
            ]));
        }
        ui.raw(out.as_bytes())?;
        return Ok(());
    }
    let lines: Vec<Vec<String>> = groups
        .iter()
        .map(|(value, count)| vec![text::grouped(*count), word(value)])
        .collect();
    let head = ["COUNT".to_owned(), field.to_uppercase()];
    ui.as_it_stands(&table::fitted(&head, &lines, ui.table_width(), Some(1)))?;
    Ok(())
}
