//! The only place that asks for random bits.

/// `N` random bytes from the operating system: never from a user's seeded
/// generator, so two sessions that start in the same microsecond with the same
/// seed still differ.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bytes to be had: {error}"))?;
    Ok(bytes)
}
