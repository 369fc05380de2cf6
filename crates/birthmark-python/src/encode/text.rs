//! Strings as `json.dumps` writes them.
//!
//! Python's `ensure_ascii` also escapes DEL (0x7f), which JSON itself would
//! allow; without it only quotes, backslashes and the 32 control characters are
//! escaped. A lone surrogate, which UTF-8 cannot hold, is written as `\udXXX`
//! in both cases.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` in quotes, escaped.
pub(super) fn write_str(out: &mut Vec<u8>, text: &str, ensure_ascii: bool) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_body(out, text, ensure_ascii);
    out.push(b'"');
}

/// Appends in quotes what Python's `surrogatepass` made of a string: UTF-8 in
/// which lone surrogates stand as three bytes.
pub(super) fn write_surrogates(out: &mut Vec<u8>, bytes: &[u8], ensure_ascii: bool) {
    out.push(b'"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        write_body(out, valid, ensure_ascii);
        rest = &rest[valid.len()..];
        if let [_, second, third, after @ ..] = rest {
            let low = u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f);
            write_unit(out, 0xd000 | low);
            rest = after;
        } else {
            rest = &[];
        }
    }
    out.push(b'"');
}

fn write_body(out: &mut Vec<u8>, text: &str, ensure_ascii: bool) {
    if ensure_ascii {
        write_escaped::<true>(out, text);
    } else {
        write_escaped::<false>(out, text);
    }
}

fn write_escaped<const ASCII: bool>(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_prefix::<ASCII>(rest.as_bytes()));
        out.extend_from_slice(plain.as_bytes());
        if special.is_empty() {
            return;
        }
        rest = write_specials::<ASCII>(out, special);
    }
}

/// The length of the longest start of `bytes` that needs no escape. It ends on
/// a character boundary: what stops it is ASCII, or the first byte of a character.
fn plain_prefix<const ASCII: bool>(bytes: &[u8]) -> usize {
    let mut clean = clean_chunks::<ASCII, 16>(bytes);
    clean += clean_chunks::<ASCII, 4>(&bytes[clean..]);
    let rest = &bytes[clean..];
    clean
        + rest
            .iter()
            .position(|&byte| is_special::<ASCII>(byte))
            .unwrap_or(rest.len())
}

/// The length of the chunks of `N` bytes before the first that holds a special one.
/// There is no early exit within a chunk, so that the compiler uses vectors.
fn clean_chunks<const ASCII: bool, const N: usize>(bytes: &[u8]) -> usize {
    let special = |chunk: &[u8; N]| {
        chunk
            .iter()
            .fold(0, |any, &byte| any | u8::from(is_special::<ASCII>(byte)))
            != 0
    };
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().position(special).unwrap_or(chunks.len()) * N
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "branches would keep the loop from vectors"
)]
const fn is_special<const ASCII: bool>(byte: u8) -> bool {
    let beyond = if ASCII {
        byte.wrapping_sub(0x20) >= 0x5f
    } else {
        byte < 0x20
    };
    beyond | (byte == b'"') | (byte == b'\\')
}

/// Writes the special characters that `text` starts with; returns the rest.
fn write_specials<'a, const ASCII: bool>(out: &mut Vec<u8>, text: &'a str) -> &'a str {
    for (at, character) in text.char_indices() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\x08' => out.extend_from_slice(b"\\b"),
            '\x0c' => out.extend_from_slice(b"\\f"),
            '\0'..='\x1f' => write_units(out, character),
            _ if ASCII && character >= '\x7f' => write_units(out, character),
            _ => return &text[at..],
        }
    }
    ""
}

/// Writes `character` as one `\uXXXX`, or as two when it needs a surrogate pair.
fn write_units(out: &mut Vec<u8>, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        write_unit(out, *unit);
    }
}

fn write_unit(out: &mut Vec<u8>, unit: u16) {
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xf)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}
