//! `birthmark stamp`: a birthmark for a file that is there already.

use std::path::PathBuf;

use birthmark::stamp::{self, StampOptions, Stamped, Target, given};
use birthmark_core::Fields;
use birthmark_core::json::OnExisting;
use serde_json::Value;

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::ui::Ui;

/// Give a birthmark to a file or folder that is there already
///
/// It goes beside the file, into FILE.birthmark.json; with --in-place or --out into the
/// file: each record of .jsonl, .jsonl.gz and .jsonl.zst, the top of a .json report, the
/// header of .safetensors, the footer of .parquet; tensors and tables keep every byte. Since nobody watched the file being made,
/// the birthmark says which of its fields were only declared. A session that is open is
/// joined; none is opened.
#[derive(Debug, clap::Args)]
pub struct StampArgs {
    /// A file or folder (can be repeated)
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

    /// Fields from a JSON or TOML file (can be repeated)
    #[arg(long, value_name = "FILE")]
    set_file: Vec<PathBuf>,

    /// What the model's loader said of itself: a JSON file
    #[arg(long, value_name = "FILE")]
    model_provenance: Option<PathBuf>,

    /// Write into the file itself
    #[arg(long, conflicts_with = "out")]
    in_place: bool,

    /// Write a stamped copy
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Overwrite --out; stamp in place what a session recorded
    #[arg(long)]
    force: bool,

    /// Where there is one already: error, merge, replace, keep
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "error",
        hide_possible_values = true
    )]
    on_existing: Existing,

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
    if args.out.is_some() && args.files.len() > 1 {
        return Err(Failure::new("--out takes one file, and there are several")
            .with_hint("stamp them one by one, or --in-place"));
    }
    let project = super::project()?;
    let options = StampOptions {
        artifact_type: args.artifact_type.clone(),
        given: all_fields(args)?,
        target: target(args.in_place, args.out.as_ref()),
        on_existing: args.on_existing.into(),
        force: args.force,
        argv: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
    };
    let mut done = Vec::new();
    for file in &args.files {
        let stamped = stamp::stamp(&project, file, &options)?;
        if args.json {
            done.push(stamped.to_json());
        } else {
            ui.people(&line(&stamped))?;
            // What was done stands before what failed.
            ui.flush()?;
        }
    }
    if args.json {
        ui.json(&Value::from(done))?;
    }
    Ok(ExitStatus::Yes)
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
    let mut fields = Fields::new();
    if let Some(path) = &args.model_provenance {
        fields.extend(given::read_model_provenance(path)?);
    }
    for path in &args.set_file {
        fields.extend(given::read_file(path)?);
    }
    fields.extend(super::fields(&args.set, &args.set_text)?);
    Ok(fields)
}

fn line(stamped: &Stamped) -> String {
    let wrote = birthmark::text::neutral(&stamped.wrote.to_string_lossy()).into_owned();
    if stamped.kept {
        return format!("kept     {wrote}");
    }
    let mut line = format!("stamped  {wrote}");
    let records = stamped.places.records();
    if records > 1 {
        line = format!("{line}  {}", birthmark::text::count(records, "record"));
    }
    let places = stamped.places;
    for (count, word) in [
        (places.merged, "merged into a metadata of your own"),
        (places.beside, "under `birthmark`, since metadata was taken"),
        (places.replaced, "in place of an older one"),
        (places.kept, "kept as they were"),
    ] {
        if count > 0 {
            line = format!("{line}, {count} {word}");
        }
    }
    match &stamped.made_in {
        Some(session) => format!("{line}  (made in session {})", session.short()),
        None => format!("{line}  (declared, not observed)"),
    }
}
