//! The footer of a table: a struct of Thrift's compact protocol, walked without taking
//! it apart.
//!
//! Of its fields only the key-values are looked into; all others, known or not, are
//! stepped over, which proves that they are well formed.
//!
//! # Invariants
//!
//! * [`Footer::with`] followed by [`Footer::without`] gives the same bytes, but where the
//!   list of key-values was there and empty, or the field after it is numbered at length.
//! * Time is bounded by the number of bytes: what has no bytes of its own cannot stand in
//!   a list.

/// The field of the key-values.
const PAIRS: i64 = 5;
/// The first field that only encrypted or signed footers have.
const ENCRYPTION: i64 = 8;
/// Structs and lists within each other, at most.
const DEPTH: usize = 32;

/// Fields of a footer, at most; there are nine.
const MOST_FIELDS: usize = 64;
/// Key-values, at most.
const MOST_PAIRS: u64 = 100_000;

const STOP: u8 = 0;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// What is wrong with a footer, and at which of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// Where one field lies.
#[derive(Debug, Clone, Copy)]
struct Field {
    id: i64,
    kind: u8,
    /// Where its header begins, its value begins, and its value ends.
    header: usize,
    value: usize,
    end: usize,
}

/// Where one pair lies.
#[derive(Debug, Clone, Copy)]
struct Pair {
    start: usize,
    end: usize,
    key: (usize, usize),
    value: Option<(usize, usize)>,
}

/// A footer, and where its parts lie.
#[derive(Debug)]
pub(super) struct Footer {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    /// Where the first pair begins; none where the field is not there.
    pairs_start: Option<usize>,
    pairs: Vec<Pair>,
}

