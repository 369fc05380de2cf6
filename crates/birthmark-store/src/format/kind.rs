//! The kinds of files that carry birthmarks within, told by their names.

use std::path::Path;

use super::codec::Codec;
use super::{ArtifactFormat, json, jsonl, parquet, safetensors};

/// A kind of file that carries birthmarks within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `.jsonl` and `.ndjson`, as they are or packed: a birthmark in each record.
    Records(Codec),
    /// `.json`: one at the top of a report.
    Report,
    /// `.parquet`: one among the key-values of the footer.
    Parquet,
    /// `.safetensors`: one in the header.
    Safetensors,
}

impl FileKind {
    /// The kind of a file; none where birthmarks stand beside it, in a sidecar.
    pub fn of(path: &Path) -> Option<Self> {
        let codec = Codec::of(path);
        let inner = if codec == Codec::Plain {
            path.to_owned()
        } else {
            path.with_extension("")
        };
        let ending = inner.extension()?.to_str()?.to_ascii_lowercase();
        match (ending.as_str(), codec) {
            ("jsonl" | "ndjson", codec) => Some(Self::Records(codec)),
            ("json", Codec::Plain) => Some(Self::Report),
            ("parquet", Codec::Plain) => Some(Self::Parquet),
            ("safetensors", Codec::Plain) => Some(Self::Safetensors),
            _ => None,
        }
    }

    /// Whether each record has a birthmark of its own.
    pub fn has_records(self) -> bool {
        matches!(self, Self::Records(_))
    }

    /// Whether one birthmark stands under a key of the file's own.
    pub fn has_key(self) -> bool {
        matches!(self, Self::Parquet | Self::Safetensors)
    }

    /// The format, in the words of a journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Records(Codec::Plain) => "jsonl",
            Self::Records(Codec::Gzip) => "jsonl.gz",
            Self::Records(Codec::Zstd) => "jsonl.zst",
            Self::Report => "report",
            Self::Parquet => "parquet",
            Self::Safetensors => "safetensors",
        }
    }

    /// How the names of such files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Report => "json",
            _ => self.word(),
        }
    }

    /// The format of such files.
    pub fn format(self) -> &'static dyn ArtifactFormat {
        const PLAIN: jsonl::Jsonl = jsonl::Jsonl::packed(Codec::Plain, Codec::Plain);
        const GZIP: jsonl::Jsonl = jsonl::Jsonl::packed(Codec::Gzip, Codec::Gzip);
        const ZSTD: jsonl::Jsonl = jsonl::Jsonl::packed(Codec::Zstd, Codec::Zstd);
        match self {
            Self::Records(Codec::Plain) => &PLAIN,
            Self::Records(Codec::Gzip) => &GZIP,
            Self::Records(Codec::Zstd) => &ZSTD,
            Self::Report => &json::Report {
                limit: json::REPORT_LIMIT,
            },
            Self::Parquet => &parquet::Parquet,
            Self::Safetensors => &safetensors::Safetensors,
        }
    }

    /// The format that reads such files and gives them back without birthmarks, as what
    /// their new name says, or unpacked where it says nothing.
    ///
    /// A line may have `longest` bytes.
    pub fn out_of(self, to: Option<Self>, longest: Option<usize>) -> Box<dyn ArtifactFormat> {
        match (self, to) {
            (Self::Records(from), Some(Self::Records(to))) => rewriting(from, to, longest),
            (Self::Records(from), _) => rewriting(from, Codec::Plain, longest),
            (Self::Report, _) => Box::new(json::Report::default()),
            (Self::Parquet, _) => Box::new(parquet::Parquet),
            (Self::Safetensors, _) => Box::new(safetensors::Safetensors),
        }
    }

    /// The format that reads such files and writes those of kind `to`; none where what
    /// they hold would not be the same. A line may have `longest` bytes.
    pub fn into(self, to: Self, longest: Option<usize>) -> Option<Box<dyn ArtifactFormat>> {
        match (self, to) {
            (Self::Records(from), Self::Records(to)) => Some(rewriting(from, to, longest)),
            (Self::Report, Self::Report) => Some(Box::new(json::Report::default())),
            (Self::Parquet, Self::Parquet) => Some(Box::new(parquet::Parquet)),
            (Self::Safetensors, Self::Safetensors) => Some(Box::new(safetensors::Safetensors)),
            _ => None,
        }
    }
}

/// Reads lines and writes them anew.
fn rewriting(from: Codec, to: Codec, longest: Option<usize>) -> Box<dyn ArtifactFormat> {
    Box::new(jsonl::Jsonl {
        limit: longest.unwrap_or(jsonl::REWRITE_LIMIT),
        ..jsonl::Jsonl::packed(from, to)
    })
}
