//! What `json.dumps` refuses and we take, each in the one obvious way.
//!
//! | Value | Written as |
//! |---|---|
//! | NumPy `float32`, `float16` | the shortest decimal that is that float again, as NumPy prints it: `np.float32(0.1)` is 0.1 |
//! | other NumPy scalar | the Python value of the same worth |
//! | NumPy, Torch, JAX, CuPy array or tensor | nested lists, as `tolist()` gives them; of no dimension the value alone |
//! | dates of NumPy, dtypes, devices, UUIDs, paths | their text |
//! | `datetime`, `date`, `time` | `isoformat()` |
//! | enum | its value |
//! | `Decimal` | a number with the decimal's own text, `1.10` |
//! | pydantic model | `model_dump()` |
//! | msgspec struct, dataclass, attrs class | an object of its fields, in their order |
//! | anything whose class has `to_dict()` | what that gives |
//! | `Namespace`, mapping | an object |
//! | `range`, `deque`, other sequence | a list |
//!
//! Classes are known by name, module and base classes; nothing is imported. Sets,
//! bytes, time spans and complex numbers are refused: each has more than one
//! obvious form. So are generators: reading one would use it up.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple, PyType};

/// Keys and values, in order.
type Entries<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// What stands for a value.
pub(super) enum Simple<'py> {
    /// A string.
    Text(Bound<'py, PyString>),
    /// A number, as text.
    Number(Bound<'py, PyString>),
    /// Another value.
    Value(Bound<'py, PyAny>),
    /// The value's own items, as a list.
    Items,
    /// An object.
    Entries(Entries<'py>),
}

/// Why a value cannot be written.
pub(super) enum Refusal {
    /// There is no obvious way; the text says what the user can do.
    NoWay { class: String, hint: &'static str },
    /// The value's own code raised.
    Raised {
        class: String,
        what: &'static str,
        error: PyErr,
    },
}

impl Refusal {
    /// The exception, with the place of the value.
    pub(super) fn at(self, py: Python<'_>, path: &str) -> PyErr {
        match self {
            Self::NoWay { class, hint } => {
                PyTypeError::new_err(format!("{path}: cannot write {class} as JSON{hint}"))
            }
            Self::Raised { class, what, error } => raised_in(py, path, &class, what, &error),
        }
    }
}

/// The exception for user code that raised while `value` was being read.
pub(super) fn raised(
    py: Python<'_>,
    path: &str,
    value: &Bound<'_, PyAny>,
    what: &str,
    error: &PyErr,
) -> PyErr {
    raised_in(py, path, &article(&value.get_type()), what, error)
}

/// An interrupt or exit goes through as it is; so does what `json.dumps` itself
/// lets through, but with the place in front.
fn raised_in(py: Python<'_>, path: &str, class: &str, what: &str, error: &PyErr) -> PyErr {
    if !error.is_instance_of::<PyException>(py) {
        return error.clone_ref(py);
    }
    let cannot = format!("{path}: cannot write {class} as JSON: {what} raised {error}");
    let wrapped = PyTypeError::new_err(cannot);
    wrapped.set_cause(py, Some(error.clone_ref(py)));
    wrapped
}

/// The class with its article: `a Foo`, `an Image`.
pub(super) fn article(class: &Bound<'_, PyType>) -> String {
    let name = class
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let vowel = name.starts_with(|first: char| "aeiouAEIO".contains(first));
    format!("{} {name}", if vowel { "an" } else { "a" })
}

/// Whether `json.dumps` takes `value` as a key.
pub(super) fn is_plain_key(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyBool>()
}

/// How a class is written.
#[derive(Clone, Copy)]
enum Way {
    Text,
    Number,
    Items,
    Attribute(&'static str),
    Method(&'static str),
    Array,
    Shortest,
    Vars,
    Model,
    No(&'static str),
}

/// Finds what stands for `value`.
pub(super) fn simplify<'py>(value: &Bound<'py, PyAny>) -> Result<Simple<'py>, Refusal> {
    let class = value.get_type();
    let (what, result) = match known(&class) {
        Some(Way::No(hint)) => {
            return Err(Refusal::NoWay {
                class: article(&class),
                hint,
            });
        }
        Some(way) => (way.called(), way.take(value)),
        None => by_shape(value, &class)?,
    };
    result.map_err(|error| Refusal::Raised {
        class: article(&class),
        what,
        error,
    })
}

impl Way {
    fn called(self) -> &'static str {
        match self {
            Self::Attribute(name) | Self::Method(name) => name,
            Self::Array => "tolist",
            Self::Model => "model_dump",
            _ => "str",
        }
    }

    fn take<'py>(self, value: &Bound<'py, PyAny>) -> PyResult<Simple<'py>> {
        Ok(match self {
            Self::Text => Simple::Text(value.str()?),
            Self::Number => Simple::Number(value.str()?),
            Self::Attribute(name) => Simple::Value(value.getattr(name)?),
            Self::Method(name) => Simple::Value(value.call_method0(name)?),
            Self::Array => Simple::Value(array(value)?),
            Self::Shortest => Simple::Value(shortest(value)?),
            Self::Vars => Simple::Value(value.getattr(intern!(value.py(), "__dict__"))?),
            Self::Model if value.hasattr(intern!(value.py(), "model_dump"))? => {
                Simple::Value(value.call_method0(intern!(value.py(), "model_dump"))?)
            }
            // The first major version of pydantic.
            Self::Model => Simple::Value(value.call_method0(intern!(value.py(), "dict"))?),
            Self::Items | Self::No(_) => Simple::Items,
        })
    }
}

/// The float of NumPy's own text for a narrow one. As a Python float it would bring digits
/// that nobody gave: 0.949999988079071 for 0.95.
fn shortest<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match value.str()?.to_string_lossy().parse::<f64>() {
        Ok(number) => Ok(PyFloat::new(value.py(), number).into_any()),
        Err(_) => value.call_method0(intern!(value.py(), "item")),
    }
}

/// The nested lists of an array. NumPy would give dates as plain integers.
fn array<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let kind = value
        .getattr(intern!(py, "dtype"))?
        .getattr_opt(intern!(py, "kind"))?;
    let kind = kind.and_then(|kind| kind.extract::<String>().ok());
    let tolist = intern!(py, "tolist");
    match kind.as_deref() {
        Some("M") => value
            .call_method1(intern!(py, "astype"), ("str",))?
            .call_method0(tolist),
        Some("m") => Err(PyTypeError::new_err("time spans have no one form")),
        _ => value.call_method0(tolist),
    }
}

