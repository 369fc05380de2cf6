//! Looks at the world, and promises that looking does no harm.
//!
//! * A probe never raises: it answers [`Finding`](birthmark_core::Finding).
//! * A probe never hangs: it has a time limit, and what is late is *unknown*.
//! * A probe never changes what it sees, and runs nothing that it finds there.
//! * What leaves this crate is redacted: no secret of known shape passes it.

pub mod chance;
pub mod clock;
pub mod git;
pub mod gpu;
pub mod host;
pub mod launcher;
pub mod probe;
pub mod process;
pub mod python;
pub mod redact;
