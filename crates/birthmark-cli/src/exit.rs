//! What the program answers to the shell.

use std::process::ExitCode;

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: yes.
    Yes,
    /// 1: no, a check failed.
    No,
    /// 2: could not tell, or was misused.
    CannotTell,
    /// What the command under `birthmark run` answered.
    Passed(u8),
}

impl ExitStatus {
    /// As a shell tells that a signal ended a program.
    pub fn of_signal(signal: i32) -> Self {
        Self::Passed(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }

    /// The number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::CannotTell => 2,
            Self::Passed(code) => code,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
