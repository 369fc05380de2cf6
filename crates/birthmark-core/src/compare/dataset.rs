//! The dataset of the two sides, by what it holds, not by what it is called.

use serde_json::Value;

use super::{Fields, Reason, Weight};

/// Puts the content digest of `dataset` under `dataset`, and its other members beside it as
/// `dataset.<name>`.
pub(super) fn flatten(flat: &mut Fields, dataset: &Value) {
    let Value::Object(members) = dataset else {
        // A bare name: it names, and identifies nothing.
        flat.insert("dataset.name".to_owned(), dataset.clone());
        return;
    };
    let digest = ["content_digest", "digest"]
        .iter()
        .filter_map(|name| members.get(*name))
        .find(|value| !value.is_null());
    if let Some(digest) = digest {
        flat.insert("dataset".to_owned(), digest.clone());
    }
    for (name, value) in members {
        if name != "digest" && name != "content_digest" {
            flat.insert(format!("dataset.{name}"), value.clone());
        }
    }
}

fn text<'a>(flat: &'a Fields, name: &str) -> Option<&'a str> {
    flat.get(name).and_then(Value::as_str)
}

/// Whether both are the same file at the same commit of its own.
pub(super) fn is_same_version(a: &Fields, b: &Fields) -> bool {
    let both = |name| text(a, name).is_some() && text(a, name) == text(b, name);
    both("dataset.version_sha") && both("dataset.source")
}

/// Two digests that nobody can hold against each other.
pub(super) fn is_other_algorithm(a: &Fields, b: &Fields) -> bool {
    let algorithm = |flat| text(flat, "dataset").and_then(|digest| digest.split_once(':'));
    match (algorithm(a), algorithm(b)) {
        (Some((one, _)), Some((other, _))) => one != other,
        _ => false,
    }
}

/// The reason in place of the general one, where there is a better one.
pub(super) fn reason(a: &Fields, b: &Fields, same_items: bool) -> Option<Reason> {
    let known = [a, b].map(|flat| flat.get("dataset").is_some_and(|value| !value.is_null()));
    if is_other_algorithm(a, b) {
        let text = "the dataset's digests are of two kinds, and cannot be held against each other";
        return Some(Reason::new(
            Weight::CannotTell,
            "digest-kind",
            "dataset",
            text,
        ));
    }
    if known == [true, true] {
        return None;
    }
    if same_items {
        let text = "no digest of the dataset on both sides; every item asks the same on both";
        return Some(Reason::new(
            Weight::Caveat,
            "dataset-by-items",
            "dataset",
            text,
        ));
    }
    if is_same_version(a, b) {
        let text = "the dataset is the same file at the same commit; no digest of its content on both sides";
        return Some(Reason::new(
            Weight::Caveat,
            "dataset-by-commit",
            "dataset",
            text,
        ));
    }
    let (code, text) = if known == [false, false] {
        (
            "missing-both",
            "the dataset has no digest on either side: its name and size do not say what it holds",
        )
    } else {
        (
            "missing-one-side",
            "the dataset has a digest on one side only: its name and size do not say what it holds",
        )
    };
    Some(Reason::new(Weight::CannotTell, code, "dataset", text))
}
