//! Are the program that runs, the one on `PATH` and the wheel of the interpreter the same?

use std::path::PathBuf;

use birthmark_capture::probe::{self, Limits};
use birthmark_core::Finding;
use birthmark_core::environment::Python;
use serde_json::{Value, json};

use super::Risk;

/// What is installed.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The version of the code that answers.
    pub version: &'static str,
    /// The program that a shell would start.
    pub on_path: Finding<PathBuf>,
    /// Its version.
    pub on_path_version: Finding<String>,
    /// The version of the wheel in the interpreter's environment.
    pub wheel: Finding<String>,
}

impl Installation {
    pub(super) fn look(python: &Finding<Python>) -> Self {
        let on_path = probe::find_program("birthmark");
        let ours = std::env::current_exe()
            .and_then(|path| path.canonicalize())
            .ok();
        let same = on_path.found().and_then(|path| path.canonicalize().ok()) == ours;
        let on_path_version = match &on_path {
            Finding::Found(_) if same && ours.is_some() => {
                Finding::Found(crate::VERSION.to_owned())
            }
            Finding::Found(path) => version_of(path),
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        };
        let wheel = match python {
            Finding::Found(python) => match &python.packages {
                Finding::Found(packages) => packages.version("birthmark"),
                Finding::Absent => Finding::Absent,
                Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
            },
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        };
        Self {
            version: crate::VERSION,
            on_path,
            on_path_version,
            wheel,
        }
    }

    pub(super) fn risks(&self) -> Vec<Risk> {
        let mut risks = Vec::new();
        if let Some(other) = self
            .on_path_version
            .found()
            .filter(|other| *other != self.version)
        {
            let text = format!("PATH has version {other}");
            risks.push(Risk::new("installed", text, "install one version"));
        }
        if let Some(other) = self.wheel.found().filter(|other| *other != self.version) {
            let text = format!("the wheel is version {other}");
            risks.push(Risk::new("installed", text, "pip install -U birthmark"));
        }
        risks
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "version": self.version,
            "on_path": self.on_path.found().map(|path| path.to_string_lossy()),
            "on_path_version": self.on_path_version.found(),
            "wheel": self.wheel.found(),
            "wheel_unknown": self.wheel.reason(),
        })
    }

    /// `program 0.1.0, wheel 0.1.0`.
    pub(super) fn phrase(&self) -> String {
        let wheel = match &self.wheel {
            Finding::Found(version) => format!("wheel {version}"),
            Finding::Absent => "no wheel in this Python".to_owned(),
            Finding::Unknown(_) => "wheel unknown".to_owned(),
        };
        format!("program {}, {wheel}", self.version)
    }
}

/// What another program of our name calls itself.
fn version_of(path: &std::path::Path) -> Finding<String> {
    let output = match probe::run_limited(&path.to_string_lossy(), ["--version"], Limits::default())
    {
        Finding::Found(output) => output,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match said.split_whitespace().nth(1) {
        Some(version) => Finding::Found(version.to_owned()),
        None => Finding::unknown("the program on PATH does not tell its version"),
    }
}
