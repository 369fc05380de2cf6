//! A short run of every target, in every run of the tests.
//!
//! `BIRTHMARK_FUZZ_SECONDS` and `BIRTHMARK_FUZZ_SEED` make it longer and other.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target that cannot be run must fail"
)]

use std::path::Path;
use std::time::Duration;

use birthmark_fuzz::{TARGETS, drive};

/// Seconds that each target gets where nothing else is asked for.
const SHORT: f64 = 0.7;

fn survives(name: &str) {
    let set = |name: &str| std::env::var(name).ok();
    let seconds = set("BIRTHMARK_FUZZ_SECONDS").map_or(SHORT, |text| text.parse().unwrap());
    let seed = set("BIRTHMARK_FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ran = drive(target, Duration::from_secs_f64(seconds), seed, keep).unwrap_or_else(|found| {
        panic!(
            "{name}, seed {seed}: {} ({})",
            found.what,
            found.path.display()
        )
    });
    assert!(ran.kept > 0 && ran.inputs > 0);
    if seconds > 5.0 {
        assert!(
            ran.inputs > 50,
            "{name}: only {} inputs were tried",
            ran.inputs
        );
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            survives(stringify!($name));
        })*

        #[test]
        fn no_target_is_forgotten() {
            let tested = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{} has no test", target.name);
            }
            assert_eq!(tested.len(), TARGETS.len());
        }
    };
}

targets! {
    json jsonl gzip zstd packed_text report parquet safetensors gguf zip evaluation inspect
    sidecar journal journal_resealed manifest settings params declaration
    filter sql policy names repository bundle secrets packages lock_file notes
    any_file
}
