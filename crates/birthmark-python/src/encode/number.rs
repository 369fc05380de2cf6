//! Numbers as Python's `repr` writes them: the shortest digits that read back
//! to the same float, with an exponent below 1e-4 and from 1e16 on.

/// What a float that JSON has no number for is called by Python.
pub(super) fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Appends a finite float.
pub(super) fn write_float(out: &mut Vec<u8>, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_scientific(out, text);
    }
}

/// Appends an integer that fits into 64 bits.
pub(super) fn write_int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Lays the digits of `text` out with an exponent of at least two digits.
fn write_scientific(out: &mut Vec<u8>, text: &str) {
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    // The first significant digit stands `leading` places behind the first digit.
    let moved = i32::try_from(whole.len()).unwrap_or(0) - 1 - i32::try_from(leading).unwrap_or(0);
    let exponent = exponent.parse::<i32>().unwrap_or(0) + moved;
    let significant = significant.trim_end_matches('0');
    let (first, others) = significant.split_at(1.min(significant.len()));
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(first.as_bytes());
    if !others.is_empty() {
        out.push(b'.');
        out.extend_from_slice(others.as_bytes());
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}
