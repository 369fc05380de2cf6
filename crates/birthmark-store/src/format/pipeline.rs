//! Work on blocks by several threads, with results in the order of the blocks.
//!
//! The calling thread reads and takes the results; the others work. Block `n`
//! goes to worker `n % workers` and comes back from there, so the order needs no
//! sorting, and at most two blocks a worker are held in memory; of long ones one at a time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::lines::{Block, BlockError, Blocks};

/// More workers than this wait for the thread that reads and writes.
const MOST_WORKERS: usize = 8;
/// Blocks that one worker may have.
const DEPTH: usize = 2;
/// A block of more bytes is worked on alone, and its memory is given back.
const LONG: usize = 8 << 20;

/// Why the work ended early.
pub(super) enum PipelineError<E> {
    Read(BlockError),
    Work(E),
    ThreadDied,
}

/// Runs `work` on each block of `blocks` and hands what comes of it to `take`.
/// Both may end it with an error. `work` gets the memory of an older result.
pub(super) fn run<R, E>(
    blocks: &mut Blocks<'_>,
    work: impl Fn(&Block, R) -> Result<R, E> + Sync,
    mut take: impl FnMut(&Block, &mut R) -> Result<(), E>,
) -> Result<(), PipelineError<E>>
where
    R: Default + Send,
    E: Send,
{
    let Some(first) = blocks.next(Vec::new()).map_err(PipelineError::Read)? else {
        return Ok(());
    };
    let Some(second) = blocks.next(Vec::new()).map_err(PipelineError::Read)? else {
        let mut result = work(&first, R::default()).map_err(PipelineError::Work)?;
        return take(&first, &mut result).map_err(PipelineError::Work);
    };
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS);
    std::thread::scope(|scope| {
        let mut hands = Vec::new();
        for _ in 0..workers {
            let (give, jobs) = sync_channel::<(Block, R)>(DEPTH);
            let (answer, done) = sync_channel(DEPTH);
            let work = &work;
            let body = move || labour(&jobs, &answer, work);
            if std::thread::Builder::new()
                .spawn_scoped(scope, body)
                .is_ok()
            {
                hands.push(Hand { give, done });
            }
        }
        drive(blocks, &hands, [first, second], &work, &mut take)
    })
}

/// The two ends of one worker.
struct Hand<R, E> {
    give: SyncSender<(Block, R)>,
    done: Receiver<(Block, Result<R, E>)>,
}

fn labour<R, E>(
    jobs: &Receiver<(Block, R)>,
    answer: &SyncSender<(Block, Result<R, E>)>,
    work: &impl Fn(&Block, R) -> Result<R, E>,
) {
    while let Ok((block, memory)) = jobs.recv() {
        let result = work(&block, memory);
        if answer.send((block, result)).is_err() {
            return;
        }
    }
}

fn drive<R: Default, E>(
    blocks: &mut Blocks<'_>,
    hands: &[Hand<R, E>],
    ahead: [Block; 2],
    work: &impl Fn(&Block, R) -> Result<R, E>,
    take: &mut impl FnMut(&Block, &mut R) -> Result<(), E>,
) -> Result<(), PipelineError<E>> {
    let mut ahead = VecDeque::from(ahead);
    let mut spare: Vec<(Vec<u8>, R)> = Vec::new();
    let (mut given, mut taken) = (0, 0);
    loop {
        let (bytes, memory) = spare.pop().unwrap_or_default();
        let block = match ahead.pop_front() {
            Some(block) => Some(block),
            None => blocks.next(bytes).map_err(PipelineError::Read)?,
        };
        let more = block.is_some();
        let long = block.as_ref().is_some_and(|block| block.bytes.len() > LONG);
        if let Some(block) = block {
            let Some(hand) = hands.get(given % hands.len().max(1)) else {
                // No thread could be made: the work is done here.
                let mut result = work(&block, memory).map_err(PipelineError::Work)?;
                take(&block, &mut result).map_err(PipelineError::Work)?;
                keep(&mut spare, block.bytes, result);
                continue;
            };
            hand.give
                .send((block, memory))
                .map_err(|_| PipelineError::ThreadDied)?;
            given += 1;
        }
        let room = if more && !long {
            hands.len() * DEPTH
        } else {
            0
        };
        while given - taken > room {
            let hand = hands
                .get(taken % hands.len())
                .ok_or(PipelineError::ThreadDied)?;
            let (block, result) = hand.done.recv().map_err(|_| PipelineError::ThreadDied)?;
            let mut result = result.map_err(PipelineError::Work)?;
            take(&block, &mut result).map_err(PipelineError::Work)?;
            keep(&mut spare, block.bytes, result);
            taken += 1;
        }
        if !more {
            return Ok(());
        }
    }
}

/// The memory of what was taken is used again, unless it was that of a long block.
fn keep<R>(spare: &mut Vec<(Vec<u8>, R)>, bytes: Vec<u8>, result: R) {
    if bytes.len() <= LONG {
        spare.push((bytes, result));
    }
}
