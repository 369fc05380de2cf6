//! Which of the next bytes end the plain run of a string.

/// How many bytes are looked at in one step.
pub(super) const WIDE: usize = 32;

/// A bit for each of the next [`WIDE`] bytes that is a quote, a backslash or a control character,
/// and for each that is wanting; the lowest is that of the first.
#[inline]
pub(super) fn specials(text: &[u8]) -> u32 {
    if let Some(chunk) = text.first_chunk::<WIDE>() {
        return marks(*chunk);
    }
    let mut chunk = [0; WIDE];
    for (place, byte) in chunk.iter_mut().zip(text) {
        *place = *byte;
    }
    marks(chunk)
}

#[inline]
fn marks(mut chunk: [u8; WIDE]) -> u32 {
    // A few instructions of whole registers.
    for byte in &mut chunk {
        let is_special = *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        *byte = if is_special { 0xFF } else { 0 };
    }
    gathered(chunk)
}

/// A bit for each of the last [`WIDE`] bytes of a string's text that is a quote or a control
/// character and belongs to no escape, where all escapes that end among them are of two bytes; the
/// lowest is that of the first. None where that cannot be told without a look at each.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "all is asked of each byte, so that it is asked of whole registers"
)]
#[inline]
pub(super) fn stops(text: &[u8; WIDE + 1]) -> Option<u32> {
    let (mut stops, mut wrong) = ([0_u8; WIDE], [0_u8; WIDE]);
    let places = stops.iter_mut().zip(&mut wrong);
    for ((stop, wrong), pair) in places.zip(text.windows(2)) {
        let [before, byte] = *pair else { continue };
        let follows = if before == b'\\' { 0xFF } else { 0 };
        let is_short = (byte == b'"')
            | (byte == b'/')
            | (byte == b'b')
            | (byte == b'f')
            | (byte == b'n')
            | (byte == b'r')
            | (byte == b't');
        let ends = (byte < 0x20) | (byte == b'"');
        *stop = if ends { 0xFF } else { 0 } & !follows;
        *wrong = if is_short { 0 } else { 0xFF } & follows;
    }
    // Two backslashes: which of them begins an escape depends on all before.
    let is_clear = text[0] != b'\\' && wrong.iter().fold(0, |all, wrong| all | wrong) == 0;
    is_clear.then(|| gathered(stops))
}

/// A bit for each byte that has all bits.
#[inline]
fn gathered(chunk: [u8; WIDE]) -> u32 {
    let (words, _) = chunk.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    if words.clone().fold(0, |all, word| all | word) == 0 {
        return 0;
    }
    words.rev().fold(0, |all, word| {
        // A multiplication gathers one bit of each byte in the highest byte.
        let bits = (word & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        all << 8 | u32::try_from(bits).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_at_each_place_is_marked_as_it_should_be() {
        for byte in 0..=u8::MAX {
            let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
            for at in 0..WIDE {
                for other in [b'a', 0xFF, 0x80, 0x21, 0x5D, b'"', 0] {
                    let mut chunk = [other; WIDE];
                    chunk[at] = byte;
                    let others = if matches!(other, b'"' | 0) {
                        u32::MAX
                    } else {
                        0
                    };
                    let wanted = others & !(1 << at) | u32::from(is_special) << at;
                    assert_eq!(specials(&chunk), wanted, "{byte} at {at}");
                    let cut = others | u32::MAX << at;
                    assert_eq!(specials(&chunk[..at]), cut, "cut at {at}");
                }
            }
        }
    }
}
