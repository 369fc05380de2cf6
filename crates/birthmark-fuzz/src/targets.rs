//! The targets: one a reader of foreign bytes.
//!
//! | room | readers |
//! |---|---|
//! | `core` | JSON, rules, names and moments: what needs no file |
//! | `files` | each format that an artifact may have |
//! | `store` | journals, manifests, sidecars, settings, parameters |
//! | `asking` | filters and SQL |
//! | `looking` | repositories, bundles, packages, notes of what was opened, secrets |

mod asking;
mod core;
mod files;
mod looking;
mod store;

use std::io;
use std::path::Path;

/// Takes an input. What it answers is nobody's business; that it answers is.
pub type Run = Box<dyn FnMut(&[u8])>;

/// Gives the inputs to begin with.
pub type Seeds = fn() -> io::Result<Vec<Vec<u8>>>;

/// One reader.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Makes it ready, in an empty folder of its own.
    pub make: fn(&Path) -> Run,
    /// What it begins with, where that is not simply the files of its corpus.
    pub seeds: Option<Seeds>,
    /// Words of its format.
    pub words: &'static [&'static str],
}

const fn target(
    name: &'static str,
    make: fn(&Path) -> Run,
    words: &'static [&'static str],
) -> Target {
    Target {
        name,
        make,
        seeds: None,
        words,
    }
}

const JSON: &[&str] = &[
    "null",
    "true",
    "NaN",
    "Infinity",
    "-0",
    "\"\\u0000\"",
    "\\ud800",
    "\\",
    "\"",
    "{}",
    "[]",
    ",",
    ":",
    "\n",
    "\u{feff}",
    "\"metadata\":",
    "\"birthmark\":\"birthmark/v1\"",
    "\"merged\":1",
    "\"git_commit\":",
    "\"timestamp\":\"2026-01-01T00:00:00.000000+00:00\"",
];
const TEXT: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\r\n",
    "\n",
    "..",
    "/",
    "=",
    "'",
    "\"",
    "#",
    "é",
    "\u{feff}",
];
const YAML: &[&str] = &[
    "&a ",
    "*a",
    "<<: *a",
    "!!python/object",
    "|\n ",
    "---\n",
    "? ",
    ": ",
    "- ",
    "{",
    "[",
    "]]",
    "=\"\"\"",
    "[[a]]\n",
];
const FILTER: &[&str] = &[
    "model~",
    "=",
    "!=",
    "..",
    "0.5..",
    "(",
    ")",
    " or ",
    "not ",
    "has(",
    "'",
    "\"",
    "~",
    "seed=",
    "created>",
    "*",
    "yesterday",
    "2026-01-01",
    ",",
    "-",
    "null",
];
const SQL: &[&str] = &[
    "SELECT ",
    " FROM artifacts",
    " WHERE ",
    "ATTACH '/tmp/x' AS y;",
    "WITH RECURSIVE t(n) AS (",
    " UNION ALL ",
    "randomblob(1e9)",
    "zeroblob(1000000000)",
    "PRAGMA ",
    "VACUUM INTO '/tmp/x'",
    "load_extension('x')",
    "group_concat(",
    "printf('%.*c',1000000000,'x')",
    " GLOB '",
    ";",
    "--",
    "/*",
    "replace(hex(zeroblob(100000000)),'0','aaaa')",
    "json_each(",
    " JOIN records",
];
const POLICY: &[&str] = &[
    " required",
    " = ",
    " != ",
    "(",
    ")",
    " and ",
    " or ",
    " set",
    "when ",
    "true",
    "'x'",
    ".",
    "in [",
    "]",
    "~",
];
const GIT: &[&str] = &[
    "ref: refs/heads/",
    "[core]\n",
    "[include]\npath = config\n",
    "worktree = ..\n",
    "repositoryformatversion = 1\n",
    "[extensions]\nobjectFormat = sha256\n",
    "..",
    "/",
    "\0",
    "gitdir: ",
    "bare = true\n",
    "[remote \"origin\"]\nurl = ",
];
const PY: &[&str] = &[
    "Name: ",
    "Version: ",
    "\n\n",
    "Requires-Dist: ",
    "--hash=sha256:",
    "==",
    "@ git+https://u:p@h/",
    "[[package]]\n",
    "version = 1\n",
];

/// All of them.
pub const TARGETS: &[Target] = &[
    target("json", core::json, JSON),
    target("policy", core::policy, POLICY),
    target("names", core::names, TEXT),
    target("jsonl", files::jsonl, JSON),
    target("gzip", files::gzip, &["\u{1f}", "\0\0"]),
    target("zstd", files::zstd, &["\0\0", "(\u{b5}"]),
    target("packed_text", files::packed_text, JSON),
    target("report", files::report, JSON),
    target(
        "parquet",
        files::parquet,
        &["PAR1", "PARE", "birthmark", "\u{15}\0", "\u{19}"],
    ),
    target("safetensors", files::safetensors, JSON),
    target(
        "gguf",
        files::gguf,
        &[
            "GGUF",
            "general.name",
            "tokenizer.chat_template",
            "\u{9}\0\0\0",
            "\u{8}\0\0\0",
        ],
    ),
    target(
        "zip",
        files::zip,
        &[
            "PK\u{1}\u{2}",
            "PK\u{3}\u{4}",
            "PK\u{5}\u{6}",
            "../",
            "header.json",
            "\u{1}\0",
        ],
    ),
    target("evaluation", files::evaluation, JSON),
    target("inspect", files::inspect, JSON),
    target("any_file", files::any_file, JSON),
    target("sidecar", store::sidecar, JSON),
    target("journal", store::journal, JSON),
    target("journal_resealed", store::journal_resealed, JSON),
    target("manifest", store::manifest, JSON),
    target(
        "settings",
        store::settings,
        &[
            "[policy.rules]\n",
            "artifacts = ",
            "on_dirty = ",
            "[[a]]\n",
            "\"\"\"",
            "'''",
            "1979-05-27",
            "[lineage]\nignore = ['**/*']\n",
        ],
    ),
    target("params", store::params, YAML),
    target("declaration", store::declaration, JSON),
    target("filter", asking::filter, FILTER),
    target("sql", asking::sql, SQL),
    Target {
        seeds: Some(looking::repository_seeds),
        ..target("repository", looking::repository, GIT)
    },
    target(
        "bundle",
        looking::bundle,
        &[
            "# v2 git bundle\n",
            "# v3 git bundle\n",
            "@object-format=sha256\n",
            "PACK",
            "-",
            " HEAD\n",
        ],
    ),
    target(
        "secrets",
        looking::secrets,
        &[
            "hf_",
            "ghp_",
            "-----BEGIN PRIVATE KEY-----",
            "://u:p@",
            "password=",
            "--token ",
            "eyJ",
            ".",
            "_",
            "AKIA",
        ],
    ),
    target("packages", looking::packages, PY),
    target("lock_file", looking::lock_file, PY),
    target(
        "notes",
        looking::notes,
        &[
            "BMSEEN2\n",
            "\u{4}\0\0\u{1}",
            "\u{4}\0\0\u{11}",
            "\u{4}\0\0\u{3}",
            "\u{7f}ELF\u{2}\u{1}",
            "/../",
            "\u{1}\0\u{1}\0",
        ],
    ),
];
