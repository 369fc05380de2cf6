//! JSON bytes as values, where Python's `NaN` may stand.

use birthmark_core::birthmark::Fields;
use birthmark_core::evaluation::Reading;
use birthmark_core::json;
use serde_json::Value;

/// A value of bytes that the scanner has accepted. `NaN` and the infinities become text;
/// a lone surrogate becomes U+FFFD.
pub(crate) fn to_value(raw: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(raw) {
        return value;
    }
    match raw.first() {
        Some(b'{') => Value::Object(fields(raw)),
        Some(b'[') => json::elements(raw)
            .map(|span| to_value(span.of(raw)))
            .collect(),
        Some(b'"') => Value::from(json::as_text_lossy(raw).unwrap_or_default().into_owned()),
        _ => Value::from(String::from_utf8_lossy(raw).into_owned()),
    }
}

/// The members of an object as values.
pub(crate) fn fields(raw: &[u8]) -> Fields {
    json::members(raw)
        .map(|(key, value)| {
            let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
            (name, to_value(value))
        })
        .collect()
}

/// A number, or what stands where one should. Null and anything else is none.
pub(crate) fn reading(raw: &[u8]) -> Option<Reading> {
    match raw.first()? {
        b'-' | b'0'..=b'9' | b'N' | b'I' => {
            let text = std::str::from_utf8(raw).ok()?;
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Some(Reading::Number(number)),
                _ => Some(Reading::NotANumber(text.to_owned())),
            }
        }
        b't' => Some(Reading::Number(1.0)),
        b'f' => Some(Reading::Number(0.0)),
        b'"' => {
            let text = json::as_text(raw)?;
            let is_none = matches!(
                text.to_ascii_lowercase().as_str(),
                "nan" | "inf" | "-inf" | "infinity" | "-infinity"
            );
            is_none.then(|| Reading::NotANumber(text.into_owned()))
        }
        _ => None,
    }
}

/// The number of a reading, `NaN` where it is none.
pub(super) fn or_nan(reading: &Reading) -> f64 {
    reading.number().unwrap_or(f64::NAN)
}

/// JSON without the white space between its parts, so that indentation changes no digest.
pub(super) fn compact(raw: &[u8], out: &mut Vec<u8>) {
    let (mut inside, mut escaped) = (false, false);
    for &byte in raw {
        if inside {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => inside = false,
                _ => {}
            }
        } else if !byte.is_ascii_whitespace() {
            inside = byte == b'"';
            out.push(byte);
        }
    }
}
