//! Evaluation reports: loaded, paired, judged.

use std::path::{Path, PathBuf};

use birthmark_core::birthmark::Fields;
use birthmark_core::compare::scores::{self, Scores};
use birthmark_core::compare::{self as core, Match, Matching, Side, items, matching};
use birthmark_core::evaluation::{Evaluation, Tool};
use serde_json::Value;

use super::{Compared, GateAnswer, Options, Pair, Party, Target, code, edited, letter, packages};
use crate::error::{Error, Kind, Result};
use crate::project::Project;
use crate::show::{self, Shown, What};
use crate::{evaluation, sessions};

/// A report with all that is known of it.
struct Loaded {
    path: PathBuf,
    project: Project,
    evaluation: Evaluation,
    birthmark: Option<Fields>,
    environment: Fields,
    session: Option<show::SessionFacts>,
    now: Option<show::Now>,
}

/// One system, or all those of a report, under a letter.
struct Seat {
    report: usize,
    role: Option<String>,
}

pub(super) fn compare(targets: &[Target], options: &Options) -> Result<Compared> {
    let mut reports: Vec<Loaded> = Vec::new();
    let mut seats = Vec::new();
    for target in targets {
        let known = reports.iter().position(|report| report.path == target.path);
        let report = if let Some(place) = known {
            place
        } else {
            reports.push(load(&target.path, options)?);
            reports.len() - 1
        };
        seats.push(Seat {
            report,
            role: role_of(&reports[report], target)?,
        });
    }
    if let [only] = seats.as_slice()
        && only.role.is_none()
    {
        seats = inside(&reports[only.report])?;
    }
    if seats.len() < 2 {
        let message = format!("`{}` is one system", targets[0].name());
        return Err(Error::usage("one-system", message)
            .with_hint("name what to compare it with: another report, or FILE#role"));
    }
    let mut pairs = Vec::new();
    for other in 1..seats.len() {
        pairs.push(pair(&reports, &seats, other, options)?);
    }
    Ok(finish(&reports, &seats, pairs, options))
}

fn finish(reports: &[Loaded], seats: &[Seat], mut pairs: Vec<Pair>, options: &Options) -> Compared {
    let looks = scores::correct(
        pairs
            .iter_mut()
            .flat_map(|pair| pair.scores.iter_mut().map(|(_, scores)| scores)),
    );
    let parties = seats
        .iter()
        .enumerate()
        .map(|(place, seat)| party(&reports[seat.report], seat, place))
        .collect();
    let mut compared = Compared {
        kind: "evaluation",
        parties,
        one_report: seats.iter().all(|seat| seat.report == seats[0].report),
        pairs,
        looks,
        gate: GateAnswer::default(),
        seed: options.seed,
    };
    compared.gate = options.gate.judge(compared.verdict(), &compared.pairs);
    compared
}

fn party(report: &Loaded, seat: &Seat, place: usize) -> Party {
    let timestamp = report
        .birthmark
        .as_ref()
        .and_then(|mark| mark.get("timestamp"))
        .and_then(Value::as_str);
    Party {
        letter: letter(place),
        file: report.path.to_string_lossy().into_owned(),
        role: seat.role.clone(),
        tool: report.evaluation.tool,
        roles: report.evaluation.roles().map(str::to_owned).collect(),
        items: report.evaluation.items.len(),
        timestamp: timestamp.map(str::to_owned),
        notes: report.evaluation.notes.clone(),
        sources: report.evaluation.sources.clone(),
    }
}

/// The role that a target asks for, if the report has it.
fn role_of(report: &Loaded, target: &Target) -> Result<Option<String>> {
    let Some(role) = &target.role else {
        return Ok(None);
    };
    if report.evaluation.system(role).is_some() {
        return Ok(Some(role.clone()));
    }
    let roles: Vec<&str> = report.evaluation.roles().collect();
    let message = format!("`{}` has no system `{role}`", target.name());
    let hint = if roles.is_empty() {
        "it is about one system, without a role".to_owned()
    } else {
        format!("it has {}", roles.join(", "))
    };
    Err(Error::usage("no-role", message).with_hint(hint))
}

/// The systems inside of one report.
fn inside(report: &Loaded) -> Result<Vec<Seat>> {
    let seats: Vec<Seat> = report
        .evaluation
        .roles()
        .map(|role| Seat {
            report: 0,
            role: Some(role.to_owned()),
        })
        .collect();
    if seats.len() < 2 {
        let message = format!("`{}` is about one system", report.path.display());
        return Err(Error::usage("one-system", message)
            .with_hint("name a second report: birthmark compare A B"));
    }
    Ok(seats)
}