/// Asks the class and its bases, nearest first, by module and name.
fn known(class: &Bound<'_, PyType>) -> Option<Way> {
    class.mro().iter().find_map(|base| {
        let base = base.cast_into::<PyType>().ok()?;
        let name = base.name().ok()?;
        let module = base.module().ok()?;
        known_name(module.to_str().ok()?, name.to_str().ok()?)
    })
}

fn known_name(module: &str, name: &str) -> Option<Way> {
    Some(match (module, name) {
        ("builtins", _) => known_builtin(name)?,
        ("numpy", "datetime64" | "dtype")
        | ("torch", "dtype" | "device")
        | ("pathlib" | "pathlib._local", "PurePath")
        | ("uuid", "UUID") => Way::Text,
        ("numpy", "timedelta64") => {
            Way::No("; say in which unit, as int(x / np.timedelta64(1, 's'))")
        }
        ("numpy", "longdouble" | "float128" | "float96" | "complexfloating") => {
            Way::No("; make it a float first")
        }
        ("numpy", "float32" | "float16") => Way::Shortest,
        ("numpy", "generic") => Way::Method("item"),
        ("numpy" | "cupy" | "cupy._core.core", "ndarray") | ("torch", "Tensor") => Way::Array,
        (_, "ArrayImpl") if module.starts_with("jaxlib") => Way::Array,
        ("datetime", "datetime" | "date" | "time") => Way::Method("isoformat"),
        ("datetime", "timedelta") => Way::No("; use .total_seconds()"),
        ("enum", "Enum") => Way::Attribute("value"),
        ("decimal", "Decimal") => Way::Number,
        ("fractions", "Fraction") => Way::No("; use float(...) or str(...)"),
        ("collections", "deque") => Way::Items,
        ("argparse", "Namespace") | ("types", "SimpleNamespace") => Way::Vars,
        ("pydantic.main" | "pydantic.v1.main", "BaseModel") => Way::Model,
        _ => return None,
    })
}

fn known_builtin(name: &str) -> Option<Way> {
    Some(match name {
        "range" => Way::Items,
        "bytes" | "bytearray" | "memoryview" => {
            Way::No("; use .decode() for text, base64.b64encode(...).decode() for data")
        }
        "set" | "frozenset" => Way::No(", since a set has no order; use sorted(...)"),
        "complex" => Way::No("; use [z.real, z.imag]"),
        "generator" | "map" | "filter" | "zip" | "dict_keys" | "dict_values" | "dict_items" => {
            Way::No("; use list(...)")
        }
        "type" => Way::No("; use its __name__"),
        "function" | "builtin_function_or_method" | "method" => {
            Way::No("; was it meant to be called?")
        }
        "module" => Way::No(""),
        _ => return None,
    })
}

