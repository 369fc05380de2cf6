//! The walk over what `json.dumps` knows: strings, numbers, lists, dicts.
//!
//! The exact types are looked at first, since a record is made of them. The items
//! of a dict are put on a stack of references before the first is written, so that
//! user code which changes the dict meanwhile cannot pull them away; a list is
//! asked for its length again at every step, as Python does.

mod keys;

use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::other::{self, Simple};
use super::plain::{self, Plain, constant};
use super::raw::{Level, exactly, small_int};
use super::{Encoded, MAX_DEPTH, NanMode, Options, number, text};

/// How many places of `NaN` are told.
const PATHS_TOLD: usize = 3;

/// One level of the walk: what is being written, and at which of its items we are.
struct Frame<'py> {
    /// The address of the object; two equal ones in the stack are a circle.
    address: usize,
    step: Step,
    _level: Level<'py>,
}

#[derive(Clone, Copy)]
enum Step {
    /// No item yet, or an object that is written as another one.
    Start,
    /// The item whose key lies at this place of `Encoder::entries`.
    Entry(usize),
    /// The item of a list.
    Index(usize),
}

/// The state of one call.
pub(super) struct Encoder<'a, 'py> {
    py: Python<'py>,
    options: &'a Options,
    out: &'a mut Vec<u8>,
    frames: Vec<Frame<'py>>,
    /// Keys and values of the dicts that are being written, outermost first.
    entries: Vec<Option<Bound<'py, PyAny>>>,
    seen: Encoded,
}

impl<'a, 'py> Encoder<'a, 'py> {
    pub(super) fn new(py: Python<'py>, options: &'a Options, out: &'a mut Vec<u8>) -> Self {
        let (frames, entries) = (Vec::with_capacity(8), Vec::new());
        Self {
            py,
            options,
            out,
            frames,
            entries,
            seen: Encoded::default(),
        }
    }

    /// Writes `value`; what was written is left in the buffer on an error.
    pub(super) fn run(mut self, value: &Bound<'py, PyAny>) -> PyResult<Encoded> {
        self.value(value)?;
        Ok(self.seen)
    }

    fn value(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Some(string) = exactly::<PyString>(value) {
            self.string(string)
        } else if let Some(int) = exactly::<PyInt>(value) {
            self.int(int)
        } else if let Some(float) = exactly::<PyFloat>(value) {
            self.float(float.value())
        } else if let Some(dict) = exactly::<PyDict>(value) {
            self.dict(dict)
        } else if let Some(list) = exactly::<PyList>(value) {
            self.list(list, value)
        } else if let Some(word) = constant(value) {
            self.out.extend_from_slice(word);
            Ok(())
        } else {
            self.rarer(value)
        }
    }

