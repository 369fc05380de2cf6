//! The machine and its packages: they should not matter, and may.

use serde_json::Value;

use super::values::{both_shown, equal};
use super::{Class, Reason, Row, Side, State, Weight};

/// Facts of one boot or one process, which say nothing of what can be computed.
const PASSING: [&str; 8] = [
    "boot_id",
    "pid_namespace",
    "unknown",
    "variables",
    "launch",
    "executable",
    "python_executable",
    "packages_digest",
];
/// So many moved fields are named in the sentence.
const NAMED: usize = 3;

/// The rows of the environment, and the caveats that it gives.
pub(super) fn judge(a: &Side, b: &Side) -> (Vec<Row>, Vec<Reason>) {
    let lacking: Vec<&str> = [a, b]
        .iter()
        .filter(|side| side.environment.is_empty())
        .map(|side| side.name.as_str())
        .collect();
    let text = match lacking.as_slice() {
        [] => None,
        [one] => Some(format!("the environment is not known of {one}")),
        _ => Some("the environment is known of neither".to_owned()),
    };
    if let Some(text) = text {
        let reason = Reason::new(Weight::Caveat, "environment-unknown", "environment", text);
        return (Vec::new(), vec![reason]);
    }
    let mut names: Vec<&String> = a.environment.keys().collect();
    let more = b.environment.keys();
    names.extend(more.filter(|name| !a.environment.contains_key(*name)));
    let rows: Vec<Row> = names
        .into_iter()
        .filter(|name| !PASSING.contains(&name.as_str()))
        .map(|name| row(a, b, name))
        .collect();
    let moved: Vec<&Row> = rows
        .iter()
        .filter(|row| matches!(row.state, State::Moved | State::MissingOne))
        .collect();
    let reason = (!moved.is_empty()).then(|| {
        let first: Vec<String> = moved.iter().take(NAMED).map(|row| sentence(row)).collect();
        let more = moved.len().saturating_sub(NAMED);
        let tail = if more > 0 {
            format!(", +{more}")
        } else {
            String::new()
        };
        let text = format!("the environment moved: {}{tail}", first.join(", "));
        Reason::new(Weight::Caveat, "environment", "environment", text)
    });
    (rows, reason.into_iter().collect())
}

fn sentence(row: &Row) -> String {
    let name = row.field.trim_start_matches("environment.");
    format!("{name} {}", both_shown(row.a.as_ref(), row.b.as_ref()))
}

/// A version alone, and a version with the build behind it: only one of them says more. Two
/// builds of one version are two.
fn same_python(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else {
        return false;
    };
    let number = |text: &str| text.split_whitespace().next().map(str::to_owned);
    let is_alone = |text: &str| text.split_whitespace().count() == 1;
    (is_alone(a) || is_alone(b)) && number(a) == number(b)
}

fn row(a: &Side, b: &Side, name: &str) -> Row {
    let get = |side: &Side| {
        let value = side.environment.get(name);
        value.filter(|value| !value.is_null()).cloned()
    };
    let (a, b) = (get(a), get(b));
    let state = State::of(a.as_ref(), b.as_ref(), |a, b| {
        equal(a, b) || name == "python" && same_python(a, b)
    });
    Row {
        field: format!("environment.{name}"),
        class: Class::Environment,
        state,
        a,
        b,
        not_counted: None,
        remark: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_with_and_without_its_build_is_one_and_two_builds_are_two() {
        let same = |a: &str, b: &str| same_python(&a.into(), &b.into());
        assert!(same(
            "3.11.7 (main, May  9 2026, 10:00:00) [GCC 12.2.0]",
            "3.11.7"
        ));
        assert!(!same("3.11.7 (main)", "3.11.8"));
        assert!(!same("3.11.7 (main, May 9)", "3.11.7 (main, Jun 1)"));
    }
}
