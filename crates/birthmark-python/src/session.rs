//! The class `Session`, and how one begins.

use std::path::PathBuf;
use std::sync::Arc;

use birthmark::add::HowToDigest;
use birthmark::records::RecordsOptions;
use birthmark::report::ReportOptions;
use birthmark::session::{Begin, Nearer, RunEnd};
use birthmark::talk::Talk;
use birthmark_capture::process;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_store::Durability;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert;
use crate::encode::{self, NanMode, Options};
use crate::error::IntoPyResult;
use crate::interrupt::interruptible;
use crate::looks::{self, Pace};
use crate::records::Records;
use crate::report::Report;

/// A session of this process.
#[pyclass(module = "birthmark._native", frozen, subclass)]
pub(crate) struct Session {
    inner: birthmark::session::Session,
}

/// The word for what survives a power cut too.
const POWER: &str = "power";

/// Begins a session, or joins the one that this process belongs to.
#[pyfunction]
#[pyo3(signature = (*, anchor, script, argv, interpreter, modules, runtime, planned, given, reasons, on_dirty, durability, talk))]
#[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
pub(crate) fn begin(
    py: Python<'_>,
    anchor: PathBuf,
    script: Option<PathBuf>,
    argv: Vec<String>,
    interpreter: looks::Python3,
    modules: Vec<PathBuf>,
    runtime: &Bound<'_, PyDict>,
    planned: Vec<String>,
    given: &Bound<'_, PyDict>,
    reasons: &Bound<'_, PyDict>,
    on_dirty: Option<&str>,
    durability: Option<&str>,
    talk: Option<Py<PyAny>>,
) -> PyResult<Session> {
    // With the interpreter held nobody sets a variable; the looks beside the run may not ask.
    process::remember_environment();
    let mut options = Begin::at(anchor, OpenedBy::Script);
    options.script = script;
    options.argv = argv;
    options.interpreter = Some(interpreter.into());
    options.modules = modules;
    options.runtime = convert::fields(runtime)?;
    options.planned = planned;
    options.given = convert::fields(given)?;
    options.reasons = convert::fields(reasons)?;
    options.on_dirty = on_dirty
        .map(birthmark::project::on_dirty)
        .transpose()
        .into_py_result(py)?;
    options.durability = durability.map(|word| match word {
        POWER => Durability::Power,
        _ => Durability::Process,
    });
    options.talk = talk.map(talk_to);
    let inner = py
        .detach(|| birthmark::session::begin(options))
        .into_py_result(py)?;
    Ok(Session { inner })
}

/// Lines for the person go through Python, so that notebooks and tests see them.
pub(crate) fn talk_to(function: Py<PyAny>) -> Talk {
    Arc::new(move |line| {
        let said = Python::try_attach(|py| function.call1(py, (line,)).map(|_| ()));
        // A line that nobody can take is lost: talk must never harm the run.
        drop(said);
    })
}

#[pymethods]
impl Session {
    /// The session's id.
    #[getter]
    fn id(&self) -> &str {
        self.inner.id().as_str()
    }

