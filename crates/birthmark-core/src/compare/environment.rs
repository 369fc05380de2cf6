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
/// What else tells of the packages, where their lists are known.
const OF_PACKAGES: [&str; 3] = ["packages", "packages_object", "pins_object"];
/// What records a run is lent to it, and no part of what it ran with.
const LENT: &str = "birthmark";
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
    let packages = packages(a, b);
    let is_told = |name: &str| !packages.is_empty() && OF_PACKAGES.contains(&name);
    let mut rows: Vec<Row> = names
        .into_iter()
        .filter(|name| !PASSING.contains(&name.as_str()) && !is_told(name))
        .map(|name| row(a, b, name))
        .collect();
    rows.extend(packages);
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
    let name = name.trim_start_matches("packages.");
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

/// The packages that differ, where both lists are known.
fn packages(a: &Side, b: &Side) -> Vec<Row> {
    let (Some(one), Some(other)) = (&a.packages, &b.packages) else {
        return Vec::new();
    };
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let row = |name: &String| {
        let (a, b) = (one.get(name), other.get(name));
        let is_lent = name == LENT && (a.is_none() || b.is_none());
        (a != b && !is_lent).then(|| Row {
            field: format!("environment.packages.{name}"),
            class: Class::Environment,
            state: State::Moved,
            a: a.cloned().map(Value::from),
            b: b.cloned().map(Value::from),
            not_counted: None,
            remark: None,
        })
    };
    names.into_iter().filter_map(row).collect()
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
    fn packages_that_differ_are_named_in_the_place_of_their_lists_digests() {
        let side = |object: &str, packages: &[(&str, &str)]| {
            let pair = |(name, version): &(&str, &str)| ((*name).to_owned(), (*version).to_owned());
            let fields = serde_json::json!({ "packages_object": object, "pins_object": object });
            Side {
                environment: fields.as_object().cloned().unwrap_or_default(),
                packages: Some(packages.iter().map(pair).collect()),
                ..Side::default()
            }
        };
        let a = side("x", &[("a", "1"), ("b", "1.0"), ("birthmark", "1")]);
        let b = side("y", &[("a", "1"), ("b", "2.0"), ("c", "3")]);
        let (rows, reasons) = judge(&a, &b);
        let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
        assert_eq!(texts, ["the environment moved: b 1.0 -> 2.0, c none -> 3"]);
        assert_eq!(rows.len(), 2);
        // Where a list is not known, its digest is all there is.
        let unknown = Side {
            packages: None,
            ..b
        };
        assert!(
            judge(&a, &unknown).1[0]
                .text
                .contains("packages_object x -> y")
        );
    }

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
