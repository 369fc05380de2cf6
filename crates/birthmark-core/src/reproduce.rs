//! Whether what was made again is what was made: two JSON values, and the first place where
//! they differ.
//!
//! Numbers are equal when their texts are, or when they lie within a tolerance: the absolute
//! difference is at most the tolerance times the larger of 1 and both magnitudes, so that it
//! is relative for large numbers and absolute near zero. Without a tolerance `1.0` and `1`
//! differ. Key order does not count. `NaN` and the infinities, which Python writes and JSON has
//! not, are equal to themselves alone, whatever the tolerance.

use serde_json::Value;

/// How `NaN` and the infinities stand in a [`Value`]: as numbers beyond every range, which are near
/// to nothing.
const NOT_FINITE: [(&str, &str); 3] = [
    ("NaN", "1e+888888888888888888881"),
    ("-Infinity", "-1e+888888888888888888882"),
    ("Infinity", "1e+888888888888888888882"),
];

/// Reads what Python's `json.dumps` writes, for [`Allowance::first_difference`]; `None` where it
/// is none of it.
pub fn read(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text)
        .or_else(|_| serde_json::from_slice(&respelled(text)))
        .ok()
}

/// With what is not finite spelled as numbers, wherever it stands in no string.
fn respelled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        let ends = |byte: Option<&u8>| byte.is_none_or(|byte| b" \t\r\n:,[]}".contains(byte));
        let is_alone = |word: &str| {
            rest.starts_with(word.as_bytes())
                && ends(rest.get(word.len()))
                && ends(at.checked_sub(1).and_then(|before| text.get(before)))
        };
        let found = NOT_FINITE
            .iter()
            .find(|(word, _)| !in_string && is_alone(word));
        let taken = match (found, byte) {
            (Some((word, number)), _) => {
                out.extend_from_slice(number.as_bytes());
                at += word.len();
                continue;
            }
            (None, b'\\') if in_string => 2.min(rest.len()),
            (None, b'"') => {
                in_string = !in_string;
                1
            }
            _ => 1,
        };
        out.extend_from_slice(&rest[..taken]);
        at += taken;
    }
    out
}

/// A value as it was spelled.
fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    // The negative first: the other is a part of it.
    for (word, number) in NOT_FINITE {
        if text.contains(number) {
            text = text.replace(number, word);
        }
    }
    text
}

/// What may differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allowance {
    /// For numbers; 0 is none.
    pub tolerance: f64,
    /// Members of this name are not looked at, wherever they stand.
    pub ignored: Vec<String>,
}

/// The first place where two values differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its path: `results[3].score`; empty for the whole value.
    pub path: String,
    /// What it was, as JSON; none where it was not there.
    pub was: Option<String>,
    /// What it is.
    pub is: Option<String>,
}

impl Allowance {
    /// The first difference, in the order of what was.
    pub fn first_difference(&self, was: &Value, is: &Value) -> Option<Difference> {
        self.differ(&mut String::new(), was, is)
    }

    fn differ(&self, path: &mut String, was: &Value, is: &Value) -> Option<Difference> {
        match (was, is) {
            (Value::Object(before), Value::Object(after)) => {
                let counts = |name: &&String| !self.ignored.contains(name);
                for name in before.keys().filter(counts) {
                    let found =
                        self.at(path, &member(path, name), before.get(name), after.get(name));
                    if found.is_some() {
                        return found;
                    }
                }
                let added = after
                    .keys()
                    .filter(counts)
                    .find(|name| !before.contains_key(*name))?;
                self.at(path, &member(path, added), None, after.get(added))
            }
            (Value::Array(before), Value::Array(after)) => {
                let longest = before.len().max(after.len());
                (0..longest).find_map(|place| {
                    self.at(
                        path,
                        &format!("[{place}]"),
                        before.get(place),
                        after.get(place),
                    )
                })
            }
            (Value::Number(before), Value::Number(after)) if self.near(before, after) => None,
            _ if was == is => None,
            _ => Some(Difference {
                path: path.clone(),
                was: Some(shown(was)),
                is: Some(shown(is)),
            }),
        }
    }

    fn at(
        &self,
        path: &mut String,
        step: &str,
        was: Option<&Value>,
        is: Option<&Value>,
    ) -> Option<Difference> {
        let length = path.len();
        path.push_str(step);
        let found = match (was, is) {
            (Some(was), Some(is)) => self.differ(path, was, is),
            (was, is) => Some(Difference {
                path: path.clone(),
                was: was.map(shown),
                is: is.map(shown),
            }),
        };
        path.truncate(length);
        found
    }

