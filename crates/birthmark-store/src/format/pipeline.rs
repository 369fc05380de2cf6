//! Work on blocks by several threads, with results in the order of the blocks.
//!
//! Each thread reads a block and works on what it has read, so that the bytes stay in its own
//! processor's cache; one thread reads at a time, as the bytes come in their order. The calling
//! thread takes the results; one that is not there yet is not waited for: it then works too. So
//! there are as many threads as processors, none of them waits while there is work, and none
//! takes turns with another.
//!
//! # Invariants
//!
//! * Results are taken in the order of the blocks, and those of all blocks that could be read.
//! * At most [`DEPTH`] blocks a thread are held in memory; of long ones one at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;
#[cfg(not(test))]
use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(test)]
use crate::model::{Condvar, Mutex, MutexGuard};

use super::lines::{Block, BlockError, Blocks};
use crate::stop;

/// More threads than this wait for the one that takes the results.
const MOST_THREADS: usize = 9;
/// Blocks that are under way for each thread.
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
    let ahead = VecDeque::from([first, second]);
    let bench = Bench::new(Reader { blocks, ahead }, threads * DEPTH, LONG);
    let flag = stop::flag();
    std::thread::scope(|scope| {
        // By an error too, and by a panic, the others are sent home.
        let closing = Closing(&bench);
        let labour = || stop::with(flag.clone(), || bench.labour(&work));
        // A thread that cannot be made is done without.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, labour).ok())
            .collect();
        let outcome = bench.drive(&work, &mut take);
        drop(closing);
        // A panic that is not looked at here would go on in the calling thread.
        let died = others.into_iter().any(|other| other.join().is_err());
        if died && outcome.is_ok() {
            return Err(PipelineError::ThreadDied);
        }
        outcome
    })
}

/// Where blocks come from, in order.
struct Reader<'a, 'b> {
    blocks: &'a mut Blocks<'b>,
    /// Those that were read before there were threads.
    ahead: VecDeque<Block>,
}

impl Reader<'_, '_> {
    fn next(&mut self, memory: Vec<u8>) -> Result<Option<Block>, BlockError> {
        match self.ahead.pop_front() {
            Some(block) => Ok(Some(block)),
            None => self.blocks.next(memory),
        }
    }
}

/// Where the blocks lie that are being worked on.
struct Bench<'a, 'b, R, E> {
    on_it: Mutex<OnIt<'a, 'b, R, E>>,
    /// Blocks that may be under way.
    room: usize,
    /// A block of more bytes is worked on alone.
    long: usize,
    /// A block may be read, or no more will be.
    to_do: Condvar,
    /// There is a result, or a block may be read, or none will come.
    done: Condvar,
}

struct OnIt<'a, 'b, R, E> {
    /// None while a thread reads.
    reader: Option<Reader<'a, 'b>>,
    /// Blocks that were read, and those whose results were taken.
    read: usize,
    taken: usize,
    /// The last long one: nothing is read before it is taken.
    long: Option<usize>,
    /// Set at the end, or by an error.
    ended: Option<Result<(), BlockError>>,
    results: BTreeMap<usize, (Block, Result<R, E>)>,
    /// The memory of what was taken.
    spare: Vec<(Vec<u8>, R)>,
    /// Threads that wait for a block to read, and whether the calling one waits: only who waits
    /// is woken, as each waking is a call of the kernel.
    idle: usize,
    awaited: bool,
    closed: bool,
    died: bool,
}

impl<'a, 'b, R: Default, E> OnIt<'a, 'b, R, E> {
    /// The right to read the next block, if there may be one now, and memory for it.
    fn may_read(&mut self, room: usize) -> Option<(Reader<'a, 'b>, Vec<u8>, R)> {
        let under_way = self.read - self.taken;
        let waits = self.long.is_some_and(|long| self.taken <= long);
        if self.ended.is_some() || under_way >= room || waits {
            return None;
        }
        let reader = self.reader.take()?;
        let (bytes, memory) = self.spare.pop().unwrap_or_default();
        Some((reader, bytes, memory))
    }
}

