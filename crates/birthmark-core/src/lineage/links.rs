//! What a birthmark says that something was made from: its inputs, dataset and models.

use serde_json::Value;

use crate::birthmark::Fields;

/// Digests of nothing at all: every empty file has them, so they name none.
const OF_NOTHING: [&str; 2] = [
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// Whether a digest tells one artifact from another.
pub(super) fn is_telling(digest: &str) -> bool {
    !OF_NOTHING.contains(&digest) && digest.contains(':') && !digest.contains(char::is_whitespace)
}

/// Those digests that tell one artifact from another.
pub(super) fn telling<'a>(digests: impl Iterator<Item = &'a String>) -> Vec<String> {
    digests
        .filter(|digest| is_telling(digest))
        .cloned()
        .collect()
}

/// The field of an input that is a folder: the object that lists which of its files were read.
pub const READ_LIST: &str = "files_read_object";

/// Something that was read, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// What it was read as.
    pub role: Option<String>,
    /// Path as stored, or a name.
    pub file: String,
    /// The path's bytes in base64, where they are no text.
    pub file_bytes: Option<String>,
    /// Whether `file` is a path, and no mere name.
    pub is_path: bool,
    /// The name that it is known by, beside its path.
    pub name: Option<String>,
    /// The artifact of the same run that it was given the name of.
    pub became: Option<String>,
    /// The revision of a name.
    pub revision: Option<String>,
    /// Of the bytes as they lay.
    pub digest: Option<String>,
    /// Without birthmarks, where that differs.
    pub content_digest: Option<String>,
    /// Its size in bytes, where it was told.
    pub size: Option<u64>,
    /// Of a folder, the object that lists those of its files that were read.
    pub read_list: Option<String>,
    /// Its size in records, where it was told.
    pub records: Option<u64>,
    /// Whether it is a model.
    pub is_model: bool,
    /// Why there is no digest.
    pub unknown: Option<String>,
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    let text = fields.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// An entry of `inputs`, or the `input` of an `artifact_used` event. `None` where it names
/// nothing.
pub fn input(fields: &Fields) -> Option<Mention> {
    let file = text(fields, "file");
    let digest = text(fields, "digest");
    let own = text(fields, "name");
    let name = file.clone().or_else(|| own.clone());
    let reason = fields.get("unknown").and_then(|why| why.get("digest"));
    Some(Mention {
        role: text(fields, "role"),
        file: name.or_else(|| digest.clone())?,
        file_bytes: text(fields, "file_bytes"),
        is_path: file.is_some(),
        name: own.filter(|own| file.as_ref().is_some_and(|file| file != own)),
        became: text(fields, "became"),
        revision: text(fields, "model_revision").or_else(|| text(fields, "revision")),
        digest,
        content_digest: text(fields, "content_digest"),
        size: fields.get("size").and_then(Value::as_u64),
        read_list: text(fields, READ_LIST),
        records: None,
        is_model: fields.contains_key("model_revision"),
        unknown: reason
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| text(fields, "digest_unknown")),
    })
}

/// Everything that a whole birthmark says it was made from.
pub fn mentions(birthmark: &Fields) -> Vec<Mention> {
    let mut all: Vec<Mention> = match birthmark.get("inputs") {
        Some(Value::Array(inputs)) => inputs
            .iter()
            .filter_map(|one| match one {
                Value::Object(fields) => input(fields),
                Value::String(name) => Some(named(None, name)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    all.extend(dataset(birthmark));
    all.extend(models(birthmark));
    all
}

fn named(role: Option<&str>, name: &str) -> Mention {
    Mention {
        role: role.map(str::to_owned),
        file: name.to_owned(),
        file_bytes: None,
        is_path: false,
        name: None,
        became: None,
        revision: None,
        digest: None,
        content_digest: None,
        size: None,
        read_list: None,
        records: None,
        is_model: false,
        unknown: None,
    }
}

fn dataset(birthmark: &Fields) -> Option<Mention> {
    let fields = match birthmark.get("dataset")? {
        Value::Object(fields) => fields,
        Value::String(name) => return Some(named(Some("dataset"), name)),
        _ => return None,
    };
    let digest = text(fields, "digest");
    let name = text(fields, "source").or_else(|| text(fields, "name"));
    let reason = birthmark
        .get("unknown")
        .and_then(|why| why.get("dataset.digest"));
    Some(Mention {
        // Only what lies here has a digest of ours, and then its source is a path.
        is_path: digest.is_some() && fields.contains_key("source"),
        digest,
        content_digest: text(fields, "content_digest"),
        records: fields.get("size").and_then(Value::as_u64),
        revision: text(fields, "revision"),
        unknown: reason.and_then(Value::as_str).map(str::to_owned),
        ..named(Some("dataset"), &name?)
    })
}

/// The models by role; where there are no roles, the one model.
fn models(birthmark: &Fields) -> Vec<Mention> {
    let own_name = text(birthmark, "model_name");
    let own_digest = text(birthmark, "model_digest");
    let revision = text(birthmark, "model_revision");
    let model = |role: &str, name: &str, digest: Option<String>| {
        let is_own = own_name.as_deref() == Some(name);
        Mention {
            digest: digest.or_else(|| own_digest.clone().filter(|_| is_own)),
            revision: revision.clone().filter(|_| is_own),
            is_model: true,
            ..named(Some(role), name)
        }
    };
    let mut all = Vec::new();
    if let Some(Value::Object(models)) = birthmark.get("models") {
        let digests = birthmark.get("model_digests").and_then(Value::as_object);
        for (role, name) in models {
            if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
                let digest = digests.and_then(|digests| text(digests, role));
                all.push(model(role, name, digest));
            }
        }
    }
    if let Some(name) = own_name.as_deref()
        && !all.iter().any(|known| known.file == name)
    {
        all.push(model("model", name, own_digest.clone()));
    }
    all
}
