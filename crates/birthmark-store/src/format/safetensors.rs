//! Weights in safetensors: a birthmark under the key `birthmark` of `__metadata__`.
//!
//! ```text
//! length   8 bytes, the lowest first     | grows by a multiple of 8
//! header   {"__metadata__":{…}, "w":{"dtype":…,"shape":…,"data_offsets":[0,64]}}
//! tensors  every byte as it was, at the same offset from the header's end
//! ```
//!
//! The header is JSON, and the birthmark is the text of a string in it. It is put in
//! between two bytes and padded within its quotes, so that the tensors keep their
//! alignment and cutting it out gives the file back byte for byte. So the content digest
//! of a stamped file is the digest of the file as it was, tensors and all: that they are
//! unchanged is proved by comparing the two.
//!
//! # Invariants
//!
//! * A header is refused, with the reason, if it is no strict JSON, has a key twice, or
//!   names other bytes of tensors than the file has.
//! * Memory is that of the header, whatever the tensors weigh.
//!
//! # Limitations
//!
//! * A header of more than [`HEADER_LIMIT`] is not read.

use std::io::{Read, Write};
use std::path::Path;

use birthmark_core::digest::Digest;
use birthmark_core::json::{self, Member, Span};

use super::codec::Tee;
use super::keyvalue::{KEY, Standing};
use super::{
    ArtifactFormat, Birthmarks, Each, FormatError, Input, OnExisting, Placed, Places, Stamped,
    Unstamped,
};
use crate::bulk::Output;
use crate::running::RunningDigest;

/// The largest header that is read, in bytes: 32 MiB, room for 300,000 tensors.
pub const HEADER_LIMIT: u64 = 32 << 20;
/// What the tensors are copied through.
const PIECE: usize = 1 << 20;
/// The key of the header that is no tensor.
const METADATA: &str = "__metadata__";
/// How many keys stood in `__metadata__` before ours. Left out where there was none.
const JOINS: &str = "joins";
/// The tensors are aligned to so many bytes.
const ALIGNMENT: usize = 8;

/// Files of weights.
#[derive(Debug, Clone, Copy, Default)]
pub struct Safetensors;

/// The header of a file.
struct Header {
    text: Vec<u8>,
    /// The value of `__metadata__`, and its member.
    metadata: Option<Member>,
    standing: Standing,
    /// Bytes of tensors.
    tensors: u64,
}

impl Header {
    fn read(input: &mut Input<'_>) -> Result<Self, FormatError> {
        let name = input.name;
        let mut length = [0; 8];
        let bytes: &mut dyn Read = &mut *input.bytes;
        bytes
            .read_exact(&mut length)
            .map_err(|source| cut_short(name, source, "it is shorter than 8 bytes"))?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_LIMIT {
            let what = format!(
                "it says that its header has {length} bytes; at most {HEADER_LIMIT} are read"
            );
            return Err(damaged(name, what));
        }
        let mut text = Vec::new();
        let got = bytes.take(length).read_to_end(&mut text);
        got.map_err(|source| FormatError::Read {
            name: name.to_owned(),
            source,
        })?;
        if text.len() as u64 != length {
            let what = format!("its header is cut short: {} of {length} bytes", text.len());
            return Err(damaged(name, what));
        }
        Self::parse(name, text)
    }

    fn parse(name: &Path, text: Vec<u8>) -> Result<Self, FormatError> {
        if text.first() != Some(&b'{') {
            return Err(damaged(name, "it has no safetensors header".to_owned()));
        }
        json::check_envelope(&text).map_err(|error| {
            let byte = error.offset + 8;
            damaged(name, format!("its header, byte {byte}: {}", error.kind))
        })?;
        let (mut metadata, mut tensors) = (None, 0);
        for member in json::walk(&text) {
            if member.is_named(&text, METADATA) {
                metadata = Some(member);
                continue;
            }
            let offsets = json::get(member.value.of(&text), &["data_offsets"]);
            let end = offsets.and_then(|pair| {
                let end = json::elements(pair).nth(1)?;
                json::as_u64(end.of(pair))
            });
            let Some(end) = end else {
                let key = json::as_text_lossy(member.key.of(&text)).unwrap_or_default();
                let key: String = key.chars().take(80).collect();
                return Err(damaged(name, format!("its tensor `{key}` has no place")));
            };
            tensors = tensors.max(end);
        }
        let value = metadata.map(|member| member.value.of(&text));
        if value.is_some_and(|value| value.first() != Some(&b'{')) {
            return Err(damaged(name, "its `__metadata__` is no object".to_owned()));
        }
        let raw = value.and_then(|value| json::get(value, &[KEY]));
        let standing = match raw {
            None => Standing::Nothing,
            // A value that is no text is somebody else's.
            Some(raw) => Standing::of(Some(json::as_text(raw).unwrap_or_default().as_bytes())),
        };
        Ok(Self {
            text,
            metadata,
            standing,
            tensors,
        })
    }

    /// The header without its birthmark.
    fn without(&self) -> Vec<u8> {
        let (Standing::Birthmark(mark), Some(outer)) = (&self.standing, self.metadata) else {
            return self.text.clone();
        };
        let inner = outer.value.of(&self.text);
        let Some(ours) = json::walk(inner).find(|member| member.is_named(inner, KEY)) else {
            return self.text.clone();
        };
        let mut out = Vec::with_capacity(self.text.len());
        let alone = ours.comma_before.is_none() && ours.comma_after.is_none();
        if alone && json::get(mark, &[JOINS]).is_none() {
            json::remove_member(&mut out, &self.text, &outer);
            return out;
        }
        let Span { start, end } = outer.value;
        out.extend_from_slice(self.text.get(..start).unwrap_or_default());
        json::remove_member(&mut out, inner, &ours);
        out.extend_from_slice(self.text.get(end..).unwrap_or_default());
        out
    }

