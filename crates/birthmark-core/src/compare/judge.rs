//! From two sides to a verdict.

use super::classes::Class;
use super::pair::Pair;
use super::{
    CodeBetween, Judgement, Options, Reason, Row, Side, State, Weight, code, command, dataset,
    environment, missing,
};
use serde_json::Value;

/// Judges two sides. `between` is what is known of the code between them.
pub fn judge(a: &Side, b: &Side, between: &CodeBetween, options: &Options) -> Judgement {
    let pair = Pair::new(a, b, options);
    let mut reasons: Vec<Reason> = carried(&pair).into_iter().collect();
    let bare = !reasons.is_empty();
    let mut rows = Vec::new();
    for name in pair.names() {
        let Some(row) = pair.row(&name) else { continue };
        if !bare {
            reasons.extend(missing::reason(&pair, &row));
        }
        rows.push(row);
    }
    if !bare {
        if !options.one_report {
            reasons.extend(code::judge(a, b, between));
            let data = dataset::reason(&pair.flat[0], &pair.flat[1], options.same_items);
            reasons.extend(data.filter(|_| options.evaluation));
        }
        reasons.extend(declared(&pair, &rows));
        reasons.extend(subject(&rows, options));
    }
    let told_enough = options.one_report || (bare && options.same_content);
    if options.evaluation && !options.one_report {
        let (more, why) = command::judge(a, b, &rows, options);
        rows.extend(more);
        reasons.extend(why);
    }
    if !told_enough {
        let (more, why) = environment::judge(a, b);
        rows.extend(more);
        reasons.extend(why);
    }
    let mut judgement = Judgement {
        verdict: super::Verdict::CannotTell,
        reasons,
        rows,
    };
    judgement.add(Vec::new(), options);
    judgement
}

/// Says which sides carry no birthmark.
fn carried(pair: &Pair<'_>) -> Option<Reason> {
    let bare: Vec<&str> = [pair.a, pair.b]
        .iter()
        .filter(|side| side.birthmark.is_none())
        .map(|side| side.name.as_str())
        .collect();
    let text = match bare.as_slice() {
        [] => return None,
        _ if pair.options.one_report => {
            "the report carries no birthmark: nothing is known of how it was made".to_owned()
        }
        [one] => format!("{one} carries no birthmark: nothing is known of how it was made"),
        _ => "neither carries a birthmark: nothing is known of how they were made".to_owned(),
    };
    let weight = if pair.options.same_content {
        Weight::Note
    } else {
        Weight::CannotTell
    };
    Some(Reason::new(weight, "no-birthmark", "birthmark", text))
}

/// Fields of subject and instrument that somebody declared.
fn declared(pair: &Pair<'_>, rows: &[Row]) -> Option<Reason> {
    let names: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.class, Class::Instrument | Class::Subject))
        .map(|row| row.field.as_str())
        .filter(|name| [pair.a, pair.b].iter().any(|side| is_declared(side, name)))
        .collect();
    let first = *names.first()?;
    const SOME: usize = 4;
    let more = names.len().saturating_sub(SOME);
    let tail = if more > 0 {
        format!(", +{more}")
    } else {
        String::new()
    };
    let some: Vec<&str> = names.into_iter().take(SOME).collect();
    let text = format!("declared, not observed: {}{tail}", some.join(", "));
    Some(Reason::new(Weight::Caveat, "declared", first, text))
}

fn is_declared(side: &Side, name: &str) -> bool {
    let name = match name {
        "code" => "git_commit",
        name => name.split('.').next().unwrap_or(name),
    };
    let declared = side
        .birthmark
        .as_ref()
        .and_then(|mark| mark.get("declared"));
    declared
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|one| one == name))
}

/// Says so when nothing that is meant to differ does, or nothing says what it was.
fn subject(rows: &[Row], options: &Options) -> Option<Reason> {
    let mut subjects = rows.iter().filter(|row| row.class == Class::Subject);
    if subjects.clone().any(|row| row.state == State::Moved) {
        return None;
    }
    if subjects.clone().any(|row| row.state == State::MissingOne) {
        return None;
    }
    if !options.subject.is_empty() {
        let text = format!(
            "nothing that is meant to differ does: {} is the same",
            options.subject.join(", ")
        );
        return Some(Reason::new(Weight::Note, "same-subject", "subject", text));
    }
    let known = subjects.any(|row| row.state != State::MissingBoth);
    Some(if known {
        let text =
            "nothing that is meant to differ does: it is the same model, as far as is recorded";
        Reason::new(Weight::Note, "same-subject", "model", text)
    } else {
        let text = "which model it was is not recorded";
        Reason::new(Weight::Caveat, "no-subject", "model", text)
    })
}
