//! Instances that are asked again, for versions whose operator allows it.
//!
//! A fresh instance per decision costs ten to a hundred times what a small decision does. Where an operator opts in, the
//! live engine keeps one instance of a version between decisions. The price is that a policy may then remember: what it
//! leaves in its memory, the next decision finds. So nothing but live decisions is asked this way: tests, replays and
//! shadows get a fresh instance each ([`Engines::new`](crate::Engines::new)), and a policy that remembers is found by a
//! replay that differs.
//!
//! Every limit is armed anew for each call. An instance is not used again once a call ended in anything but an answer,
//! when its memory has grown, and after [`CALLS_MAX`] calls. What ends in a trap or an unreadable answer in a kept
//! instance is asked once more in a fresh one, since it may be the fault of what was left there.

use super::bindings::types::PolicyError;
use super::bindings::{curriculum, gate, retry, selection};
use super::call::{self, Call};
use super::convert;
use super::decide::Program;
use super::engine::{engine, ticking};
use super::fault;
use crate::answer;
use crate::version::Failure;
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Answer, Verdict};
use pointsman_model::policy::{Cost, FaultClass, PolicyKind};
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

/// The kept instance of one version: one, because one thread decides. Others that ask at the same time get fresh ones.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Box<Warm>>>);

struct Warm {
    store: Store<Call>,
    exports: Exports,
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

/// Exports whose types have been checked once for the instance.
enum Exports {
    Selection(selection::SourceSelection),
    Retry(retry::Retry),
    Gate(gate::PromotionGate),
    Curriculum(curriculum::Curriculum),
}

impl Program {
    /// Asks the kept instance, or a fresh one where none is kept or allowed. The answer has been checked.
    pub(crate) fn decide_live(&self, context: &Context) -> Result<Answer, Failure> {
        let Some(Kept(place)) = &self.kept else {
            return self.decide(context);
        };
        let mut place = match place.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.decide(context),
        };
        // Taken out: a panic of the engine must not leave a broken one behind.
        let mut warm = match place.take() {
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
                    *place = Some(warm);
                }
                Ok(answer)
            }
            Err(failure) => {
                let first = warm.calls == 1;
                drop(warm);
                drop(place);
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
        let exports = match self.linked.kind {
            PolicyKind::SourceSelection => Exports::Selection(selection::SourceSelection::new(&mut store, &instance).ok()?),
            PolicyKind::Retry => Exports::Retry(retry::Retry::new(&mut store, &instance).ok()?),
            PolicyKind::PromotionGate => Exports::Gate(gate::PromotionGate::new(&mut store, &instance).ok()?),
            PolicyKind::Curriculum => Exports::Curriculum(curriculum::Curriculum::new(&mut store, &instance).ok()?),
        };
        Some(Box::new(Warm {
            store,
            exports,
            calls: 0,
            _counted: counted,
        }))
    }

    fn ask(&self, warm: &mut Warm, context: &Context) -> Result<Answer, Failure> {
        let started = Instant::now();
        let _ticking = ticking();
        let armed = call::arm(&mut warm.store, &self.policy, self.limits);
        let result = armed.and_then(|()| warm.decide(context));
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

impl Warm {
    fn decide(&mut self, context: &Context) -> wasmtime::Result<Result<(Verdict, Advice), PolicyError>> {
        let store = &mut self.store;
        match (&self.exports, context) {
            (Exports::Selection(exports), Context::Selection(context)) => {
                let decision = convert::with_selection(context, |context| exports.call_decide(store, context))?;
                Ok(decision.map(convert::selection_decision))
            }
            (Exports::Retry(exports), Context::Retry(context)) => {
                let decision = convert::with_retry(context, |context| exports.call_decide(store, context))?;
                Ok(decision.map(convert::retry_decision))
            }
            (Exports::Gate(exports), Context::Gate(context)) => {
                let decision = convert::with_gate(context, |context| exports.call_decide(store, context))?;
                Ok(decision.map(convert::gate_decision))
            }
            (Exports::Curriculum(exports), Context::Curriculum(context)) => {
                let decision = convert::with_curriculum(context, |context| exports.call_decide(store, context))?;
                Ok(decision.map(convert::curriculum_decision))
            }
            // `Engines` compares the kinds before it asks.
            (Exports::Selection(_) | Exports::Retry(_) | Exports::Gate(_) | Exports::Curriculum(_), context) => Err(wasmtime::Error::msg(
                format!("a {} question to a policy of another kind", context.kind()),
            )),
        }
    }
}
