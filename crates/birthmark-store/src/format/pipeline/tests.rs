use std::io::{self, Read};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use super::super::lines::lines;
use super::*;
use crate::model::{self, Part};

/// Some blocks of lines that are numbered from zero.
fn numbered(count: u64) -> Vec<u8> {
    let line = |number| format!("{number:01000}\n").into_bytes();
    (0..count).flat_map(line).collect()
}

#[test]
fn results_are_taken_in_order_however_long_each_block_takes() {
    let text = numbered(5_000);
    let mut input = text.as_slice();
    let mut blocks = Blocks::new(&mut input, 1 << 20);
    let work = |block: &Block, mut memory: Vec<u8>| {
        std::thread::sleep(Duration::from_millis(block.line % 7));
        memory.clear();
        memory.extend_from_slice(block.text());
        Ok::<_, ()>(memory)
    };
    let mut all = Vec::new();
    let take = |_: &Block, memory: &mut Vec<u8>| {
        all.extend_from_slice(memory);
        Ok(())
    };
    assert!(run(&mut blocks, work, take).is_ok());
    assert!(all == text);
}

#[test]
fn error_of_a_block_ends_the_work_and_nothing_behind_it_is_taken() {
    let text = numbered(5_000);
    let mut input = text.as_slice();
    let mut blocks = Blocks::new(&mut input, 1 << 20);
    let work = |block: &Block, (): ()| match lines(block).find(|line| line.number == 2_000) {
        Some(line) => Err(line.number),
        None => Ok(()),
    };
    let mut last = 0;
    let take = |block: &Block, (): &mut ()| {
        last = block.line;
        Ok(())
    };
    let ended = run(&mut blocks, work, take);
    assert!(matches!(ended, Err(PipelineError::Work(2_000))));
    assert!(last < 2_000);
}

#[test]
fn thread_that_dies_is_an_error_and_nobody_waits_for_it() {
    if std::thread::available_parallelism().map_or(1, usize::from) == 1 {
        return;
    }
    let text = numbered(5_000);
    let mut input = text.as_slice();
    let mut blocks = Blocks::new(&mut input, 1 << 20);
    let (caller, died) = (std::thread::current().id(), AtomicBool::new(false));
    let work = |_: &Block, (): ()| {
        if std::thread::current().id() != caller {
            died.store(true, Ordering::Relaxed);
            // Not by `panic!`, which says so on stderr.
            std::panic::resume_unwind(Box::new("died"));
        }
        while !died.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Ok::<_, ()>(())
    };
    let ended = run(&mut blocks, work, |_: &Block, (): &mut ()| Ok(()));
    assert!(matches!(ended, Err(PipelineError::ThreadDied)));
}

/// Reads so many bytes, and then nothing any more.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("broken")),
            got => Ok(got),
        }
    }
}

/// What was taken of a text, block by block, and how it ended.
type Ended = (Vec<u8>, Result<(), PipelineError<u64>>);

/// Plays the threads of a bench in every order of their turns: `work` is told whether it is the
/// calling thread that works. A block holds a line, as a rule.
fn in_every_order(
    (threads, stops): (usize, usize),
    input: impl Fn() -> Box<dyn Read + Send>,
    work: impl Fn(&Block, bool) -> Result<(), u64> + Sync,
    holds: impl Fn(&Ended),
) -> usize {
    model::every_order(stops, |play| {
        let mut input = input();
        let mut blocks = Blocks::new(&mut *input, 100).in_blocks_of(2);
        let ahead = VecDeque::new();
        // Less room than usual, and blocks that are long, so that threads wait for each.
        let reader = Reader {
            blocks: &mut blocks,
            ahead,
        };
        let bench = Bench::new(reader, threads, 3);
        let caller = OnceLock::<ThreadId>::new();
        let (taken_lines, early) = (AtomicU64::new(0), AtomicBool::new(false));
        let work = |block: &Block, (): ()| {
            // The second line is long: nothing is read before it was taken.
            if block.line > 2 && taken_lines.load(Ordering::Relaxed) < 2 {
                early.store(true, Ordering::Relaxed);
            }
            let is_caller = caller.get() == Some(&std::thread::current().id());
            work(block, is_caller)
        };
        let mut ended = None;
        let drive = || {
            let _ = caller.set(std::thread::current().id());
            let closing = Closing(&bench);
            let mut taken = Vec::new();
            let take = |block: &Block, (): &mut ()| {
                taken.extend_from_slice(block.text());
                taken_lines.store(block.line, Ordering::Relaxed);
                Ok(())
            };
            let outcome = bench.drive(&work, &mut { take });
            drop(closing);
            ended = Some((taken, outcome));
        };
        let mut parts: Vec<Part<'_>> = vec![Box::new(drive)];
        for _ in 1..threads {
            parts.push(Box::new(|| bench.labour(&work)));
        }
        play.run(parts);
        assert!(!early.into_inner(), "read beside a long one");
        holds(&ended.expect("the calling thread is through"));
    })
}

/// Threads, and how often one is stopped at most: thousands of orders, and with
/// `BIRTHMARK_LONG_TESTS` ten times as many.
fn plays() -> [(usize, usize); 2] {
    if std::env::var_os("BIRTHMARK_LONG_TESTS").is_some() {
        [(2, 4), (3, 2)]
    } else {
        [(2, 3), (3, 1)]
    }
}

/// Long blocks among short ones.
const TEXT: &[u8] = b"a\nlonger\nb\nc\n";

#[test]
fn in_every_order_of_the_threads_all_is_taken_as_it_came_and_nobody_waits_for_ever() {
    for play in plays() {
        let orders = in_every_order(
            play,
            || Box::new(TEXT),
            |_, _| Ok(()),
            |(taken, outcome)| {
                assert!(outcome.is_ok());
                assert_eq!(taken, TEXT);
            },
        );
        assert!(orders > 100, "{orders}");
    }
}

#[test]
fn in_every_order_of_the_threads_an_error_ends_the_work_where_it_is() {
    for play in plays() {
        in_every_order(
            play,
            || Box::new(TEXT),
            |block, _| match block.text() {
                b"b\n" => Err(block.line),
                _ => Ok(()),
            },
            |(taken, outcome)| {
                assert!(matches!(outcome, Err(PipelineError::Work(3))));
                assert_eq!(taken, b"a\nlonger\n");
            },
        );
        in_every_order(
            play,
            || Box::new(Broken(b"a\nlonger\nbb\n")),
            |_, _| Ok(()),
            |(taken, outcome)| {
                assert!(matches!(outcome, Err(PipelineError::Read(_))));
                assert_eq!(taken, b"a\nlonger\nbb\n");
            },
        );
    }
}

#[test]
fn in_every_order_of_the_threads_one_that_dies_is_missed() {
    for play in plays() {
        in_every_order(
            play,
            || Box::new(TEXT),
            |_, is_caller| {
                if !is_caller {
                    std::panic::resume_unwind(Box::new("died"));
                }
                Ok(())
            },
            |(taken, outcome)| match outcome {
                // None of the others was quick enough to get a block.
                Ok(()) => assert_eq!(taken, TEXT),
                Err(error) => {
                    assert!(matches!(error, PipelineError::ThreadDied));
                    assert!(TEXT.starts_with(taken));
                }
            },
        );
    }
}