    /// The header, which has no birthmark, with this one.
    fn with(&self, name: &Path, mark: &[u8]) -> Result<Vec<u8>, FormatError> {
        let (at, has_members) = match self.metadata {
            Some(outer) => {
                let inner = outer.value.of(&self.text);
                (outer.value.end - 1, json::walk(inner).next().is_some())
            }
            None => (closing(&self.text), self.tensors > 0 || has_any(&self.text)),
        };
        let mark = match self.metadata {
            Some(outer) => joining(mark, json::walk(outer.value.of(&self.text)).count()),
            None => mark.to_vec(),
        };
        let mut span = if has_members {
            b",".to_vec()
        } else {
            Vec::new()
        };
        if self.metadata.is_none() {
            span.extend_from_slice(b"\"__metadata__\":{");
        }
        span.extend_from_slice(b"\"birthmark\":");
        let text = String::from_utf8(mark)
            .map_err(|_| damaged(name, "the birthmark is no text".to_owned()))?;
        json::quote(&mut span, &text);
        span.pop();
        let tail: &[u8] = if self.metadata.is_none() {
            b"\"}"
        } else {
            b"\""
        };
        while !(span.len() + tail.len()).is_multiple_of(ALIGNMENT) {
            span.push(b' ');
        }
        span.extend_from_slice(tail);
        let (head, rest) = self.text.split_at(at);
        let out = [head, &span, rest].concat();
        if out.len() as u64 > HEADER_LIMIT {
            return Err(FormatError::NoPlace {
                name: name.to_owned(),
                what: "its header would be too large".to_owned(),
            });
        }
        Ok(out)
    }
}

/// Where the header's last brace stands.
fn closing(text: &[u8]) -> usize {
    memchr::memrchr(b'}', text).unwrap_or_default()
}

fn has_any(text: &[u8]) -> bool {
    json::walk(text).next().is_some()
}

/// The birthmark with the number of keys that it joins.
fn joining(mark: &[u8], keys: usize) -> Vec<u8> {
    let mark = mark.trim_ascii_end();
    let mut out = mark
        .get(..mark.len().saturating_sub(1))
        .unwrap_or_default()
        .to_vec();
    out.extend_from_slice(format!(",\"{JOINS}\":{keys}}}").as_bytes());
    out
}

fn damaged(name: &Path, what: String) -> FormatError {
    FormatError::Damaged {
        name: name.to_owned(),
        what,
    }
}

fn cut_short(name: &Path, source: std::io::Error, what: &str) -> FormatError {
    if source.kind() == std::io::ErrorKind::UnexpectedEof {
        return damaged(name, what.to_owned());
    }
    FormatError::Read {
        name: name.to_owned(),
        source,
    }
}

/// Copies the tensors, each piece to both digests.
fn copy(
    input: &mut Input<'_>,
    header: &Header,
    new: &[u8],
    output: &mut dyn Output,
    before: &mut RunningDigest,
) -> Result<(u64, Digest), FormatError> {
    let name = input.name;
    let failed = |source| FormatError::Write {
        name: name.to_owned(),
        source,
    };
    let mut tee = Tee::new(output).map_err(failed)?;
    before.update(&(header.text.len() as u64).to_le_bytes());
    before.update(&header.text);
    tee.write_all(&(new.len() as u64).to_le_bytes())
        .and_then(|()| tee.write_all(new))
        .map_err(failed)?;
    let mut buffer = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let got = match input.bytes.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(FormatError::Read {
                    name: name.to_owned(),
                    source,
                });
            }
        };
        let piece = buffer.get(..got).unwrap_or_default();
        copied += got as u64;
        before.update(piece);
        tee.write_all(piece).map_err(failed)?;
    }
    if copied != header.tensors {
        let what = format!(
            "its header names {} bytes of tensors, and it has {copied}",
            header.tensors
        );
        return Err(damaged(name, what));
    }
    tee.finish().map_err(failed)
}

impl ArtifactFormat for Safetensors {
    fn read(&self, mut input: Input<'_>, each: &mut Each<'_>) -> Result<u64, FormatError> {
        Ok(Header::read(&mut input)?.standing.hand_over(each))
    }

    fn stamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Stamped, FormatError> {
        let header = Header::read(&mut input)?;
        let next = header.standing.next(input.name, birthmarks, existing)?;
        let mut places = Places::default();
        let new = if let Some((mark, placed)) = next {
            let bare = Header::parse(input.name, header.without())?;
            let merged = placed == Placed::Metadata && bare.metadata.is_some();
            places.count(if merged { Placed::Merged } else { placed });
            bare.with(input.name, &mark)?
        } else {
            places.count(Placed::Kept);
            header.text.clone()
        };
        let mut before = RunningDigest::beside();
        let (size, digest) = copy(&mut input, &header, &new, output, &mut before)?;
        let undoable = places.replaced + places.kept == 0;
        Ok(Stamped {
            places,
            size,
            digest,
            content_digest: undoable.then(|| before.digest()),
        })
    }

    fn unstamp(
        &self,
        mut input: Input<'_>,
        output: &mut dyn Output,
    ) -> Result<Unstamped, FormatError> {
        let header = Header::read(&mut input)?;
        let new = header.without();
        let mut before = RunningDigest::beside();
        let (size, digest) = copy(&mut input, &header, &new, output, &mut before)?;
        Ok(Unstamped {
            records: 1,
            removed: u64::from(header.standing.is_ours()),
            foreign: 0,
            replaced: header.standing.replaces().then_some(1),
            size,
            digest,
        })
    }
}
