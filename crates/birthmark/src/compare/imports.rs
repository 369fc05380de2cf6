//! Which files of a repository a Python script imports, read from its text.
//!
//! Nothing is run. Imports at any depth of indentation count, relative ones and those by
//! `import_module("…")` too; names put together at run time are not seen.

use std::collections::BTreeSet;

/// Modules beyond this number are not followed.
const MOST: usize = 5_000;

/// What was found from a script.
pub(super) struct Code {
    /// Paths of the modules that it imports, directly or through others.
    pub(super) modules: BTreeSet<String>,
    /// The text of all of them and of the script.
    pub(super) text: String,
}

/// Follows the imports of scripts through the files of a commit.
pub(super) fn follow(
    scripts: &BTreeSet<String>,
    files: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Code {
    let known: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut modules = BTreeSet::new();
    let mut text = String::new();
    let mut waiting: Vec<String> = scripts.iter().cloned().collect();
    let mut seen: BTreeSet<String> = scripts.clone();
    while let Some(path) = waiting.pop() {
        let Some(source) = read(&path) else { continue };
        for module in imports(&source) {
            for found in places(&module, &path, &known) {
                if seen.len() < MOST && seen.insert(found.clone()) {
                    modules.insert(found.clone());
                    waiting.push(found);
                }
            }
        }
        text.push_str(&source);
        text.push('\n');
    }
    Code { modules, text }
}

/// An import: dots in front, then names between dots.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    dots: usize,
    names: Vec<String>,
}

impl Import {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.trim_start_matches('.');
        let dots = text.len() - rest.len();
        let names: Vec<String> = rest
            .split('.')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let is_name = |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (names.iter().all(is_name) && (dots > 0 || !names.is_empty()))
            .then_some(Self { dots, names })
    }

    fn and(&self, name: &str) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self {
            dots: self.dots,
            names,
        }
    }
}

/// The imports in a text; of `from a import b` both `a` and `a.b`.
fn imports(source: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut lines = source
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("import ") {
            for name in rest.trim_end_matches('\\').split([',', ';']) {
                let name = name.split_whitespace().next().unwrap_or_default();
                found.extend(Import::parse(name));
            }
        } else if let Some((from, names)) = line
            .strip_prefix("from ")
            .and_then(|rest| rest.split_once(" import "))
        {
            let mut names = names.to_owned();
            if names.contains('(') {
                while !names.contains(')') {
                    let Some(more) = lines.next() else { break };
                    names.push_str(more);
                }
            }
            let Some(from) = Import::parse(from.trim()) else {
                continue;
            };
            for name in names.split([',', '(', ')', '\\']) {
                let name = name.split_whitespace().next().unwrap_or_default();
                if !name.is_empty() && name != "*" {
                    found.push(from.and(name));
                }
            }
            found.push(from);
        }
        for part in line.split("import_module(").skip(1) {
            let literal = part.trim_start().strip_prefix(['"', '\'']);
            let name = literal.and_then(|text| text.split(['"', '\'']).next());
            found.extend(name.and_then(Import::parse));
        }
    }
    found
}

/// The files that an import can mean: from each folder above the importing file, and from
/// `src`; the packages on the way too.
fn places(import: &Import, from: &str, known: &BTreeSet<&str>) -> Vec<String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let roots: Vec<String> = if import.dots > 0 {
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        let up = import.dots - 1;
        parts.truncate(parts.len().saturating_sub(up));
        vec![parts.join("/")]
    } else {
        let mut roots = vec![folder.to_owned()];
        let mut at = folder;
        while let Some((up, _)) = at.rsplit_once('/') {
            roots.push(up.to_owned());
            at = up;
        }
        roots.extend([
            String::new(),
            "src".to_owned(),
            "lib".to_owned(),
            "python".to_owned(),
        ]);
        roots
    };
    let mut found = Vec::new();
    for root in roots {
        let mut base = root.clone();
        let mut here = Vec::new();
        for (place, name) in import.names.iter().enumerate() {
            if !base.is_empty() {
                base.push('/');
            }
            base.push_str(name);
            let package = format!("{base}/__init__.py");
            let module = format!("{base}.py");
            let last = place + 1 == import.names.len();
            if known.contains(package.as_str()) {
                here.push(package);
            }
            if last && known.contains(module.as_str()) {
                here.push(module);
            }
        }
        let package = join(&root, "__init__.py");
        if import.dots > 0 && known.contains(package.as_str()) {
            here.push(package);
        }
        found.extend(here);
    }
    found
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(script: &str, files: &[(&str, &str)]) -> Vec<String> {
        let names: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let read = |path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        let scripts = BTreeSet::from([script.to_owned()]);
        follow(&scripts, &names, read).modules.into_iter().collect()
    }

    #[test]
    fn imports_are_followed_through_packages_and_relative_names() {
        let files = [
            (
                "scripts/eval.py",
                "import json\nfrom utils.loader import (\n    Load,  # it loads\n    more)\nimport scoring as s, os\n",
            ),
            ("scripts/utils/__init__.py", ""),
            (
                "scripts/utils/loader.py",
                "def f():\n    from .deep import x\n",
            ),
            (
                "scripts/utils/deep.py",
                "import importlib\nimportlib.import_module('late')\n",
            ),
            ("scripts/late.py", ""),
            ("scoring.py", ""),
            ("other.py", ""),
        ];
        assert_eq!(
            modules("scripts/eval.py", &files),
            [
                "scoring.py",
                "scripts/late.py",
                "scripts/utils/__init__.py",
                "scripts/utils/deep.py",
                "scripts/utils/loader.py",
            ]
        );
    }

    #[test]
    fn modules_that_import_each_other_end() {
        let files = [("a.py", "import b"), ("b.py", "from a import b")];
        assert_eq!(modules("a.py", &files), ["b.py"]);
    }
}
