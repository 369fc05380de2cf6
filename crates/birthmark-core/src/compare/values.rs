//! Values held against each other, and shown in sentences.

use serde_json::Value;

/// Longer values are cut in sentences.
const SHOWN: usize = 40;

/// Equal values: numbers by what they are worth, the rest by what it says.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let whole = |number: &serde_json::Number| number.to_string().parse::<i128>().ok();
            match (whole(a), whole(b)) {
                (Some(a), Some(b)) => a == b,
                _ => a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a)),
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// A value in a sentence. A digest is cut where two of them still tell each other apart.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some((algorithm, hex)) = text.split_once(':')
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return format!("{algorithm}:{}…", hex.get(..8).unwrap_or(hex));
    }
    if text.chars().count() <= SHOWN {
        return text;
    }
    let head: String = text.chars().take(SHOWN - 1).collect();
    format!("{head}…")
}

/// Both values in a sentence; where what is shown of them would be the same, from where they part.
pub(super) fn both_shown(a: Option<&Value>, b: Option<&Value>) -> String {
    let none = || "none".to_owned();
    let (one, other) = (a.map_or_else(none, shown), b.map_or_else(none, shown));
    if one != other {
        return format!("{one} -> {other}");
    }
    let whole = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => none(),
    };
    let (one, other) = (whole(a), whole(b));
    let same = one
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |text: &str| {
        let from = same.saturating_sub(8);
        let cut: String = text.chars().skip(from).take(SHOWN / 2).collect();
        format!("…{cut}")
    };
    format!("{} -> {}", part(&one), part(&other))
}
