//! Work on blocks by several threads, with results in the order of the blocks.
//!
//! The calling thread reads and takes the results; the others work, each on the oldest block
//! that nobody has. A result that is not there yet is not waited for: the calling thread then
//! works too. So there are as many threads as processors, none of them waits while there is
//! work, and none takes turns with another.
//!
//! # Invariants
//!
//! * Results are taken in the order of the blocks, and those of all blocks that could be read.
//! * At most [`DEPTH`] blocks a thread are held in memory; of long ones one at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::lines::{Block, BlockError, Blocks};

/// More threads than this wait for the one that reads and writes.
const MOST_THREADS: usize = 9;
/// Blocks that are read ahead for each thread.
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
    let second = match blocks.next(Vec::new()) {
        Ok(Some(second)) => second,
        last => {
            let mut result = work(&first, R::default()).map_err(PipelineError::Work)?;
            take(&first, &mut result).map_err(PipelineError::Work)?;
            return last.map(drop).map_err(PipelineError::Read);
        }
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS);
    let bench = Bench::default();
    std::thread::scope(|scope| {
        // By an error too, and by a panic, the others are sent home.
        let closing = Closing(&bench);
        let labour = || bench.labour(&work);
        // A thread that cannot be made is done without.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, labour).ok())
            .collect();
        let driver = Driver {
            bench: &bench,
            room: threads * DEPTH,
            given: 0,
            taken: 0,
            spare: Vec::new(),
        };
        let outcome = driver.drive(blocks, [first, second], &work, &mut take);
        drop(closing);
        // A panic that is not looked at here would go on in the calling thread.
        let died = others.into_iter().any(|other| other.join().is_err());
        if died && outcome.is_ok() {
            return Err(PipelineError::ThreadDied);
        }
        outcome
    })
}

/// Where the blocks lie that are being worked on.
struct Bench<R, E> {
    on_it: Mutex<OnIt<R, E>>,
    /// There is a block to be worked on, or no more will come.
    to_do: Condvar,
    /// There is a result, or none will come.
    done: Condvar,
}

struct OnIt<R, E> {
    jobs: VecDeque<(usize, Block, R)>,
    results: BTreeMap<usize, (Block, Result<R, E>)>,
    /// Threads that wait for a block, and whether one waits for a result: only who waits is woken,
    /// as each waking is a call of the kernel.
    idle: usize,
    awaited: bool,
    closed: bool,
    died: bool,
}

/// What the calling thread does next.
enum Next<R, E> {
    Take(Block, Result<R, E>),
    Work(usize, Block, R),
    Died,
}

impl<R, E> Default for Bench<R, E> {
    fn default() -> Self {
        Self {
            on_it: Mutex::new(OnIt {
                jobs: VecDeque::new(),
                results: BTreeMap::new(),
                idle: 0,
                awaited: false,
                closed: false,
                died: false,
            }),
            to_do: Condvar::new(),
            done: Condvar::new(),
        }
    }
}

impl<R, E> Bench<R, E> {
    fn lock(&self) -> MutexGuard<'_, OnIt<R, E>> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, number: usize, block: Block, memory: R) {
        let mut on_it = self.lock();
        on_it.jobs.push_back((number, block, memory));
        let is_waited_for = on_it.idle > 0;
        drop(on_it);
        if is_waited_for {
            self.to_do.notify_one();
        }
    }

    /// Works until no more blocks come.
    fn labour(&self, work: &impl Fn(&Block, R) -> Result<R, E>) {
        let _dying = Dying(self);
        let mut on_it = self.lock();
        while !on_it.closed {
            let Some((number, block, memory)) = on_it.jobs.pop_front() else {
                on_it.idle += 1;
                on_it = self
                    .to_do
                    .wait(on_it)
                    .unwrap_or_else(PoisonError::into_inner);
                on_it.idle -= 1;
                continue;
            };
            drop(on_it);
            let result = work(&block, memory);
            on_it = self.lock();
            on_it.results.insert(number, (block, result));
            if on_it.awaited {
                self.done.notify_one();
            }
        }
    }

    /// The result of this number if it is there, else a block to work on; with neither it waits.
    fn next(&self, number: usize) -> Next<R, E> {
        let mut on_it = self.lock();
        loop {
            if let Some((block, result)) = on_it.results.remove(&number) {
                return Next::Take(block, result);
            }
            if on_it.died {
                return Next::Died;
            }
            if let Some((number, block, memory)) = on_it.jobs.pop_front() {
                return Next::Work(number, block, memory);
            }
            on_it.awaited = true;
            on_it = self
                .done
                .wait(on_it)
                .unwrap_or_else(PoisonError::into_inner);
            on_it.awaited = false;
        }
    }
}

/// Says so if its thread ends by a panic, so that nobody waits for its result.
struct Dying<'a, R, E>(&'a Bench<R, E>);

impl<R, E> Drop for Dying<'_, R, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().died = true;
            self.0.done.notify_all();
        }
    }
}

/// No more blocks come.
struct Closing<'a, R, E>(&'a Bench<R, E>);

impl<R, E> Drop for Closing<'_, R, E> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.to_do.notify_all();
    }
}

/// The calling thread's part.
struct Driver<'a, R, E> {
    bench: &'a Bench<R, E>,
    /// Blocks that may be on the bench.
    room: usize,
    given: usize,
    taken: usize,
    spare: Vec<(Vec<u8>, R)>,
}

impl<R: Default, E> Driver<'_, R, E> {
    fn drive(
        mut self,
        blocks: &mut Blocks<'_>,
        ahead: [Block; 2],
        work: &impl Fn(&Block, R) -> Result<R, E>,
        take: &mut impl FnMut(&Block, &mut R) -> Result<(), E>,
    ) -> Result<(), PipelineError<E>> {
        let mut ahead = VecDeque::from(ahead);
        loop {
            let (bytes, memory) = self.spare.pop().unwrap_or_default();
            let block = match ahead.pop_front() {
                Some(block) => Ok(Some(block)),
                None => blocks.next(bytes),
            };
            let block = match block {
                Ok(Some(block)) => block,
                last => {
                    self.take_down_to(0, work, take)?;
                    return last.map(drop).map_err(PipelineError::Read);
                }
            };
            let long = block.text().len() > LONG;
            self.bench.give(self.given, block, memory);
            self.given += 1;
            let room = if long { 0 } else { self.room - 1 };
            self.take_down_to(room, work, take)?;
        }
    }

    /// Takes results, and works, until so few blocks are left.
    fn take_down_to(
        &mut self,
        room: usize,
        work: &impl Fn(&Block, R) -> Result<R, E>,
        take: &mut impl FnMut(&Block, &mut R) -> Result<(), E>,
    ) -> Result<(), PipelineError<E>> {
        while self.given - self.taken > room {
            match self.bench.next(self.taken) {
                Next::Died => return Err(PipelineError::ThreadDied),
                Next::Work(number, block, memory) => {
                    let result = work(&block, memory);
                    self.bench.lock().results.insert(number, (block, result));
                }
                Next::Take(block, result) => {
                    let mut result = result.map_err(PipelineError::Work)?;
                    take(&block, &mut result).map_err(PipelineError::Work)?;
                    self.taken += 1;
                    self.keep(block.into_memory(), result);
                }
            }
        }
        Ok(())
    }

    /// The memory of what was taken is used again, unless it was that of a long block.
    fn keep(&mut self, bytes: Vec<u8>, result: R) {
        if bytes.len() <= LONG {
            self.spare.push((bytes, result));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::super::lines::lines;
    use super::*;

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
}
