//! JSON as bytes: scan a record without re-serialising it, splice a member in, cut it out.
