//! CSV for spreadsheets (as RFC 4180 has it, but for the line ends, which are those of the
//! shell: `$(birthmark sql … --csv | tail -1)` is the value alone), with nothing in it that a spreadsheet would run, or that would
//! act on the terminal where somebody looks at it.

/// What a spreadsheet takes for the beginning of a formula, also in full width.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// One line with its end. A cell that a spreadsheet would take for a formula (`=`, `+`,
/// `-`, `@` at its start) gets an apostrophe before it; a number is left as it is. Control
/// characters but line ends and tabs are escaped: programs take JSON.
pub fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(&text)).collect();
    format!("{}\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let first = text.trim_start().chars().next();
    let acts = first.is_some_and(|first| FORMULA.contains(&first)) && text.parse::<f64>().is_err()
        || text.starts_with(['\t', '\r', '\n']);
    let text = if acts {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    let text = quiet(&text);
    if text.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

fn quiet(text: &str) -> String {
    let parts = text.split_inclusive(['\n', '\t']).map(|part| {
        let end = part.len() - usize::from(part.ends_with(['\n', '\t']));
        let (body, end) = part.split_at(end);
        format!("{}{end}", birthmark::text::neutral(body))
    });
    parts.collect::<Vec<_>>().concat()
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
            "'=1+1,-1.5,'@x,'+a,'-x,' =x,\"a,\"\"b\"\"\",,'\t=1\n"
        );
        assert_eq!(line(["＝1+1".to_owned()]), "'＝1+1\n");
    }

    #[test]
    fn nothing_in_a_cell_acts_on_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{202e}\0\rb\nc".to_owned();
        let told = line([hostile]);
        assert_eq!(told, "\"a\\x1b[2J\\u{9b}31m\\u{202e}\\x00\\rb\nc\"\n");
    }
}
