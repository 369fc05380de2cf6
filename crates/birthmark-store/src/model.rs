//! Every order in which threads may take their turns: for tests alone.
//!
//! A mutex and a condition variable that are those of the standard library, until threads are
//! played by [`every_order`]: then one runs at a time, and who goes on at each lock, and who is
//! woken of several that wait, is tried in every way. So what threads hand to each other is
//! proved for all orders within the bound, where a run of real threads shows one of them.
//!
//! # Invariants
//!
//! * The code that is played is the code that runs: only the types of its lock are others.
//! * Threads that wait for each other for ever end the play, with the order that led there.
//!
//! # Limits
//!
//! * A thread is stopped in favour of another so many times as it is said, and else where it
//!   waits: what needs more than that is not found.
//! * What is shared without a lock (atomics) is not played: nobody is stopped there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{self, Arc, LockResult, PoisonError};

/// A thread of a play.
pub(crate) type Part<'a> = Box<dyn FnOnce() + Send + 'a>;

thread_local! {
    /// The play that this thread has a part in, and which.
    static ROLE: RefCell<Option<(Arc<Stage>, usize)>> = const { RefCell::new(None) };
}

fn role() -> Option<(Arc<Stage>, usize)> {
    ROLE.with_borrow(Clone::clone)
}

/// Plays `scene` in every order in which its threads are stopped at most `stops` times, and says
/// how many orders that were. What `scene` asserts must hold in each of them.
pub(crate) fn every_order(stops: usize, scene: impl Fn(&Play)) -> usize {
    let mut choices = Vec::new();
    let mut orders = 0;
    loop {
        let play = Play {
            stops,
            plan: RefCell::new(choices),
        };
        scene(&play);
        orders += 1;
        choices = play.plan.into_inner();
        // The last choice that has another way takes it.
        while choices.last().is_some_and(|last| last.taken + 1 == last.of) {
            choices.pop();
        }
        match choices.last_mut() {
            Some(last) => last.taken += 1,
            None => return orders,
        }
    }
}

/// One order.
pub(crate) struct Play {
    stops: usize,
    plan: RefCell<Vec<Choice>>,
}

#[derive(Debug, Clone, Copy)]
struct Choice {
    taken: usize,
    of: usize,
}

impl Play {
    /// Runs threads, one at a time, until all have ended; one that panics has ended too.
    pub(crate) fn run(&self, parts: Vec<Part<'_>>) {
        let stage = Arc::new(Stage {
            state: sync::Mutex::new(State {
                doing: vec![Doing::Runs; parts.len()],
                turn: None,
                held: HashMap::new(),
                stops: self.stops,
                plan: self.plan.take(),
                at: 0,
                stuck: None,
            }),
            go: parts.iter().map(|_| sync::Condvar::new()).collect(),
        });
        stage.pass_on(&mut stage.lock(), None);
        std::thread::scope(|scope| {
            for (me, part) in parts.into_iter().enumerate() {
                let stage = Arc::clone(&stage);
                scope.spawn(move || {
                    ROLE.set(Some((Arc::clone(&stage), me)));
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        drop(stage.await_turn(stage.lock(), me));
                        part();
                    }));
                    ROLE.set(None);
                    let mut all = stage.lock();
                    all.doing[me] = Doing::Ended;
                    stage.pass_on(&mut all, None);
                });
            }
        });
        let mut all = stage.lock();
        let plan = std::mem::take(&mut all.plan);
        if let Some(stuck) = &all.stuck {
            let order: Vec<usize> = plan.iter().map(|choice| choice.taken).collect();
            panic!("{stuck}, by the choices {order:?}");
        }
        self.plan.replace(plan);
    }
}

struct Stage {
    state: sync::Mutex<State>,
    /// One for each thread: it has the turn.
    go: Vec<sync::Condvar>,
}

struct State {
    doing: Vec<Doing>,
    turn: Option<usize>,
    /// Who holds which lock, by its address.
    held: HashMap<usize, usize>,
    /// How many times a thread may still be stopped that could go on.
    stops: usize,
    plan: Vec<Choice>,
    /// Choices that were made.
    at: usize,
    stuck: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Runs,
    /// Wants a lock.
    Wants(usize),
    /// Waits to be woken, and wants its lock then.
    Waits {
        condvar: usize,
        lock: usize,
    },
    Ended,
}

impl State {
    fn choose(&mut self, of: usize) -> usize {
        if of < 2 {
            return 0;
        }
        if self.at == self.plan.len() {
            self.plan.push(Choice { taken: 0, of });
        }
        let choice = self.plan[self.at];
        assert_eq!(choice.of, of, "a scene must go the same way each time");
        self.at += 1;
        choice.taken
    }

    fn can_go_on(&self, thread: usize) -> bool {
        match self.doing[thread] {
            Doing::Runs => true,
            Doing::Wants(lock) => !self.held.contains_key(&lock),
            Doing::Waits { .. } | Doing::Ended => false,
        }
    }

    /// Those who wait are woken: all, or one of them.
    fn wake(&mut self, of: usize, all: bool) {
        let waiting =
            |doing: &Doing| matches!(doing, Doing::Waits { condvar, .. } if *condvar == of);
        let mut who: Vec<usize> = (0..self.doing.len())
            .filter(|thread| waiting(&self.doing[*thread]))
            .collect();
        if !all && !who.is_empty() {
            let one = self.choose(who.len());
            who = vec![who[one]];
        }
        for thread in who {
            if let Doing::Waits { lock, .. } = self.doing[thread] {
                self.doing[thread] = Doing::Wants(lock);
            }
        }
    }
}

type Held<'a> = sync::MutexGuard<'a, State>;

