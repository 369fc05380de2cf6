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
/// The narrowest that the column is cut to which gives way first.
const LEAST_FIRST: usize = 20;
/// Columns that people copy from, and words that say nothing when cut: they stay whole, also where
/// the table is then too wide.
const WHOLE: [&str; 10] = [
    "SESSION", "SNAPSHOT", "COMMIT", "CODE", "RUN", "STARTED", "STATUS", "TAKEN", "LIVES", "WHEN",
];

/// Whether the column of this head stays whole; a head may name its zone behind it.
fn is_whole(head: &str) -> bool {
    WHOLE.contains(&head.split(" (").next().unwrap_or(head))
}

/// A head and rows as aligned columns that fit a width, two spaces apart, without ends of
/// spaces: what is too wide is cut in its middle, first in the column `first`, then in
/// whichever is the widest. Cells are screened first, so that a line end in one cannot fake
/// a row.
pub fn fitted(head: &[String], rows: &[Vec<String>], width: usize, first: Option<usize>) -> String {
    let rows = screened(head, rows);
    let floors = first.map(|at| (at, LEAST_FIRST));
    laid(head, &rows, width, floors, cut)
}

/// The same where the column holds paths: their folders give way first, and the names of the files
/// themselves after all other columns.
pub fn fitted_files(
    head: &[String],
    rows: &[Vec<String>],
    width: usize,
    files: Option<usize>,
) -> String {
    let rows = screened(head, rows);
    let named = files.map(|at| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| parted(cell).own_width()).max();
        (at, widest.unwrap_or(0).max(LEAST_FIRST))
    });
    laid(head, &rows, width, named, |cell, width| {
        let parts = parted(cell);
        if cell.chars().count() > width && parts.own_width() <= width {
            return parts.cut(width);
        }
        cut(cell, width)
    })
}

/// Whether a head and rows stand within a width as they are.
pub fn fits(head: &[String], rows: &[Vec<String>], width: usize) -> bool {
    let widths = widths(&screened(head, rows));
    widths.iter().sum::<usize>() + gaps(&widths) <= width
}

/// Whether the names of files stay whole in a table of this width.
pub fn names_fit(
    head: &[String],
    rows: &[Vec<String>],
    width: usize,
    files: Option<usize>,
) -> bool {
    let rows = screened(head, rows);
    let widths = widths(&rows);
    let least = |(at, width): (usize, &usize)| {
        if Some(at) == files {
            let cells = rows.iter().filter_map(|row| row.get(at));
            return cells
                .map(|cell| parted(cell).own_width())
                .max()
                .unwrap_or(0);
        }
        if head.get(at).is_some_and(|name| is_whole(name)) {
            *width
        } else {
            LEAST.min(*width)
        }
    };
    widths.iter().enumerate().map(least).sum::<usize>() + gaps(&widths) <= width
}

/// Head and rows, made fit for a terminal.
fn screened(head: &[String], rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let screened = |cell: &String| crate::ui::screened(cell).into_owned();
    std::iter::once(head)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| row.iter().map(screened).collect())
        .collect()
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

fn gaps(widths: &[usize]) -> usize {
    2 * widths.len().saturating_sub(1)
}

fn laid(
    head: &[String],
    rows: &[Vec<String>],
    width: usize,
    first: Option<(usize, usize)>,
    cut_first: impl Fn(&str, usize) -> String,
) -> String {
    let mut widths = widths(rows);
    let whole: Vec<bool> = head.iter().map(|name| is_whole(name)).collect();
    shrink(&mut widths, width, first, &whole);
    let cut_row = |row: &Vec<String>| -> Vec<String> {
        let cells = row.iter().zip(&widths).enumerate();
        let is_first = |at| first.is_some_and(|(first, _)| first == at);
        cells
            .map(|(at, (cell, width))| {
                if is_first(at) {
                    cut_first(cell, *width)
                } else {
                    cut(cell, *width)
                }
            })
            .collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cut_row).collect();
    let widths = self::widths(&rows);
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A path in a cell: the project before it, its folders, and its own name with what is said of it.
struct Parted<'a> {
    project: &'a str,
    folders: &'a str,
    name: &'a str,
}