    /// What of it survives what: `process` or `power`.
    #[getter]
    fn durability(&self) -> &'static str {
        match self.inner.durability() {
            Durability::Power => POWER,
            Durability::Process => "process",
        }
    }

    /// The id as screens show it.
    #[getter]
    fn short_id(&self) -> &str {
        self.inner.id().short()
    }

    /// The run of this process.
    #[getter]
    fn run_id(&self) -> &str {
        self.inner.run_id().as_str()
    }

    /// The project's root.
    #[getter]
    fn root(&self) -> PathBuf {
        self.inner.project().root().to_owned()
    }

    /// The artifacts folder.
    #[getter]
    fn artifacts(&self) -> PathBuf {
        self.inner.project().layout.artifacts().to_owned()
    }

    /// The manifest.
    #[getter]
    fn manifest(&self) -> PathBuf {
        self.inner.project().layout.manifest(self.inner.id())
    }

    /// The rank of this process.
    #[getter]
    fn rank(&self) -> u32 {
        self.inner.rank()
    }

    /// The same session within it: nearer fields, for what is made through it.
    #[pyo3(signature = (*, planned, given, reasons, on_dirty, beside))]
    fn within(
        &self,
        py: Python<'_>,
        planned: Vec<String>,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        on_dirty: Option<&str>,
        beside: bool,
    ) -> PyResult<Self> {
        let nearer = Nearer {
            given: convert::fields(given)?,
            reasons: convert::fields(reasons)?,
            planned,
            on_dirty: on_dirty
                .map(birthmark::project::on_dirty)
                .transpose()
                .into_py_result(py)?,
            beside,
        };
        let inner = py.detach(|| self.inner.within(nearer)).into_py_result(py)?;
        Ok(Self { inner })
    }

    /// The same session, for one who is in none of those that are open.
    fn among(&self, open: Vec<PyRef<'_, Self>>) -> Self {
        let open: Vec<_> = open.iter().map(|one| &one.inner).collect();
        Self {
            inner: self.inner.among(&open),
        }
    }

    /// The variable that hands its fields on to children, and its value.
    #[getter]
    fn handed_on(&self) -> Option<(&'static str, String)> {
        self.inner.handed_on()
    }

    /// Whether it is over, for this process.
    #[getter]
    fn is_over(&self) -> bool {
        self.inner.is_over()
    }

    /// The whole birthmark that an artifact made now would have.
    fn birthmark<'py>(
        &self,
        py: Python<'py>,
        artifact_type: &str,
        given: &Bound<'py, PyDict>,
        reasons: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = self.filled(py, given, reasons)?;
        let fields = py
            .detach(|| self.inner.checked_birthmark(artifact_type, &given))
            .into_py_result(py)?;
        convert::to_python(py, fields)
    }

    /// Adds plans.
    fn plan(&self, py: Python<'_>, planned: Vec<String>) -> PyResult<()> {
        py.detach(|| self.inner.plan(&planned)).into_py_result(py)
    }

    /// Opens a JSONL artifact: the state behind `JsonlWriter`.
    #[pyo3(signature = (path, *, mode, artifact_type, given, reasons, all_fields, ensure_ascii, nan))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
    fn open_records(
        &self,
        py: Python<'_>,
        path: PathBuf,
        mode: &str,
        artifact_type: String,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        all_fields: bool,
        ensure_ascii: bool,
        nan: &str,
    ) -> PyResult<Records> {
        let options = RecordsOptions {
            mode: convert::mode(mode)?,
            artifact_type,
            given: self.filled(py, given, reasons)?,
            all_fields,
        };
        let spelling = Options {
            ensure_ascii,
            nan: NanMode::parse(nan)?,
            root: "record",
        };
        let path = convert::absolute(&path);
        crate::watch::wrote(&path);
        let inner = interruptible(py, || self.inner.records(&path, options))?.into_py_result(py)?;
        Ok(Records::new(inner, spelling))
    }

    /// Begins a report that is made item by item.
    #[pyo3(signature = (path, *, mode, artifact_type, given, reasons, ensure_ascii))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
    fn begin_report(
        &self,
        py: Python<'_>,
        path: PathBuf,
        mode: &str,
        artifact_type: String,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        ensure_ascii: bool,
    ) -> PyResult<Report> {
        let options = ReportOptions {
            mode: convert::mode(mode)?,
            artifact_type,
            given: self.filled(py, given, reasons)?,
        };
        let path = convert::absolute(&path);
        crate::watch::wrote(&path);
        let inner =
            interruptible(py, || self.inner.begin_report(&path, options))?.into_py_result(py)?;
        Ok(Report::new(inner, ensure_ascii))
    }

    /// Writes a finished report.
    #[pyo3(signature = (path, body, *, mode, artifact_type, given, reasons, ensure_ascii))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
    fn write_report(
        &self,
        py: Python<'_>,
        path: PathBuf,
        body: &Bound<'_, PyAny>,
        mode: &str,
        artifact_type: String,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        ensure_ascii: bool,
    ) -> PyResult<(usize, Vec<String>)> {
        let options = ReportOptions {
            mode: convert::mode(mode)?,
            artifact_type,
            given: self.filled(py, given, reasons)?,
        };
        let spelling = Options {
            ensure_ascii,
            nan: NanMode::Keep,
            root: "report",
        };
        let mut text = Vec::new();
        let seen = encode::encode_record(body, &spelling, &mut text)?;
        let path = convert::absolute(&path);
        crate::watch::wrote(&path);
        py.detach(|| self.inner.report(&path, &text, &options))
            .into_py_result(py)?;
        Ok((seen.nan_count, seen.nan_paths))
    }

    /// Adds a file or folder that is finished, read at a pace.
    #[pyo3(signature = (path, artifact_type, given, reasons, pace = None, *, sha256 = false, nice = false))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one private call")]
    fn add(
        &self,
        py: Python<'_>,
        path: PathBuf,
        artifact_type: &str,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        pace: Option<&Pace>,
        sha256: bool,
        nice: bool,
    ) -> PyResult<Option<PathBuf>> {
        let given = self.filled(py, given, reasons)?;
        let path = convert::absolute(&path);
        let how = HowToDigest {
            pace: pace.map(|pace| Arc::clone(&pace.0)),
            sha256,
            nice,
        };
        let add = || self.inner.add_as(&path, artifact_type, &given, how);
        interruptible(py, add)?.into_py_result(py)
    }

    /// Puts a file that another tool made to its place, with its birthmark within.
    #[expect(clippy::too_many_arguments, reason = "arguments of one private call")]
    fn seal(
        &self,
        py: Python<'_>,
        from: PathBuf,
        to: PathBuf,
        artifact_type: &str,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
        on_existing: &str,
    ) -> PyResult<PathBuf> {
        let given = self.filled(py, given, reasons)?;
        let (from, to) = (convert::absolute(&from), convert::absolute(&to));
        let existing = convert::on_existing(on_existing)?;
        let seal = || self.inner.seal(&from, &to, artifact_type, &given, existing);
        interruptible(py, seal)?.into_py_result(py)
    }

    /// Records that a file or folder is there whose digest is still to come.
    fn expect(
        &self,
        py: Python<'_>,
        path: PathBuf,
        artifact_type: &str,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let given = self.filled(py, given, reasons)?;
        let path = convert::absolute(&path);
        py.detach(|| self.inner.expect(&path, artifact_type, &given))
            .into_py_result(py)
    }

    /// Records that something was read.
    fn use_input<'py>(
        &self,
        py: Python<'py>,
        what: &str,
        role: Option<&str>,
        more: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let more = convert::fields(more)?;
        let folder = convert::absolute(".".as_ref());
        let input = interruptible(py, || self.inner.use_input(what, role, &folder, more))?
            .into_py_result(py)?;
        convert::to_python(py, input)
    }

    /// Records that an artifact was removed on purpose.
    fn removed(&self, py: Python<'_>, path: PathBuf, reason: &str) -> PyResult<()> {
        let path = convert::absolute(&path);
        py.detach(|| self.inner.removed(&path, reason))
            .into_py_result(py)
    }

    /// What earlier sessions made directly in a folder, and nobody removed since.
    fn recorded_in(&self, py: Python<'_>, folder: PathBuf) -> Vec<PathBuf> {
        let folder = convert::absolute(&folder);
        py.detach(|| birthmark::add::recorded_in(self.inner.project(), &folder))
    }

    /// Whether the project wants to know what is read and made.
    #[getter]
    fn wants_lineage(&self) -> bool {
        self.inner.project().config.lineage.value.on
    }

    /// Records what was seen since the watch began.
    fn record_watch(
        &self,
        py: Python<'_>,
        loads: Vec<Bound<'_, PyDict>>,
        readers: Vec<String>,
        modules: Vec<PathBuf>,
        started: bool,
    ) -> PyResult<()> {
        let loads = crate::watch::loads(&loads);
        py.detach(|| {
            // What is open or mapped then is the script's: our own looks have ended.
            self.inner.finish_looks();
            let watched = crate::watch::end(loads, &readers, modules, started);
            self.inner.record_lineage(&watched)
        })
        .into_py_result(py)
    }

    /// Records what was loaded by name, where somebody else watches the files.
    fn record_loads(&self, py: Python<'_>, loads: Vec<Bound<'_, PyDict>>) -> PyResult<()> {
        let loads = crate::watch::loads(&loads);
        py.detach(|| self.inner.record_loads(&loads))
            .into_py_result(py)
    }

    /// Records the seeds that were set.
    fn record_seeds(&self, py: Python<'_>, seeds: &Bound<'_, PyDict>) -> PyResult<()> {
        let seeds = convert::fields(seeds)?;
        py.detach(|| self.inner.record_seeds(seeds))
            .into_py_result(py)
    }

    /// Ends the run of this process, and the session if it was begun here. `last` where nobody
    /// will try again.
    fn end(
        &self,
        py: Python<'_>,
        outcome: &str,
        error: Option<String>,
        exit_code: Option<i32>,
        last: bool,
    ) -> PyResult<()> {
        let outcome = match outcome {
            "completed" => Outcome::Completed,
            "failed" => Outcome::Failed,
            "interrupted" => Outcome::Interrupted,
            word => return Err(PyValueError::new_err(format!("no such outcome: {word:?}"))),
        };
        let end = RunEnd {
            error,
            exit_code,
            last,
            ..RunEnd::plain(outcome)
        };
        py.detach(|| self.inner.end(end)).into_py_result(py)
    }
}

impl Session {
    /// Fields given to an artifact, with `dataset`, `inputs` and `model_digests` filled in from
    /// the files they name.
    fn filled(
        &self,
        py: Python<'_>,
        given: &Bound<'_, PyDict>,
        reasons: &Bound<'_, PyDict>,
    ) -> PyResult<birthmark_core::Fields> {
        let folder = convert::absolute(".".as_ref());
        let project = self.inner.project();
        let fields = convert::given(py, given, reasons, |fields| {
            birthmark::dataset::fill(project, fields, &folder)
        })?;
        py.detach(|| self.inner.say_missing(&fields));
        Ok(fields)
    }
}
