//! GGUF: the key-values that a model says of itself. Read only; its birthmark stands in
//! a sidecar.
//!
//! # Invariants
//!
//! * Lists are stepped over, never held; nothing is reserved by what a number claims.
//! * Reading ends after `MOST_BYTES` or `MOST_KEYS`, whichever a file claims to have.

use std::io::{self, Read};

/// The most that is read of a file, in bytes: a large vocabulary stands among the keys.
const MOST_BYTES: u64 = 256 << 20;
/// The most keys that are read.
const MOST_KEYS: u64 = 10_000;
/// The longest text that is kept, in bytes.
const LONGEST: u64 = 4_096;
/// Lists within each other, at most.
const DEPTH: usize = 4;

/// What a key holds. Lists are told by their length alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i128),
    /// A number.
    Float(f64),
    /// True or false.
    Truth(bool),
    /// A text of at most 4,096 bytes; longer ones are cut.
    Text(String),
    /// A list of so many.
    List(u64),
}

/// The header of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// The version of the format.
    pub version: u32,
    /// How many tensors it says it has.
    pub tensors: u64,
    /// Its key-values, in order.
    pub pairs: Vec<(String, Value)>,
}

impl Gguf {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let pair = self.pairs.iter().find(|(name, _)| name == key);
        pair.map(|(_, value)| value)
    }
}

/// Reads the header of a model; none where the bytes are no GGUF.
pub fn read(input: &mut dyn Read) -> io::Result<Option<Gguf>> {
    let mut reader = Reader {
        input: io::BufReader::new(input.take(MOST_BYTES)),
        at: 0,
        field: 0,
    };
    let mut magic = [0; 4];
    if reader.read(&mut magic)? < 4 || &magic != b"GGUF" {
        return Ok(None);
    }
    let found = header(&mut reader);
    found.map(Some).map_err(|error| reader.placed(&error))
}

fn header(reader: &mut Reader<impl Read>) -> io::Result<Gguf> {
    let version = u32::from_le_bytes(reader.bytes()?);
    if !(2..=3).contains(&version) {
        return Err(bad(&format!("version {version} is not known")));
    }
    let tensors = reader.number()?;
    let count = reader.number()?;
    if count > MOST_KEYS {
        return Err(bad(&format!("it says that it has {count} keys")));
    }
    let mut pairs = Vec::new();
    for _ in 0..count {
        let key = reader.text()?;
        let kind = u32::from_le_bytes(reader.bytes()?);
        pairs.push((key, reader.value(kind, DEPTH)?));
    }
    Ok(Gguf {
        version,
        tensors,
        pairs,
    })
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

struct Reader<R> {
    input: R,
    /// Bytes that were read.
    at: u64,
    /// Where what was read last begins.
    field: u64,
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl<R: Read> Reader<R> {
    /// The error with the byte that it is about.
    fn placed(&self, error: &io::Error) -> io::Error {
        let (at, field) = (self.at, self.field);
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof if at == MOST_BYTES => {
                format!("it is longer than {MOST_BYTES} bytes")
            }
            io::ErrorKind::UnexpectedEof => format!("it is cut short at byte {at}"),
            io::ErrorKind::InvalidData => format!("byte {field}: {error}"),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), what)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.field = self.at;
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.by_ref().take(length), &mut io::sink())?;
        if skipped < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.number()?;
        let kept = length.min(LONGEST);
        let mut bytes = Vec::new();
        self.by_ref().take(kept).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < kept {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.skip(length - kept)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self, kind: u32, depth: usize) -> io::Result<Value> {
        Ok(match kind {
            0 => Value::Integer(i128::from(u8::from_le_bytes(self.bytes()?))),
            1 => Value::Integer(i128::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Integer(i128::from(u16::from_le_bytes(self.bytes()?))),
            3 => Value::Integer(i128::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Integer(i128::from(u32::from_le_bytes(self.bytes()?))),
            5 => Value::Integer(i128::from(i32::from_le_bytes(self.bytes()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.bytes()?))),
            7 => Value::Truth(self.bytes::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => Value::List(self.list(depth)?),
            10 => Value::Integer(i128::from(self.number()?)),
            11 => Value::Integer(i128::from(i64::from_le_bytes(self.bytes()?))),
            12 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(bad("a value in it is of no kind")),
        })
    }

    fn list(&mut self, depth: usize) -> io::Result<u64> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(bad("its lists are nested too deep"));
        };
        let kind = u32::from_le_bytes(self.bytes()?);
        let count = self.number()?;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            _ => 0,
        };
        if width > 0 {
            self.skip(count.saturating_mul(width))?;
            return Ok(count);
        }
        for _ in 0..count {
            match kind {
                8 => {
                    let length = self.number()?;
                    self.skip(length)?;
                }
                9 => drop(self.list(depth)?),
                _ => return Err(bad("a list in it is of no kind")),
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn model(keys: u64, pairs: &[Vec<u8>]) -> Vec<u8> {
        let head = [
            b"GGUF".as_slice(),
            &3_u32.to_le_bytes(),
            &7_u64.to_le_bytes(),
        ]
        .concat();
        [head, keys.to_le_bytes().to_vec(), pairs.concat()].concat()
    }

    fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    }

    #[test]
    fn keys_are_read_and_lists_are_stepped_over() {
        let words = [
            &8_u32.to_le_bytes()[..],
            &2_u64.to_le_bytes(),
            &text("a"),
            &text("bc"),
        ];
        let numbers = [&6_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), &[0; 12]];
        let bytes = model(
            5,
            &[
                pair("general.name", 8, &text("Tiny")),
                pair("tokens", 9, &words.concat()),
                pair("scores", 9, &numbers.concat()),
                pair("general.file_type", 4, &15_u32.to_le_bytes()),
                pair("flag", 7, &[1]),
            ],
        );
        let found = read(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(found.tensors, 7);
        assert_eq!(
            found.get("general.name"),
            Some(&Value::Text("Tiny".to_owned()))
        );
        assert_eq!(found.get("tokens"), Some(&Value::List(2)));
        assert_eq!(found.get("scores"), Some(&Value::List(3)));
        assert_eq!(found.get("general.file_type"), Some(&Value::Integer(15)));
        assert_eq!(found.get("flag"), Some(&Value::Truth(true)));
        assert_eq!(read(&mut b"PK..".as_slice()).unwrap(), None);
        for length in 4..bytes.len() {
            let error = read(&mut &bytes[..length]).unwrap_err().to_string();
            assert_eq!(error, format!("it is cut short at byte {length}"));
        }
        let mut other = bytes.clone();
        let kind = 24 + 8 + "general.name".len();
        other[kind] = 99;
        let error = read(&mut other.as_slice()).unwrap_err().to_string();
        assert_eq!(error, format!("byte {kind}: a value in it is of no kind"));
    }

    #[test]
    fn what_numbers_claim_is_not_believed() {
        let long = [&(1_u64 << 63).to_le_bytes()[..], b"x"].concat();
        let many = [&0_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        let lists = [&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes()]
            .concat()
            .repeat(9);
        for bytes in [
            model(1 << 60, &[]),
            model(1, std::slice::from_ref(&long)),
            model(1, &[pair("a", 8, &long)]),
            model(1, &[pair("a", 9, &many)]),
            model(1, &[pair("a", 9, &lists)]),
            model(1, &[pair("a", 99, &[])]),
        ] {
            assert!(read(&mut bytes.as_slice()).is_err());
        }
    }
}