fn parted(cell: &str) -> Parted<'_> {
    let (project, path) = match cell.split_once(": ") {
        Some((project, _)) if !project.contains('/') => cell.split_at(project.len() + 2),
        _ => ("", cell),
    };
    // A name with its remark: `a.jsonl (edited)`.
    let bare = path.split(" (").next().unwrap_or(path);
    let (folders, name) = path.split_at(bare.rfind('/').map_or(0, |at| at + 1));
    Parted {
        project,
        folders,
        name,
    }
}

impl Parted<'_> {
    /// The width without folders.
    fn own_width(&self) -> usize {
        let mark = if self.folders.is_empty() { 0 } else { 2 };
        self.project.chars().count() + self.name.chars().count() + mark
    }

    /// As many of the last folders as there is room for.
    fn cut(&self, width: usize) -> String {
        let mut kept = "";
        for (at, _) in self
            .folders
            .char_indices()
            .rev()
            .filter(|(_, each)| *each == '/')
        {
            let longer = self.folders.get(at..).unwrap_or_default();
            if self.own_width() + longer.chars().count() > width + 1 {
                break;
            }
            kept = longer;
        }
        format!("{}…{kept}{}", self.project, self.name)
    }
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

/// Narrows columns until they fit: the first one as far as it may, then the widest, in the end
/// the first one too.
fn shrink(widths: &mut [usize], width: usize, first: Option<(usize, usize)>, whole: &[bool]) {
    let gaps = gaps(widths);
    loop {
        let sum: usize = widths.iter().sum::<usize>() + gaps;
        let over = sum.saturating_sub(width);
        if over == 0 {
            return;
        }
        let wide = |at: usize| widths.get(at).copied().unwrap_or(0);
        if let Some((at, floor)) = first.filter(|(at, floor)| wide(*at) > *floor) {
            widths[at] = wide(at).saturating_sub(over).max(floor);
            continue;
        }
        let others = (0..widths.len()).filter(|at| {
            whole.get(*at) != Some(&true) && first.is_none_or(|(first, _)| first != *at)
        });
        let widest = others
            .max_by_key(|at| wide(*at))
            .filter(|at| wide(*at) > LEAST);
        let last = first.map(|(at, _)| at).filter(|at| wide(*at) > LEAST);
        // The widest gives way step by step, so that others may become the widest.
        let Some(at) = widest.or(last) else {
            return;
        };
        widths[at] = wide(at) - 1;
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
    fn folders_give_way_first_and_names_of_files_last() {
        let head = ["TYPE", "FILE", "NOTE"].map(str::to_owned);
        let cells = [
            "p2: artifacts/deep/evaluation_1.json (edited)",
            "artifacts/evaluation_2.json",
        ];
        let rows: Vec<Vec<String>> = cells
            .iter()
            .map(|cell| vec!["evaluation".to_owned(), (*cell).to_owned(), "y".repeat(30)])
            .collect();
        let shown = super::fitted_files(&head, &rows, 76, Some(1));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines.iter().all(|line| line.chars().count() <= 76),
            "{shown}"
        );
        assert!(
            lines[1].contains("p2: …/evaluation_1.json (edited)"),
            "{shown}"
        );
        assert!(lines[2].contains("artifacts/evaluation_2.json"), "{shown}");
        let shown = super::fitted_files(&head, &rows, 56, Some(1));
        assert!(
            shown.contains("p2: …/evaluation_1.json (edited)"),
            "{shown}"
        );
        assert!(
            shown.lines().all(|line| line.chars().count() <= 56),
            "{shown}"
        );
        let shown = super::fitted_files(&head, &rows, 40, Some(1));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 40),
            "{shown}"
        );
        assert!(super::fits(&head, &rows, 200) && !super::fits(&head, &rows, 76));
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
