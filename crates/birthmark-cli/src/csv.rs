//! CSV for spreadsheets (RFC 4180), with nothing in it that a spreadsheet would run.

/// One line with its end. A cell that a spreadsheet would take for a formula (`=`, `+`,
/// `-`, `@` at its start) gets an apostrophe before it; a number is left as it is.
pub fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(&text)).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let first = text.trim_start().chars().next();
    let acts = matches!(first, Some('=' | '+' | '-' | '@')) && text.parse::<f64>().is_err()
        || text.starts_with(['\t', '\r', '\n']);
    let text = if acts {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    // A zero byte ends the file for some readers.
    let text = text.replace('\0', "\u{fffd}");
    if text.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_no_formulas_and_numbers_are_numbers() {
        let cells = [
            "=1+1", "-1.5", "@x", "+a", "-x", " =x", "a,\"b\"", "", "\t=1",
        ];
        assert_eq!(
            line(cells.map(str::to_owned)),
            "'=1+1,-1.5,'@x,'+a,'-x,' =x,\"a,\"\"b\"\"\",,'\t=1\r\n"
        );
    }
}
