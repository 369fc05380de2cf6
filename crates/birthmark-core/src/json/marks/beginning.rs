//! How far two texts are the same.

/// How many bytes two texts have in common at their beginning.
pub(super) fn common_beginning(one: &[u8], other: &[u8]) -> usize {
    let (mut left, mut right) = (one, other);
    while let (Some((a, more_left)), Some((b, more_right))) = (
        left.split_first_chunk::<32>(),
        right.split_first_chunk::<32>(),
    ) && !differ(a, b)
    {
        (left, right) = (more_left, more_right);
    }
    while let (Some((a, more_left)), Some((b, more_right))) = (
        left.split_first_chunk::<8>(),
        right.split_first_chunk::<8>(),
    ) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return one.len() - left.len() + (differs.trailing_zeros() / 8) as usize;
        }
        (left, right) = (more_left, more_right);
    }
    let rest = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    one.len() - left.len() + rest
}

/// Whether any bytes differ, asked once of all: a few instructions of whole
/// registers, where a comparison of two arrays would be a call of the C library.
#[inline]
fn differ(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let mut marks = *one;
    for (mark, byte) in marks.iter_mut().zip(other) {
        *mark ^= byte;
    }
    marks.iter().fold(0_u8, |any, mark| any | mark) != 0
}
