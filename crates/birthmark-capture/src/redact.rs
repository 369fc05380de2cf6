//! What must never be recorded: tokens, keys, credentials in URLs.