impl Footer {
    /// Walks over the bytes of a footer.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        let mut walk = Walk {
            bytes: &bytes,
            at: 0,
        };
        let mut fields = Vec::new();
        walk.fields(DEPTH, &mut |field| {
            if fields.len() <= MOST_FIELDS {
                fields.push(field);
            }
        })?;
        if fields.len() > MOST_FIELDS {
            return Err(walk.fault("it has too many fields"));
        }
        if walk.at != bytes.len() {
            return Err(walk.fault("there are bytes behind its end"));
        }
        let ascend = fields.windows(2).all(|two| match two {
            [one, other] => one.id < other.id,
            _ => true,
        });
        if !ascend {
            return Err(walk.fault("its fields are out of order"));
        }
        let (mut pairs, mut pairs_start) = (Vec::new(), None);
        if let Some(field) = fields.iter().find(|field| field.id == PAIRS) {
            let mut walk = Walk {
                bytes: &bytes,
                at: field.value,
            };
            let (count, kind) = walk.list()?;
            if field.kind != LIST || (kind != STRUCT && count > 0) {
                return Err(walk.fault("its key-values are no list of pairs"));
            }
            if count > MOST_PAIRS {
                return Err(walk.fault("it has too many key-values"));
            }
            pairs_start = Some(walk.at);
            for _ in 0..count {
                pairs.push(walk.pair()?);
            }
        }
        Ok(Self {
            bytes,
            fields,
            pairs_start,
            pairs,
        })
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the table is encrypted or the footer is signed.
    pub(super) fn is_sealed(&self) -> bool {
        self.fields
            .iter()
            .any(|field| field.id == ENCRYPTION || field.id == ENCRYPTION + 1)
    }

    fn part(&self, (start, end): (usize, usize)) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn named(&self, key: &str) -> Result<Option<&Pair>, &'static str> {
        let mut named = self
            .pairs
            .iter()
            .filter(|pair| self.part(pair.key) == key.as_bytes());
        match (named.next(), named.next()) {
            (_, Some(_)) => Err("its key `birthmark` stands twice"),
            (found, None) => Ok(found),
        }
    }

    /// The value of a key; empty where the key has none.
    pub(super) fn value_of(&self, key: &str) -> Result<Option<&[u8]>, &'static str> {
        let pair = self.named(key)?;
        Ok(pair.map(|pair| pair.value.map_or(&[][..], |value| self.part(value))))
    }

    /// The footer with one pair more, as the last.
    pub(super) fn with(&self, key: &str, value: &[u8]) -> Result<Self, &'static str> {
        let mut pair = Vec::with_capacity(value.len() + 32);
        for text in [key.as_bytes(), value] {
            // Each is the field after the one before.
            pair.push(1 << 4 | BINARY);
            push_varint(&mut pair, text.len() as u64);
            pair.extend_from_slice(text);
        }
        pair.push(STOP);
        let field = self.fields.iter().find(|field| field.id == PAIRS);
        let bytes = match (field, self.pairs_start) {
            (Some(field), Some(start)) => {
                let mut list = Vec::new();
                push_list(&mut list, self.pairs.len() + 1);
                let (head, pairs) = (self.part((0, field.value)), self.part((start, field.end)));
                [head, &list, pairs, &pair, self.after(field.end)].concat()
            }
            _ => self.with_field(&pair)?,
        };
        Self::parse(bytes).map_err(|fault| fault.what)
    }

    fn after(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The footer, which has no key-values, with the field that holds one pair.
    fn with_field(&self, pair: &[u8]) -> Result<Vec<u8>, &'static str> {
        let before = self.fields.iter().rfind(|field| field.id < PAIRS);
        let (previous, at) = before.map_or((0, 0), |field| (field.id, field.end));
        let mut new = Vec::new();
        push_header(&mut new, previous, PAIRS, LIST);
        push_list(&mut new, 1);
        new.extend_from_slice(pair);
        let rest = match self.fields.iter().find(|field| field.id > PAIRS) {
            Some(next) => {
                push_header(&mut new, PAIRS, next.id, next.kind);
                self.after(next.value)
            }
            None => self.after(at),
        };
        if previous < 0 {
            return Err("its fields have numbers below zero");
        }
        Ok([self.part((0, at)), &new, rest].concat())
    }

    /// The footer without a pair; the field goes with the last one.
    pub(super) fn without(&self, key: &str) -> Result<Self, &'static str> {
        let (Some(pair), Some(start)) = (self.named(key)?, self.pairs_start) else {
            return Self::parse(self.bytes.clone()).map_err(|fault| fault.what);
        };
        let field = self.fields.iter().find(|field| field.id == PAIRS);
        let Some(field) = field else {
            return Err("its key-values are not there");
        };
        let bytes = if self.pairs.len() == 1 {
            let before = self.fields.iter().rfind(|field| field.id < PAIRS);
            let mut next = Vec::new();
            let rest = match self.fields.iter().find(|field| field.id > PAIRS) {
                Some(after) => {
                    let previous = before.map_or(0, |before| before.id);
                    push_header(&mut next, previous, after.id, after.kind);
                    self.after(after.value)
                }
                None => self.after(field.end),
            };
            [self.part((0, field.header)), &next, rest].concat()
        } else {
            let mut list = Vec::new();
            push_list(&mut list, self.pairs.len() - 1);
            let (head, tail) = (self.part((0, field.value)), self.after(pair.end));
            [head, &list, self.part((start, pair.start)), tail].concat()
        };
        Self::parse(bytes).map_err(|fault| fault.what)
    }
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// The header of a field, told by how far its number is from the one before.
fn push_header(out: &mut Vec<u8>, previous: i64, id: i64, kind: u8) {
    if let Ok(step @ 1..=15) = u8::try_from(id - previous) {
        out.push(step << 4 | kind);
    } else {
        out.push(kind);
        push_varint(out, (id << 1 ^ id >> 63).cast_unsigned());
    }
}

fn push_list(out: &mut Vec<u8>, count: usize) {
    if let Ok(short @ 0..=14) = u8::try_from(count) {
        out.push(short << 4 | STRUCT);
    } else {
        out.push(0xf0 | STRUCT);
        push_varint(out, count as u64);
    }
}

