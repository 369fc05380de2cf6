//! What SQL does not know: containing without regard to case.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::filter::fold;

/// Puts our functions into a connection.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // The second argument is folded already.
    connection.create_scalar_function("bm_contains", 2, flags, |context| {
        let text = context.get_raw(0);
        let Ok(text) = text.as_str() else {
            return Ok(false);
        };
        let wanted = context.get_raw(1);
        let wanted = wanted.as_str().unwrap_or_default();
        Ok(contains(text, wanted))
    })
}

fn contains(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        let (text, folded) = (text.as_bytes(), folded.as_bytes());
        return folded.is_empty()
            || text
                .windows(folded.len())
                .any(|window| window.eq_ignore_ascii_case(folded));
    }
    fold(text).contains(folded)
}
