//! Columns for people.

/// A head and rows as aligned columns, two spaces apart, without ends of spaces. Cells
/// are screened first, so that a line end in one cannot fake a row.
pub fn render<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(&head)
        .chain(rows)
        .map(|row| {
            row.clone()
                .map(|cell| crate::ui::screened(&cell).into_owned())
        })
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned_and_cells_cannot_fake_a_row() {
        let rows = [
            ["a\nb".to_owned(), "1".to_owned()],
            ["long cell".to_owned(), String::new()],
        ];
        assert_eq!(
            super::render(["A", "B"], &rows),
            "A          B\na\\nb       1\nlong cell"
        );
    }
}
