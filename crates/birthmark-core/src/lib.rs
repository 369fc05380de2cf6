//! What provenance means: types and rules, with no file, process, network,
//! clock or chance. Everything here is a function of its arguments, so all of
//! it can be tested without a machine around it.

pub mod code;
pub mod environment;
pub mod finding;
pub mod json;

pub use finding::Finding;