impl<'a, 'b, R: Default, E> Bench<'a, 'b, R, E> {
    fn new(reader: Reader<'a, 'b>, room: usize, long: usize) -> Self {
        Self {
            on_it: Mutex::new(OnIt {
                reader: Some(reader),
                read: 0,
                taken: 0,
                long: None,
                ended: None,
                results: BTreeMap::new(),
                spare: Vec::new(),
                idle: 0,
                awaited: false,
                closed: false,
                died: false,
            }),
            room,
            long,
            to_do: Condvar::new(),
            done: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, OnIt<'a, 'b, R, E>> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever may read now.
    fn call(&self, on_it: &OnIt<'a, 'b, R, E>) {
        if on_it.ended.is_some() {
            self.to_do.notify_all();
        } else if on_it.idle > 0 {
            self.to_do.notify_one();
            return;
        }
        if on_it.awaited {
            self.done.notify_one();
        }
    }

    /// Reads a block, works on it and lays the result down.
    fn work_on(
        &self,
        (mut reader, bytes, memory): (Reader<'a, 'b>, Vec<u8>, R),
        work: &impl Fn(&Block, R) -> Result<R, E>,
    ) {
        let next = reader.next(bytes);
        let mut on_it = self.lock();
        on_it.reader = Some(reader);
        let block = match next {
            Ok(Some(block)) => block,
            last => {
                on_it.ended = Some(last.map(drop));
                return self.call(&on_it);
            }
        };
        let number = on_it.read;
        on_it.read += 1;
        if block.text().len() > self.long {
            on_it.long = Some(number);
        }
        self.call(&on_it);
        drop(on_it);
        let result = work(&block, memory);
        let mut on_it = self.lock();
        on_it.results.insert(number, (block, result));
        if on_it.awaited {
            self.done.notify_one();
        }
    }

    /// Works until no more blocks come.
    fn labour(&self, work: &impl Fn(&Block, R) -> Result<R, E>) {
        let _dying = Dying(self);
        let mut on_it = self.lock();
        while !on_it.closed && on_it.ended.is_none() {
            if let Some(right) = on_it.may_read(self.room) {
                drop(on_it);
                self.work_on(right, work);
                on_it = self.lock();
                continue;
            }
            on_it.idle += 1;
            on_it = self
                .to_do
                .wait(on_it)
                .unwrap_or_else(PoisonError::into_inner);
            on_it.idle -= 1;
        }
    }

    /// The calling thread's part: takes results in order, and works where there is none.
    fn drive(
        &self,
        work: &impl Fn(&Block, R) -> Result<R, E>,
        take: &mut impl FnMut(&Block, &mut R) -> Result<(), E>,
    ) -> Result<(), PipelineError<E>> {
        let mut on_it = self.lock();
        loop {
            let next = on_it.taken;
            if let Some((block, result)) = on_it.results.remove(&next) {
                drop(on_it);
                let mut result = result.map_err(PipelineError::Work)?;
                take(&block, &mut result).map_err(PipelineError::Work)?;
                on_it = self.lock();
                on_it.taken += 1;
                // The memory of a long block is given back.
                if block.text().len() <= self.long {
                    on_it.spare.push((block.into_memory(), result));
                }
                self.call(&on_it);
            } else if on_it.died {
                return Err(PipelineError::ThreadDied);
            } else if let Some(right) = on_it.may_read(self.room) {
                drop(on_it);
                self.work_on(right, work);
                on_it = self.lock();
            } else if on_it.read == on_it.taken
                && let Some(ended) = on_it.ended.take()
            {
                on_it.closed = true;
                return ended.map_err(PipelineError::Read);
            } else {
                on_it.awaited = true;
                on_it = self
                    .done
                    .wait(on_it)
                    .unwrap_or_else(PoisonError::into_inner);
                on_it.awaited = false;
            }
        }
    }
}

/// Says so if its thread ends by a panic, so that nobody waits for its result.
struct Dying<'c, 'a, 'b, R: Default, E>(&'c Bench<'a, 'b, R, E>);

impl<R: Default, E> Drop for Dying<'_, '_, '_, R, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().died = true;
            self.0.done.notify_all();
        }
    }
}

/// No more blocks come.
struct Closing<'c, 'a, 'b, R: Default, E>(&'c Bench<'a, 'b, R, E>);

impl<R: Default, E> Drop for Closing<'_, '_, '_, R, E> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.to_do.notify_all();
    }
}

#[cfg(test)]
mod tests;
