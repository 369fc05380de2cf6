//! Never published: throw-away repositories, crash harness, and the rules of the
//! house as tests.

pub mod repo;
