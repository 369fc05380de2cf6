//! Fields side by side, and the code between the two.

use birthmark_core::compare::{Class, CodeBetween, Part, Row, State};

use super::super::Pair;
use super::super::render::arrow;
use super::{MOST, Page, escaped};
use crate::text;

/// What moved or is missing stands open; what is the same is folded away.
pub(super) fn fields(page: &mut Page, pair: &Pair) {
    let rows: Vec<&Row> = pair
        .judgement
        .rows
        .iter()
        .filter(|row| row.class != Class::Context)
        .take(MOST)
        .collect();
    let quiet = |row: &Row| {
        let unasked = row.state == State::MissingBoth && row.class == Class::Environment;
        row.state == State::Same || unasked
    };
    let states = [State::Moved, State::MissingOne, State::MissingBoth];
    let loud = states.iter().flat_map(|state| {
        let rows = rows.iter().filter(|row| !quiet(row));
        rows.filter(|row| row.state == *state).copied()
    });
    table(
        page,
        " open",
        "What moved, and what is not known",
        &loud.collect::<Vec<_>>(),
    );
    let same: Vec<&Row> = rows.iter().filter(|row| quiet(row)).copied().collect();
    table(page, "", "What is the same", &same);
}

fn table(page: &mut Page, open: &str, title: &str, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    let count = text::count(rows.len() as u64, "field");
    page.raw(&format!(
        "<details{open}><summary>{title} <span>{count}</span></summary><table class=\"fields\"><thead><tr>\
         <th>field</th><th>class</th><th>how it stands</th><th>value</th></tr></thead><tbody>"
    ));
    for row in rows {
        line(page, row);
    }
    page.raw("</tbody></table></details>\n");
}

fn line(page: &mut Page, row: &Row) {
    let tone = match (row.class, row.state, &row.not_counted) {
        (Class::Instrument, State::Moved, None) => "bad",
        (_, State::Same, _)
        | (_, _, Some(_))
        | (Class::Subject, _, _)
        | (Class::Environment, State::MissingBoth, _) => "",
        _ => "mind",
    };
    let value = if row.state == State::Same {
        let plain = row.a.as_ref().map(text::plain).unwrap_or_default();
        text::short(&plain, 90)
    } else {
        arrow(row).replace(" -> ", " \u{2192} ")
    };
    let why = [&row.not_counted, &row.remark].into_iter().flatten();
    let why: Vec<String> = why
        .map(|text| format!(" <i>{}</i>", escaped(text)))
        .collect();
    page.raw(&format!(
        "<tr class=\"{tone}\"><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}{}</td></tr>",
        escaped(&row.field),
        row.class.word(),
        row.state.word(),
        escaped(&value),
        why.join("")
    ));
}

pub(super) fn code(page: &mut Page, between: &CodeBetween) {
    let CodeBetween::Told(between) = between else {
        return;
    };
    // What may have run is to be seen at once.
    let matters = between.files.iter().any(|file| file.part <= Part::Untold);
    let open = if matters { " open" } else { "" };
    page.raw(&format!(
        "<details{open}><summary>Code between the two</summary><ul>"
    ));
    for commit in between.commits.iter().take(50) {
        let id = commit.id.get(..7).unwrap_or(&commit.id);
        page.raw(&format!(
            "<li><code>{}</code> {}</li>",
            escaped(id),
            escaped(&commit.title)
        ));
    }
    page.raw("</ul><ul>");
    for file in between.files.iter().take(MOST) {
        page.raw(&format!(
            "<li><code>{}</code> <i>{}</i></li>",
            escaped(&file.path),
            file.part.word()
        ));
    }
    page.raw("</ul></details>\n");
}
