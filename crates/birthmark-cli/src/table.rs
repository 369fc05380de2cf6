//! Columns for people.

/// A head and rows as aligned columns that fit a width, as [`fitted`] makes them.
pub fn render<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    width: usize,
    first: usize,
) -> String {
    let head = head.map(str::to_owned);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
    fitted(&head, &rows, width, Some(first))
}

/// The narrowest that a column is cut to.
const LEAST: usize = 8;
/// Columns that people copy from: never cut, also where the table is then too wide.
const COPIED: [&str; 5] = ["SESSION", "SNAPSHOT", "COMMIT", "CODE", "RUN"];

/// A head and rows as aligned columns that fit a width, two spaces apart, without ends of
/// spaces: what is too wide is cut in its middle, first in the column `first`, then in
/// whichever is the widest. Cells are screened first, so that a line end in one cannot fake
/// a row.
pub fn fitted(head: &[String], rows: &[Vec<String>], width: usize, first: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| {
            let screened = |cell: &String| crate::ui::screened(cell).into_owned();
            row.iter().map(screened).collect()
        })
        .collect();
    let mut widths = vec![0; head.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let whole: Vec<bool> = head
        .iter()
        .map(|name| COPIED.contains(&name.as_str()))
        .collect();
    shrink(&mut widths, width, first, &whole);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{:<width$}", cut(cell, *width), width = *width))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Each row as a block, with a line for each of its cells that says anything: for what has
/// too many columns to stand on a line. What is too wide is cut in its middle.
pub fn stood(head: &[String], rows: &[Vec<String>], width: usize) -> String {
    let screened = |name: &String| crate::ui::screened(name).into_owned();
    let names: Vec<String> = head.iter().map(screened).collect();
    let wide = names.iter().map(|name| name.chars().count()).max();
    let wide = wide.unwrap_or(0).min(width / 2);
    let block = |row: &Vec<String>| {
        let cells = names.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        let line = |(name, cell): (&String, &String)| {
            let room = width.saturating_sub(wide + 2).max(LEAST);
            let cell = cut(&crate::ui::screened(cell), room);
            format!("{:<wide$}  {cell}", cut(name, wide))
        };
        cells.map(line).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

fn shrink(widths: &mut [usize], width: usize, first: Option<usize>, whole: &[bool]) {
    let gaps = 2 * widths.len().saturating_sub(1);
    loop {
        let sum: usize = widths.iter().sum::<usize>() + gaps;
        let over = sum.saturating_sub(width);
        let preferred = first.filter(|at| widths.get(*at).is_some_and(|width| *width > 20));
        let widest = (0..widths.len())
            .filter(|at| whole.get(*at) != Some(&true))
            .max_by_key(|at| widths[*at]);
        let Some(at) = preferred.or(widest) else {
            return;
        };
        let floor = if preferred.is_some() { 20 } else { LEAST };
        if over == 0 || widths[at] <= floor {
            return;
        }
        // The widest gives way step by step, so that others may become the widest.
        let step = if preferred.is_some() { over } else { 1 };
        widths[at] = widths[at].saturating_sub(step).max(floor);
    }
}

/// Cut in its middle, so that the end of a path is still seen.
fn cut(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width {
        return cell.to_owned();
    }
    let tail = width.saturating_sub(1) / 2;
    let head = width.saturating_sub(1) - tail;
    let start = cell.chars().take(head);
    let end = cell.chars().skip(length - tail);
    start.chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_fit_and_what_is_cut_is_marked() {
        let head = ["WHEN", "FILE"].map(str::to_owned);
        let rows = vec![vec![
            "yesterday".to_owned(),
            format!("artifacts/{}.jsonl", "x".repeat(100)),
        ]];
        let shown = super::fitted(&head, &rows, 40, Some(1));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 40),
            "{shown}"
        );
        assert!(shown.contains("artifacts/xxxx…"), "{shown}");
        assert!(shown.contains(".jsonl"), "{shown}");
        let wide = super::fitted(&head, &rows, 400, Some(1));
        assert!(!wide.contains('…'));
    }

    #[test]
    fn rows_of_many_columns_stand_with_a_line_for_each_that_says_anything() {
        let head: Vec<String> = (0..20).map(|at| format!("column_{at}")).collect();
        let mut row = vec![String::new(); 20];
        row[3] = "x".repeat(100);
        row[19] = "y\nz".to_owned();
        let shown = super::stood(&head, &[row.clone(), row], 80);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
        assert_eq!(lines[1], "column_19  y\\nz");
    }

    #[test]
    fn what_people_copy_is_never_cut() {
        let head = ["STATUS", "SCRIPT", "SESSION"].map(str::to_owned);
        let id = "20261126_000000_k3f9";
        let rows = vec![vec!["completed".to_owned(), "x".repeat(60), id.to_owned()]];
        for width in [20, 40, 60] {
            let shown = super::fitted(&head, &rows, width, Some(1));
            assert!(shown.ends_with(id), "{shown}");
        }
    }

    #[test]
    fn columns_are_aligned_and_cells_cannot_fake_a_row() {
        let rows = [
            ["a\nb".to_owned(), "1".to_owned()],
            ["long cell".to_owned(), String::new()],
        ];
        assert_eq!(
            super::render(["A", "B"], &rows, 80, 0),
            "A          B\na\\nb       1\nlong cell"
        );
    }
}
