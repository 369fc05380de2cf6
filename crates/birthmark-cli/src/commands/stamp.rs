//! `birthmark stamp`: a birthmark for a file that is there already.

use std::path::PathBuf;

use birthmark::Project;
use birthmark::stamp::{StampOptions, Target, given, many, stream};
use birthmark_core::Fields;
use birthmark_core::json::OnExisting;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::progress::Progress;
use crate::signals;
use crate::ui::Ui;
use said::{Said, beside};

mod said;

/// Give a birthmark to a file or folder that is there already
///
/// It goes beside the file, into FILE.birthmark.json; with --in-place or --out into the
/// file: each record of .jsonl, .jsonl.gz and .jsonl.zst, the top of a .json report, the
/// header of .safetensors, the footer of .parquet; tensors and tables keep every byte. Since nobody watched the file being made,
/// the birthmark says which of its fields were only declared. A session that is open is
/// joined; none is opened.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct StampArgs {
    /// A file or folder (can be repeated); a pattern in quotes: 'data/**/*.jsonl'; `-` for
    /// JSONL from stdin to stdout
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// training_data, evaluation, model, dataset, or your own word
    #[arg(long = "type", value_name = "TYPE")]
    artifact_type: String,

    /// A field; JSON where it is JSON, else text: seed=42 (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// A field whose value is text whatever it looks like (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set_text: Vec<String>,

    /// Fields from a JSON, TOML or YAML file (can be repeated)
    #[arg(long, value_name = "FILE")]
    set_file: Vec<PathBuf>,

    /// What the model's loader said of itself: a JSON file
    #[arg(long, value_name = "FILE")]
    model_provenance: Option<PathBuf>,

    /// Write into the file itself: owner, mode and attributes stay, its time is that of now, as
    /// its bytes are others
    #[arg(long, conflicts_with = "out")]
    in_place: bool,

    /// Write a stamped copy
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Of a folder, each file below it that carries birthmarks within
    #[arg(long, short)]
    recursive: bool,
    /// Set lines that are no records aside into FILE, instead of stopping
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Overwrite --out; stamp in place what a session recorded, or what has other names, too
    /// (hard links)
    #[arg(long)]
    force: bool,

    /// Where there is one already: error, replace, keep, or merge: the old one stays beneath,
    /// and the new one counts. One beside the file counts, too: replace puts the new one into
    /// the file and removes the sidecar
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "error",
        hide_possible_values = true
    )]
    on_existing: Existing,

    /// Put SHA-256 into the sidecar too, for `sha256sum` and others that know no BLAKE3
    #[arg(long, conflicts_with_all = ["in_place", "out"])]
    sha256: bool,

    /// Take lines of up to this many bytes (64MiB, 2GiB); each takes twice that of memory
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    longest_line: Option<usize>,

    /// Print what was stamped as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Existing {
    Error,
    Merge,
    Replace,
    Keep,
}

impl From<Existing> for OnExisting {
    fn from(existing: Existing) -> Self {
        match existing {
            Existing::Error => Self::Error,
            Existing::Merge => Self::Merge,
            Existing::Replace => Self::Replace,
            Existing::Keep => Self::Keep,
        }
    }
}

/// Stamps.
pub fn run(ui: &mut Ui, args: &StampArgs) -> Answer {
    let project = super::project()?;
    let mut options = StampOptions {
        given: all_fields(args)?,
        target: target(args.in_place, args.out.as_ref()),
        on_existing: args.on_existing.into(),
        force: args.force,
        quarantine: args.quarantine.clone(),
        sha256: args.sha256,
        longest_line: args.longest_line,
        argv: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        ..StampOptions::new(&args.artifact_type)
    };
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        return pipe(ui, args, &project, &options);
    }
    let files = many::find(&args.files, args.recursive)?;
    refuse_several(args, &files)?;
    let progress = Progress::of(many::bytes_to_read(&files, &options));
    options.progress = Some(progress.counter());
    let mut said = Said::new(ui, files.len(), args.json);
    signals::stoppable(|| {
        many::stamp_all(&project, &files, &options, &mut |file, result| {
            progress.beside(|| said.tell(file, result));
        })
    })?;
    drop(progress);
    said.end()
}

fn refuse_several(args: &StampArgs, files: &[PathBuf]) -> Result<(), Failure> {
    let option = if args.out.is_some() {
        "--out"
    } else if args.quarantine.is_some() {
        "--quarantine"
    } else {
        return Ok(());
    };
    if files.len() > 1 {
        return Err(
            Failure::new(format!("{option} takes one file, and there are several"))
                .with_hint("stamp them one by one"),
        );
    }
    if option == "--quarantine" && !args.in_place && args.out.is_none() {
        return Err(
            Failure::new("--quarantine is for what is written into a file")
                .with_hint("say --in-place or --out FILE"),
        );
    }
    Ok(())
}

/// From stdin to stdout.
fn pipe(ui: &mut Ui, args: &StampArgs, project: &Project, options: &StampOptions) -> Answer {
    if args.files.len() > 1 || options.target != Target::Sidecar || args.quarantine.is_some() {
        return Err(
            Failure::new("`-` stands alone: JSONL from stdin goes to stdout")
                .with_hint("birthmark stamp - --type TYPE < in.jsonl > out.jsonl"),
        );
    }
    let stamped = stream::stream(project, &mut std::io::stdin(), &mut Out(ui), options)?;
    ui.flush()?;
    beside(ui, &stamped);
    if !super::quiet() {
        let records = birthmark::text::count(stamped.places.records(), "record");
        ui.talk(&format!(
            "stamped {records} on the way (declared, not observed)"
        ));
    }
    Ok(ExitStatus::Yes)
}

/// Stdout, for bytes.
struct Out<'a>(&'a mut Ui);

impl std::io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.raw(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

pub(super) fn target(in_place: bool, out: Option<&PathBuf>) -> Target {
    match out {
        Some(out) => Target::Out(out.clone()),
        None if in_place => Target::InPlace,
        None => Target::Sidecar,
    }
}

/// All fields given; those on the command line count over those of files.
fn all_fields(args: &StampArgs) -> Result<Fields, Failure> {
    let mut fields = given::from_files(args.model_provenance.as_deref(), &args.set_file)?;
    fields.extend(super::fields(&args.set, &args.set_text)?);
    Ok(fields)
}
