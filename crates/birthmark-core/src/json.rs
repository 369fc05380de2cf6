//! JSON as bytes: scan a record without re-serialising it, splice a member in,
//! cut it out again.
//!
//! A user's record is never parsed into values and written anew: that would
//! round 2^53 + 1, drop one of two equal keys, refuse `NaN` and reorder what
//! somebody's digest was taken over. Instead a record is *scanned* once, which
//! proves that it is a JSON object and says where its parts lie, and a
//! birthmark is put between two bytes of it:
//!
//! ```text
//! {"prompt": "…", "response": "…"}
//! {"prompt": "…", "response": "…", "metadata": {"git_commit": …}}
//!                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ spliced in, cut out
//! ```
//!
//! # What is JSON here
//!
//! Exactly what Python's `json.loads` takes: `NaN`, `Infinity`, `-Infinity`,
//! lone surrogate escapes, integers of any size and equal keys are fine; single
//! quotes, comments, trailing commas and raw control characters are not. Text
//! must be UTF-8. Of equal keys the last counts, as in Python and jq. An
//! *envelope* (a birthmark itself) is held to more: see [`check_envelope`].
//!
//! # Invariants
//!
//! * `unsplice(splice(x)) == x`, byte for byte, for each object `x`.
//! * Nothing here panics or overflows the stack, whatever the bytes are.
//! * [`scan_object`] and [`members`] allocate nothing.
//!
//! # Limitations
//!
//! * Nesting ends at [`MAX_DEPTH`] levels (Python's own limit is about as far),
//!   and at [`MAX_ENVELOPE_DEPTH`] in a birthmark.
//! * Python 3.11 and later refuse integers of more than 4,300 digits; we do not.

mod batch;
mod error;
mod followed;
mod form;
mod locate;
mod marks;
pub mod number;
mod read;
mod scan;
mod splice;
mod stamp;

pub use batch::{Batch, BatchError, Records, stamp_batch, unstamp_batch};
pub use error::{ScanError, ScanErrorKind};
pub use followed::Followed;
pub use locate::{
    Where, check_birthmark, find_birthmark, is_birthmark, is_birthmark_format, locate_birthmark,
};
pub use marks::{Change, Laid, MarkKind, Marks, Step};
pub use read::{
    Members, Walk, as_bool, as_text, as_text_lossy, as_u64, check_envelope, elements, get, is_null,
    key_is, members, quote, walk,
};
pub use scan::{
    BOM, Found, MAX_DEPTH, Member, Object, Span, as_utf8, scan_object, scan_value, without_bom,
};
pub use splice::{
    Gap, push_indented, remove_member, spelled_member, splice_member, splice_member_tidily,
    unsplice,
};
pub use stamp::{
    OnExisting, Placed, StampError, Stamper, Stamping, find_to_cut, stamp_record, stamp_report,
    unstamp_record,
};

/// How deep a birthmark may be nested: the depth that every JSON reader takes.
pub const MAX_ENVELOPE_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