impl Stage {
    fn lock(&self) -> Held<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses who goes on: `me`, who could, or another.
    fn pass_on(&self, state: &mut State, me: Option<usize>) {
        let me = me.filter(|me| state.can_go_on(*me));
        let others = (0..state.doing.len()).filter(|other| Some(*other) != me);
        let mut able: Vec<usize> = me.into_iter().collect();
        if me.is_none() || state.stops > 0 {
            able.extend(others.filter(|other| state.can_go_on(*other)));
        }
        if able.is_empty() {
            state.turn = None;
            if state.doing.iter().any(|doing| *doing != Doing::Ended) {
                let stuck = format!("threads wait for each other: {:?}", state.doing);
                state.stuck.get_or_insert(stuck);
                self.go.iter().for_each(sync::Condvar::notify_one);
            }
            return;
        }
        let next = able[state.choose(able.len())];
        if me.is_some_and(|me| me != next) {
            state.stops -= 1;
        }
        state.turn = Some(next);
        self.go[next].notify_one();
    }

    /// Waits until it is this thread's turn, in a play that is not stuck.
    fn await_turn<'a>(&'a self, mut state: Held<'a>, me: usize) -> Held<'a> {
        while state.turn != Some(me) && state.stuck.is_none() {
            let woken = self.go[me].wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.stuck.is_some() {
            drop(state);
            // Not by `panic!`, which says so on stderr.
            resume_unwind(Box::new("the play is stuck"));
        }
        state
    }

    /// Takes a lock once this thread is chosen and nobody holds it.
    fn take(&self, me: usize, lock: usize) {
        let mut state = self.lock();
        if state.stuck.is_some() && std::thread::panicking() {
            return;
        }
        state.doing[me] = Doing::Wants(lock);
        self.pass_on(&mut state, Some(me));
        state = self.await_turn(state, me);
        state.held.insert(lock, me);
        state.doing[me] = Doing::Runs;
    }

    fn give_back(&self, lock: usize) {
        self.lock().held.remove(&lock);
    }

    /// Gives a lock back, waits to be woken, and takes it again.
    fn wait(&self, me: usize, condvar: usize, lock: usize) {
        let mut state = self.lock();
        state.held.remove(&lock);
        state.doing[me] = Doing::Waits { condvar, lock };
        self.pass_on(&mut state, None);
        state = self.await_turn(state, me);
        state.held.insert(lock, me);
        state.doing[me] = Doing::Runs;
    }
}

fn address<T: ?Sized>(of: &T) -> usize {
    std::ptr::from_ref(of).cast::<()>().addr()
}

/// As that of the standard library; never poisoned.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// A lock that is held.
pub(crate) struct MutexGuard<'a, T> {
    lock: &'a Mutex<T>,
    /// None while it waits.
    held: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as that of the standard library")]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if let Some((stage, me)) = role() {
            stage.take(me, address(self));
        }
        Ok(MutexGuard {
            lock: self,
            held: Some(self.really()),
        })
    }

    fn really(&self) -> sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("it is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("it is held")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.held.take().is_some()
            && let Some((stage, _)) = role()
        {
            stage.give_back(address(self.lock));
        }
    }
}

/// As that of the standard library.
#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    #[expect(clippy::unnecessary_wraps, reason = "as that of the standard library")]
    pub(crate) fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let lock = guard.lock;
        let held = guard.held.take().expect("it is held");
        guard.held = Some(if let Some((stage, me)) = role() {
            drop(held);
            stage.wait(me, address(self), address(lock));
            lock.really()
        } else {
            let woken = self.0.wait(held);
            woken.unwrap_or_else(PoisonError::into_inner)
        });
        Ok(guard)
    }

    pub(crate) fn notify_one(&self) {
        match role() {
            Some((stage, _)) => stage.lock().wake(address(self), false),
            None => self.0.notify_one(),
        }
    }

    pub(crate) fn notify_all(&self) {
        match role() {
            Some((stage, _)) => stage.lock().wake(address(self), true),
            None => self.0.notify_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn two_threads_that_add_to_what_they_read_before_lose_one_in_some_order() {
        let sums = sync::Mutex::new(std::collections::BTreeSet::new());
        let orders = every_order(2, |play| {
            let count = Mutex::new(0);
            let add = || {
                let before = *count.lock().unwrap();
                *count.lock().unwrap() = before + 1;
            };
            play.run(vec![Box::new(add), Box::new(add)]);
            sums.lock().unwrap().insert(*count.lock().unwrap());
        });
        assert_eq!(sums.into_inner().unwrap(), [1, 2].into());
        assert!(orders > 3, "{orders}");
    }

    #[test]
    fn one_who_waits_for_a_call_that_came_before_is_found() {
        // Who calls looks at whether somebody waits without the lock that the other holds.
        let (lock, called) = (Mutex::new(false), Condvar::new());
        let played = catch_unwind(AssertUnwindSafe(|| {
            every_order(1, |play| {
                *lock.lock().unwrap() = false;
                let waits = || {
                    if !*lock.lock().unwrap() {
                        drop(called.wait(lock.lock().unwrap()));
                    }
                };
                let calls = || {
                    *lock.lock().unwrap() = true;
                    called.notify_one();
                };
                play.run(vec![Box::new(waits), Box::new(calls)]);
            })
        }));
        let why = *played.unwrap_err().downcast::<String>().unwrap();
        assert!(why.contains("wait for each other"), "{why}");
    }

    #[test]
    fn threads_outside_of_a_play_run_as_ever() {
        let (lock, changed, sum) = (Mutex::new(0), Condvar::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut turn = lock.lock().unwrap();
                    *turn += 1;
                    changed.notify_all();
                    while *turn < 4 {
                        turn = changed.wait(turn).unwrap();
                    }
                    sum.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(sum.into_inner(), 4);
    }
}
