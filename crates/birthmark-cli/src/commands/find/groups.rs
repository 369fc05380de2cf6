//! What was found, counted by the values of fields.

use birthmark::text;
use serde_json::{Map, Value, json};

use super::{FindArgs, SCREEN};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::{csv, table};

/// Prints the counts.
pub(super) fn groups(
    ui: &mut Ui,
    args: &FindArgs,
    groups: &[(Vec<Option<String>>, u64)],
) -> Result<(), Failure> {
    let fields = &args.group_by;
    let groups = groups
        .get(..shown(ui, args, groups.len()))
        .unwrap_or(groups);
    if args.json {
        let all: Vec<Value> = groups
            .iter()
            .map(|(values, count)| match values.as_slice() {
                [value] => json!({ "value": value, "count": count }),
                _ => json!({ "values": by_name(fields, values), "count": count }),
            })
            .collect();
        ui.json(&Value::Array(all))?;
        return Ok(());
    }
    if args.csv {
        let count = std::iter::once("count".to_owned());
        let mut out = csv::line(fields.iter().cloned().chain(count));
        for (values, count) in groups {
            let values = values.iter().map(|value| value.clone().unwrap_or_default());
            out.push_str(&csv::line(values.chain([count.to_string()])));
        }
        ui.raw(out.as_bytes())?;
        return Ok(());
    }
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let lines: Vec<Vec<String>> = groups
        .iter()
        .map(|(values, count)| {
            let mut line = vec![text::grouped(*count)];
            line.extend(values.iter().map(word));
            line
        })
        .collect();
    let mut head = vec!["COUNT".to_owned()];
    head.extend(fields.iter().map(|field| field.to_uppercase()));
    ui.as_it_stands(&table::fitted(&head, &lines, ui.table_width(), Some(1)))?;
    Ok(())
}

/// How many of so many are shown.
pub(super) fn shown(ui: &Ui, args: &FindArgs, of: usize) -> usize {
    let on_screen = ui.is_terminal() && !args.json && !args.csv;
    args.limit
        .or(on_screen.then_some(SCREEN))
        .unwrap_or(of)
        .min(of)
}

fn by_name(fields: &[String], values: &[Option<String>]) -> Map<String, Value> {
    let pairs = fields.iter().zip(values);
    pairs
        .map(|(field, value)| (field.clone(), json!(value)))
        .collect()
}
