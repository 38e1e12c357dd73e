//! Instances that are asked again, for versions whose operator allows it.
//!
//! A fresh instance per decision costs ten to a hundred times what a small decision does. Where an operator opts in, the
//! live engine keeps one instance of a version between decisions. The price is that a policy may then remember: what it
//! leaves in its memory, the next decision finds. Tests, verification and shadows get a fresh instance each
//! ([`Engines::new`](crate::Engines::new)). A dry run asks a kept one ([`Engines::quick`](crate::Engines::quick)), and a fresh
//! one again wherever that answer is not what was recorded: so a policy that remembers is found.
//!
//! Every limit is armed anew for each call. An instance is not used again once a call ended in anything but an answer,
//! when its memory has grown, and after [`CALLS_MAX`] calls. What ends in a trap or an unreadable answer in a kept
//! instance is asked once more in a fresh one, since it may be the fault of what was left there.

use super::ask::Decide;
use super::call::{self, Call};
use super::decide::Program;
use super::engine::{engine, ticking};
use super::fault;
use crate::answer;
use crate::version::Failure;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::{Cost, FaultClass};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::Instant;
use wasmtime::Store;

/// Calls of one instance: what leaks in it is bounded, and starting another is spread over as many.
pub(crate) const CALLS_MAX: u32 = 4_096;
/// An instance whose memory has grown beyond this is not kept.
const MEMORY_BYTES_MAX: usize = 16 << 20;
/// Instances kept by all versions together: each holds a slot of the pool.
const KEPT_MAX: u32 = 32;

static KEPT: AtomicU32 = AtomicU32::new(0);

/// The kept instance of one version, for the one thread that decides live. Others that ask at the same time get fresh ones.
#[derive(Default)]
pub(super) struct Kept(Mutex<KeptInstance>);

/// An instance of one version, or none yet.
#[derive(Default)]
pub(crate) struct KeptInstance(Option<Box<Warm>>);

struct Warm {
    store: Store<Call>,
    decide: Decide,
    calls: u32,
    _counted: Counted,
}

/// One of the [`KEPT_MAX`].
struct Counted(());

impl Counted {
    fn one() -> Option<Counted> {
        let taken = KEPT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| (kept < KEPT_MAX).then_some(kept + 1));
        taken.ok().map(|_| Counted(()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Program {
    /// Asks the kept instance, or a fresh one where none is kept or allowed. The answer has been checked.
    pub(crate) fn decide_live(&self, context: &Context) -> Result<Answer, Failure> {
        let Some(Kept(place)) = &self.kept else {
            return self.decide(context);
        };
        match place.try_lock() {
            Ok(mut place) => self.decide_kept(&mut place, context),
            Err(TryLockError::Poisoned(poisoned)) => self.decide_kept(&mut poisoned.into_inner(), context),
            Err(TryLockError::WouldBlock) => self.decide(context),
        }
    }

    /// The same in a place of the caller's, which holds instances of this version only.
    pub(crate) fn decide_kept(&self, place: &mut KeptInstance, context: &Context) -> Result<Answer, Failure> {
        // Taken out: a panic of the engine must not leave a broken one behind.
        let mut warm = match place.0.take() {
            Some(warm) => warm,
            None => match self.start() {
                Some(warm) => warm,
                // Why it does not start is told by the fresh call.
                None => return self.decide(context),
            },
        };
        let result = self.ask(&mut warm, context);
        warm.calls += 1;
        match result {
            Ok(answer) => {
                if warm.calls < CALLS_MAX && warm.store.data().memory_bytes() <= MEMORY_BYTES_MAX {
                    place.0 = Some(warm);
                }
                Ok(answer)
            }
            Err(failure) => {
                let first = warm.calls == 1;
                drop(warm);
                match failure.class {
                    FaultClass::Trap | FaultClass::Memory | FaultClass::InvalidOutput if !first => self.decide(context),
                    _ => Err(failure),
                }
            }
        }
    }

    fn start(&self) -> Option<Box<Warm>> {
        let counted = Counted::one()?;
        let _ticking = ticking();
        let mut store = call::store(engine(), &self.policy, self.limits).ok()?;
        let instance = self.linked.pre.instantiate(&mut store).ok()?;
        let decide = Decide::of(&self.linked, &mut store, instance).ok()?;
        Some(Box::new(Warm {
            store,
            decide,
            calls: 0,
            _counted: counted,
        }))
    }

    fn ask(&self, warm: &mut Warm, context: &Context) -> Result<Answer, Failure> {
        let started = Instant::now();
        let _ticking = ticking();
        let armed = call::arm(&mut warm.store, &self.policy, self.limits);
        let result = armed.and_then(|()| warm.decide.ask(&mut warm.store, context));
        let cost = Cost {
            fuel: Some(self.limits.fuel.saturating_sub(warm.store.get_fuel().unwrap_or(0))),
            micros: u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX),
        };
        let (verdict, advice) = match result {
            Ok(Ok(decision)) => decision,
            Ok(Err(error)) => return Err(fault::of_policy_error(error).costing(cost)),
            Err(error) => return Err(fault::of_error(&error, warm.store.data()).costing(cost)),
        };
        match answer::check(&verdict, &advice) {
            Ok(()) => Ok(Answer { verdict, advice, cost }),
            Err(problem) => Err(Failure::new(FaultClass::InvalidOutput, problem).costing(cost)),
        }
    }
}
