//! What is named on the command line: `FILE`, `FILE#role`, `FILE:LINE`.

use std::path::PathBuf;

/// One of what is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The file, folder or session as it was named.
    pub path: PathBuf,
    /// The system in it.
    pub role: Option<String>,
    /// The record in it.
    pub line: Option<u64>,
}

impl Target {
    /// Reads a target. What is really called so is meant as a whole.
    pub fn parse(text: &str) -> Self {
        let whole = |text: &str| Self {
            path: PathBuf::from(text),
            role: None,
            line: None,
        };
        if std::path::Path::new(text).exists() {
            return whole(text);
        }
        if let Some((file, role)) = text.rsplit_once('#')
            && !file.is_empty()
        {
            return Self {
                role: Some(role.to_owned()),
                ..whole(file)
            };
        }
        let (path, line) = crate::show::parse_target(text);
        Self {
            path,
            role: None,
            line,
        }
    }

    /// How it was named.
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            role: None,
            line: None,
        }
    }
}