fn load(path: &Path, options: &Options) -> Result<Loaded> {
    let project = sessions::project_of(path)?;
    let shown = show::show(&project, path, None, options.now)?;
    if !path.is_file() {
        return Err(not_a_report(path));
    }
    let Some(evaluation) = evaluation::read(path)? else {
        return Err(not_a_report(path));
    };
    if evaluation.is_empty() && shown.what == What::Unstamped && evaluation.birthmark.is_none() {
        let message = format!("`{}` is an empty report", path.display());
        return Err(
            Error::new(Kind::Damaged, "empty-report", message).with_hint(
                "a report has `summary` or `results`, and says under `metadata` how it was made",
            ),
        );
    }
    Ok(Loaded {
        path: path.to_owned(),
        birthmark: birthmark(&shown, &evaluation),
        environment: environment(&shown, &evaluation),
        now: edited::look(&project, &shown, path, options.now),
        session: shown.session,
        project,
        evaluation,
    })
}

fn not_a_report(path: &Path) -> Error {
    let message = format!("`{}` is no evaluation report", path.display());
    Error::usage("no-report", message).with_hint("a report is one JSON object")
}

/// What the report says by our names, then what its sidecar or its session adds.
fn birthmark(shown: &Shown, evaluation: &Evaluation) -> Option<Fields> {
    let mut all = if shown.what == What::Unstamped {
        Fields::new()
    } else {
        shown.birthmark.clone()
    };
    if !matches!(evaluation.tool, Tool::Birthmark | Tool::Plain) {
        // What its sidecar has as null is what the tool has no word for.
        all.retain(|_, value| !value.is_null());
        all.remove("unknown");
    }
    let recorded = shown.recorded.iter().flat_map(|found| &found.birthmark);
    for (name, value) in evaluation.birthmark.iter().flatten().chain(recorded) {
        if !all.contains_key(name) {
            all.insert(name.clone(), value.clone());
        }
    }
    (!all.is_empty()).then_some(all)
}

fn environment(shown: &Shown, evaluation: &Evaluation) -> Fields {
    if let Some(session) = &shown.session
        && !session.environment.is_empty()
    {
        return session.environment.clone();
    }
    let own = shown.birthmark.get("environment");
    match own {
        Some(Value::Object(fields)) if evaluation.environment.is_empty() => fields.clone(),
        _ => evaluation.environment.clone(),
    }
}

fn pair(reports: &[Loaded], seats: &[Seat], other: usize, options: &Options) -> Result<Pair> {
    let places = [0, other];
    let letters = places.map(letter);
    let names = [letters[0].as_str(), letters[1].as_str()];
    let seats = places.map(|place| &seats[place]);
    let loaded = seats.map(|seat| &reports[seat.report]);
    let one_report = seats[0].report == seats[1].report;
    let together = systems(loaded, seats, names)?;
    let wanted = if one_report {
        Some(Match::Row)
    } else {
        options.match_by
    };
    let items = loaded.map(|report| &report.evaluation.items);
    let found = matching(items[0], items[1], wanted);
    let single = together.both.len() == 1;
    let mut sides = [0, 1].map(|side| {
        let role = together.both.first().filter(|_| single || one_report);
        let mut side_of = Side {
            name: names[side].to_owned(),
            birthmark: loaded[side].birthmark.clone(),
            packages: packages::of(&loaded[side].project, &loaded[side].environment),
            environment: loaded[side].environment.clone(),
            role: role.and_then(|pair| {
                let place = [pair.0, pair.1][side];
                loaded[side].evaluation.systems[place].role.clone()
            }),
            ..Side::default()
        };
        code::take_recorded(&mut side_of, loaded[side].session.as_ref());
        if let Some(command) = &mut side_of.command {
            // As it is called now, where it was renamed.
            let here = loaded[side].path.to_string_lossy().into_owned();
            command.made.insert(0, here);
        }
        side_of
    });
    let between = if one_report {
        core::CodeBetween::NotAsked
    } else {
        code::between(&loaded[0].project, &loaded[0].path, &mut sides)
    };
    let how = core::Options {
        subject: options.subject.clone(),
        accept: options.accept.clone(),
        one_report,
        evaluation: true,
        classes: options.classes.clone(),
        same_content: false,
        other_tool: loaded
            .iter()
            .all(|report| !matches!(report.evaluation.tool, Tool::Birthmark | Tool::Plain)),
        same_items: is_same(&found) || same_prompts(loaded),
    };
    let mut judgement = core::judge(&sides[0], &sides[1], &between, &how);
    let (row, mut reasons) = items::judge(items[0], items[1], &found, names);
    let mut scores = scores_of(loaded, &together, &found, names, options);
    mark_repeats(&mut scores, &judgement);
    reasons.extend(scores.iter().flat_map(|(_, scores)| scores.reasons.clone()));
    reasons.extend(problems(loaded, names, one_report));
    let reports = if one_report { 1 } else { 2 };
    reasons.extend((0..reports).filter_map(|side| {
        let report = loaded[side];
        edited::of_report(names[side], &report.path, report.now)
    }));
    if let Some(row) = row {
        let place = judgement
            .rows
            .iter()
            .rposition(|row| row.field.starts_with("dataset"));
        judgement
            .rows
            .insert(place.map_or(0, |place| place + 1), row);
    }
    judgement.add(reasons, &how);
    Ok(Pair {
        a: 0,
        b: other,
        judgement,
        code: between,
        loaded: code::held(&sides),
        matching: found,
        scores,
        unpaired: together.unpaired,
        records: None,
    })
}

