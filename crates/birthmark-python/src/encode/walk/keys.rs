//! Keys: strings as they are, the other simple values as `json.dumps` coerces them.

use std::ops::Range;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyString};

use super::super::other::{self, Simple};
use super::super::{number, plain::constant};
use super::{Encoder, Frame, Step};

impl<'py> Encoder<'_, 'py> {
    /// Writes a key as `json.dumps` coerces it; returns where it lies in the buffer.
    pub(super) fn key(&mut self, at: usize) -> PyResult<Range<usize>> {
        let start = self.out.len();
        let Some(key) = self.entries[at].clone() else {
            return Ok(start..start);
        };
        if let Ok(string) = key.cast::<PyString>() {
            self.string(string)?;
        } else {
            self.coerced_key(&key)?;
        }
        Ok(start..self.out.len())
    }

    fn coerced_key(&mut self, key: &Bound<'py, PyAny>) -> PyResult<()> {
        self.out.push(b'"');
        if let Ok(float) = key.cast::<PyFloat>() {
            match float.value() {
                value if value.is_finite() => number::write_float(self.out, value),
                value => self
                    .out
                    .extend_from_slice(number::not_finite(value).as_bytes()),
            }
        } else if let Some(word) = constant(key) {
            self.out.extend_from_slice(word);
        } else if let Ok(int) = key.cast::<PyInt>() {
            self.int(int)?;
        } else {
            return self.converted_key(key);
        }
        self.out.push(b'"');
        Ok(())
    }

    /// A key that is an enum, a path, a NumPy number...: its simple form is the key.
    fn converted_key(&mut self, key: &Bound<'py, PyAny>) -> PyResult<()> {
        self.out.pop();
        match other::simplify(key) {
            Ok(Simple::Text(string)) => return self.string(&string),
            Ok(Simple::Value(simple)) if simple.is_instance_of::<PyString>() => {
                return self.string(simple.cast::<PyString>()?);
            }
            Ok(Simple::Value(simple)) if other::is_plain_key(&simple) => {
                return self.coerced_key(&simple);
            }
            _ => {}
        }
        if let Some(Frame { step, .. }) = self.frames.last_mut() {
            *step = Step::Start;
        }
        Err(PyTypeError::new_err(format!(
            "{}: a key must be a str, int, float, bool or None, not {}",
            self.path(),
            other::article(&key.get_type())
        )))
    }
}