    fn near(&self, was: &serde_json::Number, is: &serde_json::Number) -> bool {
        if was.to_string() == is.to_string() {
            return true;
        }
        match (was.as_f64(), is.as_f64()) {
            (Some(a), Some(b)) if self.tolerance > 0.0 => {
                (a - b).abs() <= self.tolerance * 1.0_f64.max(a.abs()).max(b.abs())
            }
            _ => false,
        }
    }
}

fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!(".{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(was: &Value, is: &Value, tolerance: f64) -> Option<String> {
        let allowance = Allowance {
            tolerance,
            ignored: vec!["time".to_owned()],
        };
        allowance.first_difference(was, is).map(|found| found.path)
    }

    #[test]
    fn what_is_not_finite_is_read_and_equal_to_itself_alone() {
        let was = read(br#"{"a": NaN, "s": "NaN \" -Infinity", "b": [-Infinity, Infinity, 1.0]}"#);
        let was = was.expect("it is read");
        assert_eq!(first(&was, &was.clone(), 1.0), None);
        for (text, path) in [
            (
                r#"{"a": 1.0, "s": "NaN \" -Infinity", "b": [-Infinity, Infinity, 1.0]}"#,
                "a",
            ),
            (
                r#"{"a": NaN, "s": "nan", "b": [-Infinity, Infinity, 1.0]}"#,
                "s",
            ),
            (
                r#"{"a": NaN, "s": "NaN \" -Infinity", "b": [Infinity, Infinity, 1.0]}"#,
                "b[0]",
            ),
            (
                r#"{"a": "NaN", "s": "NaN \" -Infinity", "b": [-Infinity, Infinity, 1.0]}"#,
                "a",
            ),
        ] {
            let is = read(text.as_bytes()).expect(text);
            assert_eq!(first(&was, &is, 1e9).as_deref(), Some(path), "{text}");
        }
        let found = Allowance::default().first_difference(&was, &json!({"a": 1}));
        let found = found.expect("they differ");
        assert_eq!(
            (found.was.as_deref(), found.is.as_deref()),
            (Some("NaN"), Some("1"))
        );
        let ends = Allowance::default().first_difference(&was["b"], &json!(1));
        assert_eq!(
            ends.and_then(|found| found.was).as_deref(),
            Some("[-Infinity,Infinity,1.0]")
        );
        for none in ["nan", "{\"a\": NaNs}", "{\"a\": -NaN}", "Infinity1", ""] {
            assert_eq!(read(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_first_place_is_named_and_ignored_members_are_not() {
        let was = json!({"a": {"b": [1, {"c": "x"}]}, "time": 1, "z": null});
        assert_eq!(
            first(
                &was,
                &json!({"z": null, "time": 2, "a": {"b": [1, {"c": "x"}]}}),
                0.0
            ),
            None
        );
        let other = json!({"a": {"b": [1, {"c": "y"}]}, "z": 1});
        assert_eq!(first(&was, &other, 0.0).as_deref(), Some("a.b[1].c"));
        let more = json!({"a": {"b": [1, {"c": "x"}, 3]}, "z": null, "new": 1});
        assert_eq!(first(&was, &more, 0.0).as_deref(), Some("a.b[2]"));
        assert_eq!(
            first(&json!({}), &json!({"new": 1}), 0.0).as_deref(),
            Some("new")
        );
        assert_eq!(
            first(&json!({"old": 1}), &json!({}), 0.0).as_deref(),
            Some("old")
        );
    }

    #[test]
    fn numbers_are_near_relative_to_their_size_and_absolute_about_zero() {
        for (a, b, tolerance, same) in [
            ("1.0", "1.0", 0.0, true),
            ("1.0", "1", 0.0, false),
            ("1.0", "1.0000001", 1e-6, true),
            ("1000000", "1000000.5", 1e-6, true),
            ("1e-9", "2e-9", 1e-6, true),
            ("1.0", "1.1", 1e-6, false),
        ] {
            let (was, is): (Value, Value) = (
                serde_json::from_str(a).unwrap(),
                serde_json::from_str(b).unwrap(),
            );
            assert_eq!(first(&was, &is, tolerance).is_none(), same, "{a} {b}");
        }
    }
}
