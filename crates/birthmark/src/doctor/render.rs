//! The doctor's screen: what is there, and behind a `!` what follows from it.

use std::fmt::Write as _;

use birthmark_core::Finding;
use birthmark_core::environment::{Gpu, Python};

use super::Doctor;
use crate::snapshot::Lives;
use crate::text::{bytes, neutral, short};

/// The column at which answers begin.
const LABEL: usize = 13;
/// Columns of a narrow terminal.
const WIDTH: usize = 80;

/// Lines for people.
pub fn render(doctor: &Doctor) -> String {
    let mut page = String::new();
    let mut put = |about: &str, text: &str| line(&mut page, doctor, about, text);
    put("code", &code(doctor));
    put("pushed", &pushed(doctor));
    put("environment", &environment(&doctor.python));
    put("gpu", &gpu(doctor));
    put("store", &doctor.store.phrase());
    put("session", &session(doctor));
    put("installed", &doctor.installation.phrase());
    if doctor.risks.iter().any(|risk| risk.about == "clock") {
        put("clock", "not to be trusted");
    }
    page.push('\n');
    page.push_str(&last_line(doctor));
    page
}

/// One line, and below it the risks that do not fit behind the answer.
fn line(page: &mut String, doctor: &Doctor, about: &str, text: &str) {
    let mut risks = doctor.risks.iter().filter(|risk| risk.about == about);
    let text = neutral(text);
    // Writing to a string cannot fail.
    let _ = write!(page, "{about:<LABEL$}{text}");
    if let Some(risk) = risks.next() {
        let behind = LABEL + text.chars().count() + 5 + risk.text.chars().count();
        let gap = if behind <= WIDTH { "" } else { "\n          " };
        let _ = write!(page, "{gap}   ! {}", neutral(&risk.text));
    }
    page.push('\n');
    for risk in risks {
        let _ = writeln!(page, "             ! {}", neutral(&risk.text));
    }
}

fn code(doctor: &Doctor) -> String {
    let state = &doctor.code.state;
    let Some(commit) = doctor.code.short_commit() else {
        let reason = state.commit.reason().unwrap_or("no commit");
        let says_so = reason.starts_with("no commit");
        return if says_so {
            reason.to_owned()
        } else {
            format!("no commit: {reason}")
        };
    };
    if doctor.code.fields.contains_key("declared") {
        return format!("{commit} from a declaration; no .git here");
    }
    let branch = match &state.branch {
        Finding::Found(branch) => branch.clone(),
        Finding::Absent => "detached".to_owned(),
        Finding::Unknown(_) => "branch unknown".to_owned(),
    };
    let during = state
        .operation
        .as_ref()
        .map(|name| format!(", in the middle of a {name}"));
    format!(
        "{commit} {branch}, {}{}",
        state.dirty_summary(),
        during.unwrap_or_default()
    )
}

fn pushed(doctor: &Doctor) -> String {
    let state = &doctor.code.state;
    let has_commit = doctor.code.short_commit().is_some();
    let told = doctor
        .code
        .fields
        .get("git_pushed")
        .and_then(serde_json::Value::as_bool);
    match (&state.pushed, told) {
        _ if !has_commit => "nothing to push".to_owned(),
        _ if doctor.code.fields.contains_key("declared") => match told {
            Some(true) => "yes, as declared".to_owned(),
            Some(false) => "no, as declared".to_owned(),
            None => "unknown: the declaration does not tell".to_owned(),
        },
        (Finding::Found(true), _) => "yes, as of the last fetch".to_owned(),
        (Finding::Found(false), _) => format!("no, as of the last fetch; {}", lives(doctor)),
        (Finding::Absent, _) => format!("no: there is no remote; {}", lives(doctor)),
        (Finding::Unknown(reason), _) => format!("unknown: {reason}"),
    }
}

/// Where the commit is, if not on a remote.
fn lives(doctor: &Doctor) -> String {
    let lives = doctor.lives.as_ref();
    lives.map_or_else(|| "nowhere".to_owned(), Lives::phrase)
}

fn environment(python: &Finding<Python>) -> String {
    let python = match python {
        Finding::Found(python) => python,
        Finding::Absent => return "no Python".to_owned(),
        Finding::Unknown(reason) => return short(&format!("unknown: {reason}"), WIDTH - LABEL),
    };
    let version = python.version.split_whitespace().next().unwrap_or_default();
    let mut parts = vec![format!("Python {version}")];
    if let Finding::Found(packages) = &python.packages {
        for name in ["torch", "transformers", "vllm"] {
            let Finding::Found(version) = packages.version(name) else {
                continue;
            };
            let cuda = python.torch.found().and_then(|torch| torch.cuda.as_ref());
            match cuda.filter(|_| name == "torch") {
                Some(cuda) => parts.push(format!("torch {version} (CUDA {cuda})")),
                None => parts.push(format!("{name} {version}")),
            }
        }
    }
    parts.join(", ")
}

fn gpu(doctor: &Doctor) -> String {
    let gpus = match &doctor.gpus {
        Finding::Found(gpus) => gpus,
        Finding::Absent => return "none".to_owned(),
        Finding::Unknown(reason) => return format!("unknown: {reason}"),
    };
    let one = |gpu: &Gpu| {
        let name = gpu.name.clone().unwrap_or_else(|| "unnamed".to_owned());
        match gpu.memory_bytes {
            Some(memory) => format!("{name}, {}", bytes(memory)),
            None => name,
        }
    };
    let mut names: Vec<String> = gpus.devices.iter().take(2).map(one).collect();
    if gpus.devices.len() > names.len() {
        names.push(format!("+{}", gpus.devices.len() - names.len()));
    }
    let driver = gpus
        .driver
        .as_ref()
        .map(|driver| format!(", driver {driver}"));
    format!("{}{}", names.join("; "), driver.unwrap_or_default())
}

fn session(doctor: &Doctor) -> String {
    match &doctor.open {
        Some(id) => format!("{} is open: scripts join it", id.short()),
        None => "none open".to_owned(),
    }
}

fn last_line(doctor: &Doctor) -> String {
    if doctor.risks.is_empty() {
        return "no risk seen. Fields: birthmark doctor --json\n".to_owned();
    }
    let mut advice: Vec<&str> = Vec::new();
    for risk in &doctor.risks {
        if !advice.contains(&risk.advice.as_str()) {
            advice.push(&risk.advice);
        }
    }
    let count = crate::talk::count(
        u64::try_from(doctor.risks.len()).unwrap_or(u64::MAX),
        "risk",
    );
    let advice = neutral(&advice.join("; ")).into_owned();
    let fields = "Fields: birthmark doctor --json";
    let fits = count.len() + advice.chars().count() + fields.len() + 4 <= WIDTH;
    format!(
        "{count}: {advice}.{}{fields}\n",
        if fits { ' ' } else { '\n' }
    )
}
