//! A time limit around anything that may hang.