/// What was survived in reading the reports, as caveats.
fn problems(loaded: [&Loaded; 2], names: [&str; 2], one_report: bool) -> Vec<core::Reason> {
    let sides = if one_report { 1 } else { 2 };
    let of = |side: usize| {
        let problems = loaded[side].evaluation.problems.iter();
        problems.map(move |text| {
            let text = format!("{}: {text}", names[side]);
            core::Reason::new(core::Weight::Caveat, "report", "report", text)
        })
    };
    (0..sides).flat_map(of).collect()
}

/// Marks systems that are the same model on both sides while another one moved.
fn mark_repeats(scores: &mut [(Option<String>, Scores)], judgement: &core::Judgement) {
    let stands = |role: &str, wanted: core::State| {
        let names = [format!("models.{role}"), format!("model_digests.{role}")];
        let mut rows = judgement
            .rows
            .iter()
            .filter(|row| names.contains(&row.field));
        match wanted {
            core::State::Moved => rows.any(|row| row.state == wanted),
            _ => rows.clone().next().is_some() && rows.all(|row| row.state == wanted),
        }
    };
    let roles: Vec<String> = scores.iter().filter_map(|(role, _)| role.clone()).collect();
    if !roles.iter().any(|role| stands(role, core::State::Moved)) {
        return;
    }
    for (role, scores) in scores {
        let same = role
            .as_ref()
            .is_some_and(|role| stands(role, core::State::Same));
        for score in &mut scores.rows {
            score.is_repeat = same;
        }
    }
}

/// Whether every item of both is known to ask the same.
fn is_same(found: &Matching) -> bool {
    let left = [&found.only_a, &found.only_b, &found.twice_a, &found.twice_b];
    !found.pairs.is_empty()
        && found.alike == found.pairs.len()
        && left.iter().all(|items| items.is_empty())
}

/// Whether both have the same digests of all prompts and answers, as the harness writes them.
fn same_prompts(loaded: [&Loaded; 2]) -> bool {
    let digests = loaded.map(|report| report.birthmark.as_ref()?.get("prompts_digest"));
    digests[0].is_some() && digests[0] == digests[1]
}

/// Which system of A is held against which of B.
struct Together {
    both: Vec<(usize, usize)>,
    unpaired: [Vec<String>; 2],
}

fn systems(loaded: [&Loaded; 2], seats: [&Seat; 2], names: [&str; 2]) -> Result<Together> {
    let places = [0, 1].map(|side| {
        let evaluation = &loaded[side].evaluation;
        match &seats[side].role {
            Some(role) => evaluation.system(role).into_iter().collect(),
            None => (0..evaluation.systems.len()).collect::<Vec<usize>>(),
        }
    });
    if let ([a], [b]) = (places[0].as_slice(), places[1].as_slice()) {
        return Ok(Together {
            both: vec![(*a, *b)],
            unpaired: [Vec::new(), Vec::new()],
        });
    }
    let role = |side: usize, place: usize| loaded[side].evaluation.systems[place].role.as_deref();
    let both: Vec<(usize, usize)> = places[0]
        .iter()
        .filter_map(|&a| {
            let b = places[1].iter().find(|&&b| role(1, b) == role(0, a))?;
            Some((a, *b))
        })
        .collect();
    if both.is_empty() {
        let roles = |side: usize| {
            let roles: Vec<&str> = places[side]
                .iter()
                .filter_map(|&place| role(side, place))
                .collect();
            if roles.is_empty() {
                "one without a role".to_owned()
            } else {
                roles.join(", ")
            }
        };
        let message = format!(
            "the reports have no system in common: {} has {}, {} has {}",
            names[0],
            roles(0),
            names[1],
            roles(1)
        );
        return Err(Error::usage("no-common-system", message)
            .with_hint("name one of each: birthmark compare A#role B#role"));
    }
    let unpaired = [0, 1].map(|side| {
        let taken: Vec<usize> = both.iter().map(|pair| [pair.0, pair.1][side]).collect();
        places[side]
            .iter()
            .filter(|place| !taken.contains(place))
            .filter_map(|&place| role(side, place).map(str::to_owned))
            .collect()
    });
    Ok(Together { both, unpaired })
}

fn scores_of(
    loaded: [&Loaded; 2],
    together: &Together,
    found: &Matching,
    names: [&str; 2],
    options: &Options,
) -> Vec<(Option<String>, Scores)> {
    let several = together.both.len() > 1;
    let of = |&(a, b): &(usize, usize)| {
        let sides = [(&loaded[0].evaluation, a), (&loaded[1].evaluation, b)];
        let mut scores = scores::compare(sides[0], sides[1], found, names, options.seed);
        let role = loaded[0].evaluation.systems[a].role.clone();
        let role = role.filter(|_| several);
        for score in &mut scores.rows {
            score.role.clone_from(&role);
        }
        (role, scores)
    };
    together.both.iter().map(of).collect()
}
