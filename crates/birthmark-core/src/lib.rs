//! What provenance means: types and rules, with no file, process, network,
//! clock or chance. Everything here is a function of its arguments, so all of
//! it can be tested without a machine around it.
//!
//! | question | room |
//! |---|---|
//! | which fields has a birthmark, who may set them, in which order? | [`birthmark`] |
//! | where in a line of JSON does it stand? | [`json`] |
//! | what can a journal say? | [`event`] |
//! | what follows from the events: manifest, status, plan? | [`session`], [`plan`] |
//! | what does an evaluation say, whatever tool wrote it? | [`evaluation`] |
//! | may two things be compared, and is the difference real? | [`compare`], [`stats`] |
//! | what came from what? | [`lineage`] |
//! | is what was made again the same? | [`reproduce`] |
//! | what is known of the code, of the machine? | [`code`], [`environment`] |
//! | which word was meant by a mistyped one? | [`near`] |
//! | which of several moments was first? | [`order`] |
//! | how are things named? | [`id`], [`digest`], [`timestamp`], [`schema`] |

pub mod base64;
pub mod birthmark;
pub mod code;
pub mod compare;
pub mod digest;
pub mod environment;
pub mod evaluation;
pub mod event;
pub mod finding;
pub mod glob;
pub mod id;
pub mod json;
pub mod lineage;
pub mod near;
pub mod order;
pub mod plan;
pub mod policy;
pub mod reproduce;
pub mod schema;
pub mod session;
pub mod snapshot;
pub mod stats;
pub mod timestamp;
pub mod wrote;

pub use birthmark::Fields;
pub use finding::Finding;
pub use id::{RunId, SessionId, WriterId};
pub use timestamp::Timestamp;
