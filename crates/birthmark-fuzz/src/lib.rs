//! Damage to everything that foreign bytes are read by.
//!
//! A *target* is a function that takes bytes and hands them to one reader of ours. [`drive`]
//! feeds it each file of its corpus (`corpus/<target>/`), then mutations of these, from a seed
//! and for some time. No mutation may make a reader panic, take longer than [`CPU_LIMIT`], or
//! take more memory than [`MEMORY_LIMIT`]. What was found once is put into the corpus, so
//! that it is tried first ever after.
//!
//! ```text
//! BIRTHMARK_FUZZ_SECONDS=300 BIRTHMARK_FUZZ_SEED=7 cargo test --release -p birthmark-fuzz parquet
//! ```
//!
//! # Limitations
//!
//! * The mutator does not see which code ran: it knows lengths, brackets and the words of the
//!   format, and no more. It needs no compiler but the stable one.
//! * Time is CPU time of the calling thread; threads of a reader's own are watched by the
//!   clock alone, after [`HANG`].

pub mod mutate;
pub mod targets;
mod watch;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutate::Chance;
pub use targets::{Run, TARGETS, Target};
use watch::Watch;

/// CPU time that one input may take. Without optimisation all is many times slower.
pub const CPU_LIMIT: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(5)
} else {
    Duration::from_secs(1)
};
/// What takes longer than this by the clock hangs, and ends the process.
pub const HANG: Duration = Duration::from_mins(2);
/// Bytes of memory that the process may take beyond what it had before.
pub const MEMORY_LIMIT: u64 = 256 << 20;
/// An input is made no longer than this.
pub const MOST_BYTES: usize = 64 << 10;

/// How a run went.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Files of the corpus among them.
    pub kept: usize,
}

/// An input that a reader could not take.
#[derive(Debug)]
pub struct Found {
    /// What it did.
    pub what: String,
    /// Where it was written to.
    pub path: PathBuf,
}

/// The corpus of a target, in the order of the names.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn corpus(name: &str) -> std::io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.iter().map(fs::read).collect()
}

/// Tries a target with its corpus, then with mutations of it, until the time is up.
///
/// # Errors
///
/// With the first input that the reader could not take, written to `keep`.
pub fn drive(target: &Target, time: Duration, seed: u64, keep: &Path) -> Result<Ran, Found> {
    let broken = |what: String| Found {
        what,
        path: PathBuf::new(),
    };
    let scratch = tempfile::tempdir().map_err(|error| broken(error.to_string()))?;
    let seeds = match target.seeds {
        Some(seeds) => seeds(),
        None => corpus(target.name),
    };
    let seeds = seeds.map_err(|error| broken(format!("its corpus cannot be read: {error}")))?;
    if seeds.is_empty() {
        return Err(broken("its corpus is empty".to_owned()));
    }
    let mut trial = Trial {
        run: (target.make)(scratch.path()),
        watch: Watch::begin(keep.join(format!("hang-{}", target.name))),
        name: target.name,
        keep,
        before: watch::peak_memory(),
    };
    for input in &seeds {
        trial.put(input)?;
    }
    let mut ran = Ran {
        inputs: seeds.len() as u64,
        kept: seeds.len(),
    };
    let mut chance = Chance::new(seed);
    let end = Instant::now() + time;
    while Instant::now() < end {
        let input = mutate::mutated(&seeds, target.words, &mut chance);
        trial.put(&input)?;
        ran.inputs += 1;
    }
    Ok(ran)
}

struct Trial<'a> {
    run: Run,
    watch: Watch,
    name: &'a str,
    keep: &'a Path,
    before: u64,
}

impl Trial<'_> {
    fn put(&mut self, input: &[u8]) -> Result<(), Found> {
        self.watch.enter(input);
        let begun = watch::cpu_time();
        let run = &mut self.run;
        let ended = catch_unwind(AssertUnwindSafe(|| run(input)));
        let took = watch::cpu_time().saturating_sub(begun);
        self.watch.leave();
        let grew = watch::peak_memory().saturating_sub(self.before);
        let what = if ended.is_err() {
            "it panicked".to_owned()
        } else if took > CPU_LIMIT {
            format!("it took {took:?}")
        } else if grew > MEMORY_LIMIT {
            format!("memory grew by {} MiB while it ran", grew >> 20)
        } else {
            return Ok(());
        };
        let digest = birthmark_store::digest::digest_bytes(input).to_string();
        let short = digest.get(7..19).unwrap_or("input");
        let path = self.keep.join(format!("{}-{short}", self.name));
        watch::write(&path, input);
        Err(Found { what, path })
    }
}