    /// Tuples and subclasses, in the order in which Python's encoder asks.
    fn rarer(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Ok(string) = value.cast::<PyString>() {
            self.string(string)
        } else if let Ok(int) = value.cast::<PyInt>() {
            self.int(int)
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.float(float.value())
        } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            let items = self.iterated(value)?;
            self.list(&items, value)
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.subclassed_dict(dict)
        } else {
            self.converted(value)
        }
    }

    fn string(&mut self, string: &Bound<'py, PyString>) -> PyResult<()> {
        write_string(self.out, string, self.options.ensure_ascii)
    }

    fn int(&mut self, int: &Bound<'py, PyInt>) -> PyResult<()> {
        if let Some(small) = small_int(int) {
            number::write_int(self.out, small);
            return Ok(());
        }
        let digits = big_int(int).map_err(|error| self.refused_by(int, "int", &error))?;
        self.out.extend_from_slice(digits.as_bytes());
        Ok(())
    }

    fn float(&mut self, value: f64) -> PyResult<()> {
        if value.is_finite() {
            number::write_float(self.out, value);
            return Ok(());
        }
        self.not_finite(number::not_finite(value))
    }

    #[cold]
    fn not_finite(&mut self, word: &'static str) -> PyResult<()> {
        if self.options.nan == NanMode::Error {
            let path = self.path();
            return Err(PyValueError::new_err(format!(
                "{path}: {word} is no JSON number"
            )));
        }
        if self.seen.nan_paths.len() < PATHS_TOLD {
            let path = self.path();
            self.seen.nan_paths.push(path);
        }
        self.seen.nan_count += 1;
        let quote: &[u8] = match self.options.nan {
            NanMode::Text => b"\"",
            _ => b"",
        };
        let word = match self.options.nan {
            NanMode::Null => "null",
            _ => word,
        };
        for part in [quote, word.as_bytes(), quote] {
            self.out.extend_from_slice(part);
        }
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<()> {
        if dict.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let (start, base) = (self.out.len(), self.entries.len());
        let ascii = self.options.ensure_ascii;
        match plain::write_entries(self.out, dict, ascii, &mut self.entries) {
            Plain::Written => {
                self.out.push(b'}');
                return Ok(());
            }
            Plain::Other => {}
            Plain::Broken => {
                self.out.truncate(start);
                plain::hold_entries(dict, 0, &mut self.entries);
            }
        }
        self.enter(dict)?;
        self.object(base, start)?;
        self.leave();
        Ok(())
    }

    /// A subclass may keep another order or other items than the dict beneath
    /// (`OrderedDict`), so it is asked, as Python does.
    fn subclassed_dict(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<()> {
        if dict.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        self.enter(dict)?;
        let items = dict
            .as_any()
            .call_method0("items")
            .and_then(|items| items.try_iter());
        let items = items.map_err(|error| self.refused_by(dict, "items()", &error))?;
        let (start, base) = (self.out.len(), self.entries.len());
        for pair in items {
            let pair = pair.and_then(|pair| pair.extract());
            let (key, value) = pair.map_err(|error| self.refused_by(dict, "items()", &error))?;
            self.entries.push(Some(key));
            self.entries.push(Some(value));
        }
        self.object(base, start)?;
        self.leave();
        Ok(())
    }

    /// Writes the entries from `base` on, and takes them away. The object starts at
    /// `start` in the buffer; its first entries may be there already.
    fn object(&mut self, base: usize, start: usize) -> PyResult<()> {
        let end = self.entries.len();
        for at in (base..end).step_by(2) {
            let separator: &[u8] = if self.out.len() == start { b"{" } else { b", " };
            self.out.extend_from_slice(separator);
            self.step(Step::Entry(at));
            let key = self.key(at)?;
            self.out.extend_from_slice(b": ");
            let Some(value) = self.entries[at + 1].take() else {
                continue;
            };
            let value_start = self.out.len();
            self.value(&value)?;
            if self.out[key] == *b"\"metadata\"" && self.levels() == 1 {
                self.seen.metadata = Some(value_start..self.out.len());
            }
        }
        self.out
            .extend_from_slice(if self.out.len() == start { b"{}" } else { b"}" });
        self.entries.truncate(base);
        Ok(())
    }

    /// Writes the items of `items`, which stand for `of`.
    fn list(&mut self, items: &Bound<'py, PyList>, of: &Bound<'py, PyAny>) -> PyResult<()> {
        if items.is_empty() {
            self.out.extend_from_slice(b"[]");
            return Ok(());
        }
        self.enter(of)?;
        let mut separator: &[u8] = b"[";
        let mut at = 0;
        // The length is asked anew at each step: user code may have changed it.
        while at < items.len() {
            self.out.extend_from_slice(separator);
            separator = b", ";
            if plain::write_item(self.out, items, at, self.options.ensure_ascii) != Plain::Written {
                self.step(Step::Index(at));
                let item = items.get_item(at)?;
                self.value(&item)?;
            }
            at += 1;
        }
        self.out.push(b']');
        self.leave();
        Ok(())
    }

    /// The items of a tuple, of a subclass of list or of another sequence.
    fn iterated(&self, sequence: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let items = PyList::empty(self.py);
        let fill = || -> PyResult<()> {
            for item in sequence.try_iter()? {
                items.append(item?)?;
            }
            Ok(())
        };
        fill().map_err(|error| self.refused_by(sequence, "iteration", &error))?;
        Ok(items)
    }

    /// Something that `json.dumps` refuses.
    #[cold]
    fn converted(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let simple = other::simplify(value).map_err(|refusal| refusal.at(self.py, &self.path()))?;
        match simple {
            Simple::Text(string) => return self.string(&string),
            Simple::Number(string) => return self.decimal(&string),
            _ => {}
        }
        self.enter(value)?;
        match simple {
            Simple::Items => {
                let items = self.iterated(value)?;
                self.leave();
                return self.list(&items, value);
            }
            Simple::Entries(entries) => {
                let (start, base) = (self.out.len(), self.entries.len());
                for (key, value) in entries {
                    self.entries.push(Some(key));
                    self.entries.push(Some(value));
                }
                self.object(base, start)?;
            }
            Simple::Value(simple) => self.value(&simple)?,
            Simple::Text(_) | Simple::Number(_) => {}
        }
        self.leave();
        Ok(())
    }

    /// A `Decimal` keeps its text as a JSON number.
    fn decimal(&mut self, string: &Bound<'py, PyString>) -> PyResult<()> {
        let digits = string.to_str()?;
        if digits.ends_with(|last: char| last.is_ascii_digit()) && !digits.contains("NaN") {
            self.out.extend_from_slice(digits.as_bytes());
            return Ok(());
        }
        self.not_finite(match digits {
            "Infinity" => "Infinity",
            "-Infinity" => "-Infinity",
            _ => "NaN",
        })
    }

    fn step(&mut self, step: Step) {
        if let Some(frame) = self.frames.last_mut() {
            frame.step = step;
        }
    }

    /// Goes one level down, unless that is a circle or too deep.
    fn enter(&mut self, container: &Bound<'py, PyAny>) -> PyResult<()> {
        let address = container.as_ptr().addr();
        if self.frames.iter().any(|frame| frame.address == address) {
            let path = self.path();
            return Err(PyValueError::new_err(format!(
                "{path}: circular reference detected"
            )));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(PyRecursionError::new_err(format!(
                "nested deeper than {MAX_DEPTH} levels while encoding JSON"
            )));
        }
        let level = Level::enter(self.py)?;
        self.frames.push(Frame {
            address,
            step: Step::Start,
            _level: level,
        });
        Ok(())
    }

    fn leave(&mut self) {
        self.frames.pop();
    }

    /// How many levels of JSON we are in.
    fn levels(&self) -> usize {
        self.frames
            .iter()
            .filter(|frame| !matches!(frame.step, Step::Start))
            .count()
    }

    /// Where the walk is, as one would write it in Python: `record["a"][3]`.
    fn path(&self) -> String {
        let mut path = self.options.root.as_bytes().to_vec();
        for frame in &self.frames {
            match frame.step {
                Step::Start => {}
                Step::Index(at) => path.extend_from_slice(format!("[{at}]").as_bytes()),
                Step::Entry(at) => {
                    let key = self.entries.get(at).and_then(Option::as_ref);
                    write_path_key(&mut path, key);
                }
            }
        }
        String::from_utf8_lossy(&path).into_owned()
    }

    /// User code raised while `value` was being read.
    #[cold]
    fn refused_by(&self, value: &Bound<'py, PyAny>, what: &str, error: &PyErr) -> PyErr {
        other::raised(self.py, &self.path(), value, what, error)
    }
}

fn write_string(
    out: &mut Vec<u8>,
    string: &Bound<'_, PyString>,
    ensure_ascii: bool,
) -> PyResult<()> {
    if let Ok(valid) = string.to_str() {
        text::write_str(out, valid, ensure_ascii);
        return Ok(());
    }
    let class = string.py().get_type::<PyString>();
    let bytes = class.call_method1("encode", (string, "utf-8", "surrogatepass"))?;
    text::write_surrogates(out, bytes.extract::<&[u8]>()?, ensure_ascii);
    Ok(())
}

/// The digits as `int.__repr__` gives them, whatever a subclass prints.
fn big_int(int: &Bound<'_, PyInt>) -> PyResult<String> {
    int.py()
        .get_type::<PyInt>()
        .call_method1("__repr__", (int,))?
        .extract()
}

fn write_path_key(path: &mut Vec<u8>, key: Option<&Bound<'_, PyAny>>) {
    let Some(key) = key else { return };
    path.push(b'[');
    if let Ok(string) = key.cast::<PyString>() {
        // A string that cannot be written has no better name than its place.
        let _ = write_string(path, string, false);
    } else if let Ok(shown) = key.repr() {
        path.extend_from_slice(shown.to_string_lossy().as_bytes());
    }
    path.push(b']');
}
