//! From reasons to a verdict.

use super::{Options, Reason, Verdict, Weight, is_meant};

/// Lowers what was accepted to a caveat that says so.
pub(super) fn accept(reasons: &mut [Reason], options: &Options) {
    for reason in reasons {
        let accepted = options
            .accept
            .iter()
            .any(|word| is_meant(word, &reason.field));
        if accepted && reason.code != "accepted" && reason.weight > Weight::Note {
            reason.text = format!("accepted: {}", reason.text);
            reason.code = "accepted";
            reason.weight = Weight::Caveat;
        }
    }
}

/// The verdict that the strongest reason makes.
pub(super) fn verdict(reasons: &[Reason]) -> Verdict {
    match reasons.iter().map(|reason| reason.weight).max() {
        None | Some(Weight::Note) => Verdict::Comparable,
        Some(Weight::Caveat) => Verdict::Caveats,
        Some(Weight::CannotTell) => Verdict::CannotTell,
        Some(Weight::NotComparable) => Verdict::NotComparable,
    }
}
