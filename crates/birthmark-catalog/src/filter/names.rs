//! What a name in a filter means: the short names, and the fields that are no part of a
//! birthmark but of the artifact itself.

/// A field of the artifact itself, held in a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name that people type.
    pub name: &'static str,
    /// Whether its values begin with what is typed: ids, digests.
    pub prefix: bool,
    /// Whether it holds a moment.
    pub time: bool,
}

const fn column_of(name: &'static str) -> Column {
    Column {
        name,
        prefix: false,
        time: false,
    }
}

/// The fields of the artifact itself.
pub static COLUMNS: &[Column] = &[
    column_of("file"),
    column_of("format"),
    column_of("state"),
    column_of("records"),
    column_of("size"),
    column_of("project"),
    Column {
        name: "digest",
        prefix: true,
        time: false,
    },
    Column {
        name: "content_digest",
        prefix: true,
        time: false,
    },
    Column {
        name: "session_id",
        prefix: true,
        time: false,
    },
    Column {
        name: "run_id",
        prefix: true,
        time: false,
    },
    Column {
        name: "timestamp",
        prefix: false,
        time: true,
    },
];

/// Short names, and what they mean.
static ALIASES: &[(&str, &str)] = &[
    ("add_special", "add_special_tokens"),
    ("branch", "git_branch"),
    ("commit", "git_commit"),
    ("dataset", "dataset.name"),
    ("dirty", "git_dirty"),
    ("max_tokens", "max_new_tokens"),
    ("model", "model_name"),
    ("path", "file"),
    ("pushed", "git_pushed"),
    ("quant", "quantization"),
    ("remote", "git_remote"),
    ("run", "run_id"),
    ("script", "script_name"),
    ("session", "session_id"),
    ("snapshot", "git_snapshot"),
    ("temp", "temperature"),
    ("time", "timestamp"),
    ("type", "artifact_type"),
];

/// The name behind a short one.
pub fn alias(name: &str) -> Option<&'static str> {
    ALIASES
        .iter()
        .find(|(short, _)| *short == name)
        .map(|(_, long)| *long)
}

/// The short names, and those of columns: what may be typed beside the names of fields.
pub fn names() -> impl Iterator<Item = &'static str> {
    let short = ALIASES.iter().map(|(short, _)| *short);
    short.chain(COLUMNS.iter().map(|column| column.name))
}

/// The column of this name, if it is one.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// Whether values of this field are ids of which the beginning is enough.
pub(super) fn is_typed_short(name: &str) -> bool {
    column(name).is_some_and(|column| column.prefix)
        || matches!(
            name,
            "git_commit" | "git_snapshot" | "script_sha" | "model_revision"
        )
        || name.ends_with("_digest")
        || name.ends_with(".digest")
        || name.ends_with("version_sha")
}

/// Whether this field holds a moment.
pub(super) fn is_time(name: &str) -> bool {
    column(name).is_some_and(|column| column.time)
        || matches!(
            name,
            "stamped_at" | "session_start" | "session_end" | "run_start" | "run_end"
        )
}

/// The fields that a word alone is looked for in.
pub fn searched_by_words() -> [&'static str; 4] {
    ["file", "model_name", "script_name", "session_id"]
}

/// Names that a person may have typed the beginning of a condition on.
pub(super) fn is_known(name: &str) -> bool {
    alias(name).is_some()
        || column(name).is_some()
        || birthmark_core::birthmark::rule(name).is_some()
}