/// A place in the bytes that moves on.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.fault("it ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.fault("a number in it is too long"))
    }

    fn step(&mut self, length: u64) -> Result<(usize, usize), Fault> {
        let start = self.at;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .filter(|end| *end <= self.bytes.len());
        self.at = end.ok_or_else(|| self.fault("a text in it is longer than it is"))?;
        Ok((start, self.at))
    }

    fn binary(&mut self) -> Result<(usize, usize), Fault> {
        let length = self.varint()?;
        self.step(length)
    }

    /// The header of a list or set: how many elements, and of which kind.
    fn list(&mut self) -> Result<(u64, u8), Fault> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Ok((count, header & 15))
    }

    /// Walks over the fields of a struct, up to and with its stop.
    fn fields(&mut self, depth: usize, each: &mut dyn FnMut(Field)) -> Result<(), Fault> {
        let mut id = 0_i64;
        loop {
            let start = self.at;
            let header = self.byte()?;
            let kind = header & 15;
            if kind == STOP {
                return if header == STOP {
                    Ok(())
                } else {
                    Err(self.fault("a field in it has no kind"))
                };
            }
            id = match header >> 4 {
                0 => {
                    let coded = self.varint()?;
                    (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed()
                }
                step => id + i64::from(step),
            };
            if i16::try_from(id).is_err() {
                return Err(self.fault("a field in it has no number"));
            }
            let value = self.at;
            // A field's truth stands in its kind.
            if kind > 2 {
                self.value(kind, depth)?;
            }
            each(Field {
                id,
                kind,
                header: start,
                value,
                end: self.at,
            });
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<(), Fault> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.fault("it is nested too deep"));
        };
        match kind {
            1..=3 => self.step(1).map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.step(8).map(drop),
            BINARY => self.binary().map(drop),
            LIST | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.value(kind, depth))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.value(kinds >> 4, depth)?;
                    self.value(kinds & 15, depth)
                })
            }
            STRUCT => self.fields(depth, &mut |_| {}),
            13 => self.step(16).map(drop),
            _ => Err(self.fault("a value in it is of no kind")),
        }
    }

    fn pair(&mut self) -> Result<Pair, Fault> {
        let start = self.at;
        let (mut key, mut value) = (None, None);
        self.fields(DEPTH, &mut |field| match (field.id, field.kind) {
            (1, BINARY) => key = Some(field.value),
            (2, BINARY) => value = Some(field.value),
            _ => {}
        })?;
        let end = self.at;
        let text = |at: usize| {
            let bytes = self.bytes;
            Walk { bytes, at }.binary()
        };
        let (key, value) = (key.map(text).transpose()?, value.map(text).transpose()?);
        let key = key.ok_or_else(|| self.fault("a pair in it has no key"))?;
        Ok(Pair {
            start,
            end,
            key,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// version 1, schema [], rows 0, groups [], no key-values, created by "x".
    const PLAIN: &[u8] = b"\x15\x02\x19\x0c\x16\x00\x19\x0c\x28\x01x\x00";

    #[test]
    fn pair_comes_and_goes_to_the_byte() {
        let plain = Footer::parse(PLAIN.to_vec()).unwrap();
        assert_eq!(plain.value_of("a"), Ok(None));
        let mut all = vec![plain];
        for count in 0..40 {
            let key = format!("key{count}");
            let next = all[count].with(&key, &vec![b'v'; count * 50]).unwrap();
            assert_eq!(next.value_of(&key).unwrap().unwrap().len(), count * 50);
            let back = next.without(&key).unwrap();
            assert_eq!(back.bytes(), all[count].bytes(), "{count}");
            all.push(next);
        }
        let many = all.pop().unwrap();
        let less = many.without("key20").unwrap();
        assert_eq!(less.value_of("key20"), Ok(None));
        assert_eq!(less.value_of("key21").unwrap().unwrap().len(), 21 * 50);
    }

    #[test]
    fn unknown_fields_and_long_numbers_stay() {
        for more in [&b"\x05\xd0\x0f\x04"[..], b"\x9c\x18\x01y\x00", b"\x91"] {
            let bytes = [&PLAIN[..PLAIN.len() - 1], more, b"\x00"].concat();
            let footer = Footer::parse(bytes.clone()).unwrap();
            let with = footer.with("k", b"v").unwrap();
            assert_eq!(with.value_of("k"), Ok(Some(&b"v"[..])));
            assert_eq!(with.without("k").unwrap().bytes(), bytes);
        }
        let only_late = b"\x05\x50\x04\x00".to_vec();
        let with = Footer::parse(only_late.clone())
            .unwrap()
            .with("k", b"v")
            .unwrap();
        assert_eq!(with.without("k").unwrap().bytes(), only_late);
    }

    #[test]
    fn hostile_bytes_are_faults_soon() {
        let list_of_many = b"\x19\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec();
        let bools = b"\x19\xf1\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec();
        let of_nothing = b"\x19\xf0\xff\xff\xff\xff\x0f\x00".to_vec();
        let map = b"\x1b\xff\xff\xff\xff\x0f\x00".to_vec();
        let deep = b"\x1c".repeat(1_000);
        let text = b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec();
        for bytes in [list_of_many, bools, of_nothing, map, deep, text, Vec::new()] {
            assert!(Footer::parse(bytes.clone()).is_err(), "{bytes:?}");
        }
        let twice = Footer::parse(PLAIN.to_vec()).unwrap();
        let twice = twice.with("birthmark", b"1").unwrap();
        let twice = twice.with("birthmark", b"2").unwrap();
        assert!(twice.value_of("birthmark").is_err());
    }
}