/// What a try gave, and the name of what was called for it.
type Tried<'py> = (&'static str, PyResult<Simple<'py>>);

/// Asks the class for what it offers. The class, not the value: a mock answers
/// to every name.
fn by_shape<'py>(
    value: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
) -> Result<Tried<'py>, Refusal> {
    let py = value.py();
    let has = |name: &str| class.hasattr(name).unwrap_or(false);
    if has("__struct_encode_fields__") {
        let names = ("__struct_encode_fields__", "__struct_fields__");
        return Ok(("a field", struct_fields(value, names).map(Simple::Entries)));
    }
    if has("to_dict") {
        return to_dict(value, class);
    }
    if has("__dataclass_fields__") {
        return Ok(("a field", dataclass_fields(value).map(Simple::Entries)));
    }
    if has("__attrs_attrs__") {
        return Ok(("a field", attrs_fields(value).map(Simple::Entries)));
    }
    if is_a(py, value, "Mapping") {
        return Ok(("items", mapping_items(value).map(Simple::Entries)));
    }
    if is_a(py, value, "Sequence") {
        return Ok(("iteration", Ok(Simple::Items)));
    }
    if has("__fspath__") {
        let path = value.call_method0(intern!(py, "__fspath__"));
        return Ok(("__fspath__", path.map(Simple::Value)));
    }
    Err(Refusal::NoWay {
        class: article(class),
        hint: "",
    })
}

fn to_dict<'py>(
    value: &Bound<'py, PyAny>,
    class: &Bound<'py, PyType>,
) -> Result<Tried<'py>, Refusal> {
    let py = value.py();
    let result = value.call_method0(intern!(py, "to_dict"));
    match &result {
        Ok(dict) if !dict.is_instance_of::<PyDict>() && !is_a(py, dict, "Mapping") => {
            Err(Refusal::NoWay {
                class: article(class),
                hint: "; its to_dict() gives no dict",
            })
        }
        _ => Ok(("to_dict()", result.map(Simple::Value))),
    }
}

/// Whether `value` is an instance of an abstract class of the collections. Their
/// module is loaded by every interpreter at its start.
fn is_a(py: Python<'_>, value: &Bound<'_, PyAny>, name: &str) -> bool {
    let check = || -> PyResult<bool> {
        let modules = py
            .import(intern!(py, "sys"))?
            .getattr(intern!(py, "modules"))?;
        let module = modules.get_item(intern!(py, "_collections_abc"))?;
        value.is_instance(&module.getattr(name)?)
    };
    check().unwrap_or(false)
}

fn mapping_items<'py>(value: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    let items = value.call_method0(intern!(value.py(), "items"))?;
    items.try_iter()?.map(|pair| pair?.extract()).collect()
}

/// A msgspec struct: names as it encodes them, values as they are.
fn struct_fields<'py>(
    value: &Bound<'py, PyAny>,
    (shown, stored): (&str, &str),
) -> PyResult<Entries<'py>> {
    let class = value.get_type();
    let shown = class.getattr(shown)?.cast_into::<PyTuple>()?;
    let stored = class.getattr(stored)?.cast_into::<PyTuple>()?;
    let pairs = shown.iter().zip(stored.iter());
    pairs
        .map(|(name, field)| Ok((name, value.getattr(field.cast::<PyString>()?)?)))
        .collect()
}

/// Without class variables and init-only fields, as `dataclasses.asdict`.
fn dataclass_fields<'py>(value: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    let py = value.py();
    let fields = value
        .get_type()
        .getattr(intern!(py, "__dataclass_fields__"))?;
    let mut entries = Vec::new();
    for field in fields.call_method0(intern!(py, "values"))?.try_iter()? {
        let field = field?;
        let kind = field.getattr(intern!(py, "_field_type"))?.str()?;
        if kind.to_string_lossy() == "_FIELD" {
            entries.push(named(value, &field)?);
        }
    }
    Ok(entries)
}

fn attrs_fields<'py>(value: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    let fields = value
        .get_type()
        .getattr(intern!(value.py(), "__attrs_attrs__"))?;
    fields
        .try_iter()?
        .map(|field| named(value, &field?))
        .collect()
}

/// A field's name, and its value in `value`.
fn named<'py>(
    value: &Bound<'py, PyAny>,
    field: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let name = field.getattr(intern!(value.py(), "name"))?;
    let held = value.getattr(name.cast::<PyString>()?)?;
    Ok((name, held))
}
